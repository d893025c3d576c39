//! A child that goes on where its parent is, in the parent's memory, while the
//! parent sleeps: vfork(2), but for life.
//!
//! What is called here twice returns, first in the child, and in the parent when
//! the child is dead or has exec'd. By then the child has used the parent's stack
//! for its own: nothing that stood there is of any worth, and the parent must not
//! return. It may call on from where it is.
//!
//! It saves what a fork costs: copied page tables, a copy of each page that either
//! touches, and a second memory to take down.

use std::ffi::c_long;

use nix::libc::{self, c_int};

/// What [`lend`] returns.
pub(super) enum Lent {
    Child,
    /// Its PID. Nothing on the stack, and no variable from before, may be read.
    Parent(c_int),
    /// No child: this kernel or processor cannot, or (an `errno`) would not.
    Refused(Option<c_int>),
}

/// Clones a child without an exit signal: no SIGCHLD, so a parent that ignores
/// that signal, and so need not reap orphans, can still wait for it (`__WALL`).
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

/// Where the C library keeps the id of the only thread. It is told to set_tid_address(2),
/// and the child's own must stand there. Needs CONFIG_CHECKPOINT_RESTORE.
fn tid_address() -> Option<*mut c_int> {
    const PR_GET_TID_ADDRESS: c_int = 40;
    let mut address: *mut c_int = std::ptr::null_mut();
    // SAFETY: the kernel writes a pointer to where it is told.
    let result = unsafe { libc::prctl(PR_GET_TID_ADDRESS, &raw mut address) };
    (result == 0 && !address.is_null()).then_some(address)
}

/// The bare system call: a wrapper's return address would stand on the stack.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn clone(flags: c_long, tid: *mut c_int) -> Option<c_long> {
    let result: c_long;
    // SAFETY: clone(2) with a null stack: the child goes on with this one. The
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

/// The bare system call: a wrapper's return address would stand on the stack.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
fn clone(flags: c_long, tid: *mut c_int) -> Option<c_long> {
    let result: c_long;
    // SAFETY: clone(2) with a null stack: the child goes on with this one. The
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
