//! A child that runs in its parent's memory, for its whole life, while the parent sleeps.
//! vfork(2) does the same until the child's exec.
//!
//! [`lend`] returns twice: first in the child, and in the parent when the child is dead or
//! has exec'd. By then the child has overwritten the parent's stack. The parent must not
//! read its variables and must not return to its caller, but it can call functions.
//!
//! This saves the cost of a fork: copied page tables, a copy of each page that either
//! process writes to, and the removal of a second address space.

use std::ffi::c_long;

use nix::libc::{self, c_int};

/// What [`lend`] returns.
pub(super) enum Lent {
    Child,
    /// The child's PID. Nothing on the stack, and no earlier variable, may be read.
    Parent(c_int),
    /// There is no child: the kernel refused it (an `errno`), or it is not possible on this
    /// kernel or processor (`None`).
    Refused(Option<c_int>),
}

/// Clones a child without an exit signal. A parent that ignores SIGCHLD, so that the kernel
/// reaps orphans, can still wait for this child (`__WALL`).
#[inline(always)]
pub(super) fn lend() -> Lent {
    let Some(tid) = tid_address() else { return Lent::Refused(None) };
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_CHILD_SETTID;
    match clone(c_long::from(flags), tid) {
        None => Lent::Refused(None),
        Some(0) => Lent::Child,
        Some(pid) if pid > 0 => Lent::Parent(pid as c_int),
        Some(error) => Lent::Refused(Some(-error as c_int)),
    }
}

/// Where the C library keeps the id of the only thread, which it passed to
/// set_tid_address(2). The kernel writes the child's id there. Needs
/// CONFIG_CHECKPOINT_RESTORE.
fn tid_address() -> Option<*mut c_int> {
    const PR_GET_TID_ADDRESS: c_int = 40;
    let mut address: *mut c_int = std::ptr::null_mut();
    // SAFETY: the kernel writes a pointer to the address given.
    let result = unsafe { libc::prctl(PR_GET_TID_ADDRESS, &raw mut address) };
    (result == 0 && !address.is_null()).then_some(address)
}

/// The bare system call, because the child would overwrite a wrapper's return address.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn clone(flags: c_long, tid: *mut c_int) -> Option<c_long> {
    let result: c_long;
    // SAFETY: clone(2) with a null stack: the child continues on this one. The
    // operands are the kernel's for this architecture, the clobbers syscall(2)'s.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") libc::SYS_clone => result,
            in("rdi") flags,
            in("rsi") 0,
            in("rdx") 0,
            in("r10") tid,
            in("r8") 0,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    Some(result)
}

/// The bare system call, because the child would overwrite a wrapper's return address.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
fn clone(flags: c_long, tid: *mut c_int) -> Option<c_long> {
    let result: c_long;
    // SAFETY: clone(2) with a null stack: the child continues on this one. The
    // operands are the kernel's for this architecture.
    unsafe {
        std::arch::asm!(
            "svc 0",
            in("x8") libc::SYS_clone,
            inlateout("x0") flags => result,
            in("x1") 0,
            in("x2") 0,
            in("x3") 0,
            in("x4") tid,
        );
    }
    Some(result)
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn clone(_: c_long, _: *mut c_int) -> Option<c_long> {
    None
}
