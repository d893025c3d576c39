//! The time slice of a thread. The scheduler runs a thread with a short slice sooner
//! (sched_setattr(2); `sched_runtime` of a normal thread since Linux 6.12,
//! `__setparam_fair` in kernel/sched/fair.c).

use nix::errno::Errno;
use nix::libc::{self, c_long};

/// `struct sched_attr`, in its first published size.
#[repr(C)]
struct SchedAttr {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

/// Requests time slices of this length in nanoseconds (0.1 to 100 ms) for the calling
/// thread. Older kernels ignore the request.
pub(crate) fn set_slice(nanoseconds: u64) -> nix::Result<()> {
    let size = size_of::<SchedAttr>() as u32;
    let mut attributes = SchedAttr {
        size,
        policy: 0,
        flags: 0,
        nice: 0,
        priority: 0,
        runtime: 0,
        deadline: 0,
        period: 0,
    };
    let none: c_long = 0;
    // SAFETY: the kernel writes no more than the size given, of integers only.
    let read = unsafe {
        libc::syscall(libc::SYS_sched_getattr, none, &raw mut attributes, c_long::from(size), none)
    };
    Errno::result(read)?;
    attributes.runtime = nanoseconds;
    // SAFETY: the kernel reads as much as the first field says.
    let set = unsafe { libc::syscall(libc::SYS_sched_setattr, none, &raw const attributes, none) };
    Errno::result(set).map(drop)
}
