//! The memory that a packet socket shares with the kernel (packet_mmap, mmap(2)).

use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;

use nix::errno::Errno;
use nix::libc;

/// The mapped ring of a socket. Another process that has the socket maps the same memory.
#[derive(Debug)]
pub(super) struct Mapping {
    memory: NonNull<u8>,
    length: usize,
}

// SAFETY: the mapping belongs to the value, and is unmapped with it.
unsafe impl Send for Mapping {}

impl Mapping {
    pub(super) fn of(socket: BorrowedFd<'_>, length: usize) -> nix::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let fd = socket.as_raw_fd();
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let memory = unsafe {
            libc::mmap(std::ptr::null_mut(), length, protection, libc::MAP_SHARED, fd, 0)
        };
        if memory == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        let memory = NonNull::new(memory.cast()).ok_or(Errno::EFAULT)?;
        Ok(Self { memory, length })
    }

    /// The byte at an offset. It is mapped as long as `self` lives.
    pub(super) fn at(&self, offset: usize) -> NonNull<u8> {
        assert!(offset < self.length, "beyond the ring");
        // SAFETY: the offset is within the mapping.
        unsafe { self.memory.add(offset) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this very mapping; no reference into it is left.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), self.length) };
    }
}
