//! Sockets in the namespaces of another process.
//!
//! A process with several threads cannot enter a user namespace (setns(2)). So a child does,
//! which has the memory and the descriptors of its parent (`CLONE_VM | CLONE_FILES`): what it
//! opens is the parent's. The rules of `spawn` hold for it: no allocation, no lock, no panic.

use std::ffi::c_void;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

use nix::libc::{self, c_int};

use super::call::{Errno, check, errno};
use super::process::{Process, adopt};
use super::spawn::{BlockedSignals, Stack};

struct OpeningJob {
    user: RawFd,
    /// For each network namespace its descriptor, and what the child has opened there, or a
    /// negative errno.
    networks: Vec<(RawFd, AtomicI32)>,
    protocol: c_int,
    /// Why the user namespace could not be entered.
    refused: AtomicI32,
}

/// A netlink socket of this protocol in each of the network namespaces, after entering the user
/// namespace, if one is given. The calling thread sleeps until all are open.
///
/// # Errors
/// If there is no child, or it cannot enter the user namespace.
pub(crate) fn open_netlink(
    user: Option<&OwnedFd>,
    networks: &[OwnedFd],
    protocol: c_int,
) -> Result<Vec<Result<OwnedFd, Errno>>, Errno> {
    let not_tried = || AtomicI32::new(-libc::ECHILD);
    let job = OpeningJob {
        user: user.map_or(-1, AsRawFd::as_raw_fd),
        networks: networks.iter().map(|fd| (fd.as_raw_fd(), not_tried())).collect(),
        protocol,
        refused: AtomicI32::new(0),
    };
    let pidfd = AtomicI32::new(-1);
    let stack = Stack::new()?;
    let blocked = BlockedSignals::new()?;
    let flags = libc::CLONE_VM | libc::CLONE_FILES | libc::CLONE_VFORK | libc::CLONE_PIDFD;
    // SAFETY: the stack is ours and large enough; `job` outlives the child's use of it, since
    // CLONE_VFORK suspends this thread until the child has ended; `child` obeys the rules.
    let cloned = check(unsafe {
        let job = (&raw const job).cast_mut().cast();
        libc::clone(child, stack.top(), flags, job, pidfd.as_ptr())
    });
    drop(blocked);
    let pid = cloned?;
    Process::new(pid, adopt(pidfd.load(Relaxed))).reap();
    let opened = job.networks.iter().map(|(_, opened)| match opened.load(Relaxed) {
        fd @ 0.. => Ok(adopt(fd)),
        errno => Err(-errno),
    });
    let opened = opened.collect();
    match job.refused.load(Relaxed) {
        0 => Ok(opened),
        errno => Err(errno),
    }
}

extern "C" fn child(job: *mut c_void) -> c_int {
    // SAFETY: it is the job of `open_netlink`, which is suspended.
    let job = unsafe { &*job.cast::<OpeningJob>() };
    if job.user >= 0 && enter(job.user, libc::CLONE_NEWUSER).is_err() {
        job.refused.store(errno(), Relaxed);
        return 1;
    }
    for (network, opened) in &job.networks {
        let socket = enter(*network, libc::CLONE_NEWNET).and_then(|_| {
            let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
            // SAFETY: socket(2) has no pointers.
            check(unsafe { libc::socket(libc::AF_NETLINK, kind, job.protocol) })
        });
        opened.store(socket.unwrap_or_else(|errno| -errno), Relaxed);
    }
    0
}

fn enter(namespace: RawFd, kind: c_int) -> Result<c_int, Errno> {
    // SAFETY: setns(2) has no pointers.
    check(unsafe { libc::setns(namespace, kind) })
}
