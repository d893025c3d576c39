//! The restartable sequence (`rseq`) of a thread: memory in which the kernel keeps the number
//! of the processor, where sched_getcpu(3) reads it (Documentation/userspace-api/rseq.rst).
//!
//! The C library registers it for each thread. A child in its parent's memory has it not
//! registered (`rseq_fork`, include/linux/rseq.h), so that the number stays as it is.

use std::ffi::c_long;

use nix::libc;

use super::call::bare;

/// The registered area of the calling thread.
pub(super) struct Rseq {
    address: usize,
    length: c_long,
}

/// With this signature the C library registers (sysdeps/unix/sysv/linux/rseq-internal.h).
#[cfg(target_arch = "x86_64")]
const SIGNATURE: c_long = 0x5305_3053;
#[cfg(target_arch = "aarch64")]
const SIGNATURE: c_long = 0xd428_bc00;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const SIGNATURE: c_long = 0;

impl Rseq {
    /// Ends the registration. `None` if the C library has made none.
    pub(super) fn unregister() -> Option<Self> {
        const UNREGISTER: c_long = 1;
        const AT_RSEQ_FEATURE_SIZE: libc::c_ulong = 27;
        let address = c_library_area()?;
        // The kernel compares the length with that of the registration. glibc registers 32
        // bytes, or what the auxiliary vector names if that is more, rounded up or not.
        // SAFETY: getauxval(3) takes a number.
        let named = unsafe { libc::getauxval(AT_RSEQ_FEATURE_SIZE) };
        let lengths = [32, named, named.next_multiple_of(32)];
        lengths
            .into_iter()
            .map(|length| Self { address, length: length as c_long })
            .find(|it| it.call(UNREGISTER))
    }

    /// Registers the same area for the calling thread.
    pub(super) fn register(&self) {
        self.call(0);
    }

    fn call(&self, flags: c_long) -> bool {
        let &Self { address, length } = self;
        bare(libc::SYS_rseq, [address as c_long, length, flags, SIGNATURE]) == 0
    }
}

/// Where the C library (glibc since 2.35) has the area of the calling thread.
#[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
fn c_library_area() -> Option<usize> {
    let offset: *const isize;
    let thread: usize;
    // SAFETY: reads the address of a weak symbol, null if there is none, and the thread
    // pointer, which the ABI keeps at offset 0 of itself.
    unsafe {
        std::arch::asm!(
            ".weak __rseq_offset",
            "mov {offset}, qword ptr [rip + __rseq_offset@GOTPCREL]",
            "mov {thread}, qword ptr fs:[0]",
            offset = out(reg) offset,
            thread = out(reg) thread,
            options(nostack, preserves_flags, readonly),
        );
    }
    area(thread, offset)
}

/// Where the C library (glibc since 2.35) has the area of the calling thread.
#[cfg(all(target_arch = "aarch64", target_env = "gnu"))]
fn c_library_area() -> Option<usize> {
    let offset: *const isize;
    let thread: usize;
    // SAFETY: reads the address of a weak symbol, null if there is none, and the thread
    // pointer.
    unsafe {
        std::arch::asm!(
            ".weak __rseq_offset",
            "adrp {offset}, :got:__rseq_offset",
            "ldr {offset}, [{offset}, #:got_lo12:__rseq_offset]",
            "mrs {thread}, tpidr_el0",
            offset = out(reg) offset,
            thread = out(reg) thread,
            options(nostack, preserves_flags, readonly),
        );
    }
    area(thread, offset)
}

#[cfg(all(any(target_arch = "x86_64", target_arch = "aarch64"), target_env = "gnu"))]
fn area(thread: usize, offset: *const isize) -> Option<usize> {
    // SAFETY: the symbol is a constant of type ptrdiff_t, or absent.
    let offset = unsafe { offset.as_ref() }?;
    Some(thread.wrapping_add_signed(*offset))
}

#[cfg(not(all(any(target_arch = "x86_64", target_arch = "aarch64"), target_env = "gnu")))]
fn c_library_area() -> Option<usize> {
    None
}
