//! A child that takes over the memory and the stack of its parent. The parent continues on
//! a small stack of its own.
//!
//! This saves the cost of a fork: copied page tables, a copy of each page that either
//! process writes to, and the removal of a second address space.
//!
//! The child returns from [`lend`], and continues as if it were the parent. The kernel and the
//! C library keep a few things about the only thread in its memory, and these have to become
//! the child's: its id, its restartable sequence (`rseq`), its list of robust mutexes, and
//! the stack for its signal handlers. What the C library does after a fork differs from this
//! only in what it does for threads that are gone.
//!
//! The parent must not use what the child has taken over: the stack, and thread-local memory,
//! to which `errno` belongs. So it makes `call::bare` system calls only.

use std::cell::UnsafeCell;
use std::ffi::c_long;
use std::mem;
use std::ptr;

use nix::libc::{self, c_int, c_void};

use super::call::bare;
use super::rseq::Rseq;

/// What [`lend`] returns.
pub(super) enum Lent {
    /// This is the child.
    Child,
    /// There is no child: the kernel refused it (an `errno`), or it is not possible with this
    /// kernel, C library or processor (`None`).
    Refused(Option<c_int>),
}

/// What the parent continues with: a function of the child's PID and of the argument of
/// [`lend`]. It may use neither thread-local memory nor the variables of its callers.
pub(super) type Rest = extern "C" fn(c_long, c_long) -> !;

/// Clones the child, which sends SIGCHLD when it ends. The process must have one thread.
pub(super) fn lend(rest: Rest, argument: c_long) -> Lent {
    let Some(tid) = tid_address() else { return Lent::Refused(None) };
    let inherited = Inherited::read();
    // Two processes must not have it at the same address.
    let rseq = Rseq::unregister();
    let flags =
        libc::CLONE_VM | libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID | libc::SIGCHLD;
    let result = clone(c_long::from(flags), tid, rest, argument);
    if let Some(rseq) = rseq {
        rseq.register();
    }
    match result {
        None => Lent::Refused(None),
        Some(0) => {
            inherited.restore();
            Lent::Child
        }
        Some(error) => Lent::Refused(Some(-error as c_int)),
    }
}

/// Where the C library keeps the id of the only thread. glibc passes that address to
/// set_tid_address(2); musl passes another one, and keeps the id where only it knows. Needs
/// CONFIG_CHECKPOINT_RESTORE.
fn tid_address() -> Option<*mut c_int> {
    const PR_GET_TID_ADDRESS: c_int = 40;
    if !cfg!(target_env = "gnu") {
        return None;
    }
    let mut address: *mut c_int = ptr::null_mut();
    // SAFETY: the kernel writes a pointer to the address given.
    let result = unsafe { libc::prctl(PR_GET_TID_ADDRESS, &raw mut address) };
    (result == 0 && !address.is_null()).then_some(address)
}

/// What a child of fork(2) inherits, and one in its parent's memory does not.
struct Inherited {
    /// The robust mutexes that the thread holds: get_robust_list(2).
    robust_list: (c_long, c_long),
    signal_stack: libc::stack_t,
}

impl Inherited {
    fn read() -> Self {
        let mut robust_list = (0, 0);
        let (head, length) = (&raw mut robust_list.0 as c_long, &raw mut robust_list.1 as c_long);
        bare(libc::SYS_get_robust_list, [0, head, length, 0]);
        // SAFETY: all zeroes is a valid stack_t, to be written by the call.
        let mut signal_stack: libc::stack_t = unsafe { mem::zeroed() };
        // SAFETY: a null pointer changes nothing; the other one is valid.
        unsafe { libc::sigaltstack(ptr::null(), &raw mut signal_stack) };
        Self { robust_list, signal_stack }
    }

    fn restore(&self) {
        let (head, length) = self.robust_list;
        if head != 0 {
            bare(libc::SYS_set_robust_list, [head, length, 0, 0]);
        }
        if self.signal_stack.ss_flags & libc::SS_DISABLE == 0 {
            // SAFETY: it is the stack that this thread had before.
            unsafe { libc::sigaltstack(&raw const self.signal_stack, ptr::null_mut()) };
        }
    }
}

/// The parent's stack. Pages that it does not touch cost nothing.
#[repr(align(16))]
struct InitStack(UnsafeCell<[u8; InitStack::SIZE]>);

// SAFETY: only the parent uses it, in one thread.
unsafe impl Sync for InitStack {}

impl InitStack {
    const SIZE: usize = 16 * 1024;

    /// Stacks grow downwards.
    fn top(&self) -> *mut c_void {
        self.0.get().cast::<c_void>().wrapping_byte_add(Self::SIZE)
    }
}

#[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), expect(dead_code))]
static STACK: InitStack = InitStack(UnsafeCell::new([0; InitStack::SIZE]));

/// Returns in the child, with 0; and in the parent if there is no child.
#[cfg(target_arch = "x86_64")]
fn clone(flags: c_long, tid: *mut c_int, rest: Rest, argument: c_long) -> Option<c_long> {
    let result: c_long;
    // SAFETY: clone(2) with a null stack: the child continues on this one, and the parent
    // leaves it at once. The operands are the kernel's for this architecture, the clobbers
    // syscall(2)'s. `rest` does not return.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jle 2f",
            "mov rsp, r12",
            "xor ebp, ebp",
            "mov rdi, rax",
            "mov rsi, r14",
            "call r13",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone => result,
            in("rdi") flags,
            in("rsi") 0,
            in("rdx") 0,
            in("r10") tid,
            in("r8") 0,
            in("r12") STACK.top(),
            in("r13") rest,
            in("r14") argument,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    Some(result)
}

/// Returns in the child, with 0; and in the parent if there is no child.
#[cfg(target_arch = "aarch64")]
fn clone(flags: c_long, tid: *mut c_int, rest: Rest, argument: c_long) -> Option<c_long> {
    let result: c_long;
    // SAFETY: clone(2) with a null stack: the child continues on this one, and the parent
    // leaves it at once. The operands are the kernel's for this architecture. `rest` does
    // not return.
    unsafe {
        std::arch::asm!(
            "svc 0",
            "cmp x0, #0",
            "b.le 2f",
            "mov sp, x20",
            "mov x29, xzr",
            "mov x30, xzr",
            "mov x1, x22",
            "blr x21",
            "brk #1",
            "2:",
            in("x8") libc::SYS_clone,
            inlateout("x0") flags => result,
            in("x1") 0,
            in("x2") 0,
            in("x3") 0,
            in("x4") tid,
            in("x20") STACK.top(),
            in("x21") rest,
            in("x22") argument,
        );
    }
    Some(result)
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn clone(_: c_long, _: *mut c_int, _: Rest, _: c_long) -> Option<c_long> {
    None
}
