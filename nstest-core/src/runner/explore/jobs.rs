//! The limit of concurrent runs, shared by all processes of one test run.
//!
//! It is a counting semaphore in a file. A job is a *slot*: a byte of the file, locked with
//! an open file description lock (fcntl(2), `F_OFD_SETLKW`). The kernel queues waiters, and
//! releases the lock when its holder dies. Worker *i* of every process uses slot *i*. A
//! second byte for each slot is its *turnstile*, which the next waiter holds. So a process
//! cannot take a slot again before another one that waits for it.
//!
//! All explorations of one process share a file. Under nextest, where each test is a
//! process, all of one run do (NEXTEST_RUN_ID). Each user of a file holds a shared lock on
//! its first byte, and the last one removes the file. An exploration also removes files
//! that killed processes left: it can lock their first byte exclusively.
//!
//! The traps: such a lock belongs to the open file description, not to the process. So each
//! holder opens the file anew, through /proc/self/fd, because the name may be gone. A child
//! that is forked while a lock is held shares the description, so locks are released
//! explicitly.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::unistd::geteuid;

use crate::error::{Error, ErrorCode, Result};
use crate::runner::parent::refusal::descriptor_error;

/// The jobs of one test run.
#[derive(Debug)]
pub(super) struct Jobs {
    path: PathBuf,
    file: File,
    count: usize,
}

/// One job. Dropping it releases it.
#[derive(Debug)]
pub(super) struct Job {
    file: File,
    slot: usize,
}

impl Jobs {
    pub(super) fn of_this_run(count: usize) -> Result<Self> {
        let key = match std::env::var("NEXTEST_RUN_ID") {
            Ok(id) if id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') => id,
            _ => std::process::id().to_string(),
        };
        let temporary = std::env::temp_dir();
        if !temporary.is_dir() {
            return Err(Error::new(ErrorCode::Config, OPEN)
                .source(format!("{} is no directory", temporary.display()))
                .help("set TMPDIR to a directory that exists, or unset it"));
        }
        let directory = temporary.join(format!("nstest-jobs-{}", geteuid()));
        make_private(&directory)?;
        Self::open(&directory, &key, count).map_err(descriptor_error(OPEN, "open"))
    }

    fn open(directory: &Path, key: &str, count: usize) -> io::Result<Self> {
        let path = directory.join(key);
        remove_unused(directory, &path)?;
        loop {
            let file = open(OpenOptions::new().create(true), &path)?;
            lock(&file, Lock::Shared, IN_USE)?;
            // Otherwise its last user removed it between the two calls.
            if file.metadata()?.nlink() > 0 {
                return Ok(Self { path, file, count });
            }
        }
    }

    /// The limit.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Waits until the slot of this worker is free, and takes it. There is no deadline: a
    /// run holds it, and each run has a timeout.
    pub(super) fn acquire(&self, worker: usize) -> Result<Job> {
        self.take(worker % self.count).map_err(descriptor_error("wait for a job", "fcntl"))
    }

    fn take(&self, slot: usize) -> io::Result<Job> {
        let file = self.reopen()?;
        lock(&file, Lock::Exclusive, turnstile_of(slot))?;
        let taken = lock(&file, Lock::Exclusive, byte_of(slot));
        unlock(&file, turnstile_of(slot));
        taken.map(|()| Job { file, slot })
    }

    /// The same file with a new open file description.
    fn reopen(&self) -> io::Result<File> {
        let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        OpenOptions::new().read(true).write(true).open(path)
    }
}

const OPEN: &str = "open the file through which explorations share jobs";

impl Drop for Jobs {
    fn drop(&mut self) {
        // The shared lock becomes exclusive if there is no other user. If the file cannot
        // be removed, the next exploration tries again.
        if try_lock(&self.file, IN_USE).is_ok() {
            let _ = std::fs::remove_file(&self.path);
        }
        unlock(&self.file, IN_USE);
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        unlock(&self.file, byte_of(self.slot));
    }
}

/// The byte on which each user of the file holds a shared lock.
const IN_USE: i64 = 0;

fn byte_of(slot: usize) -> i64 {
    1 + 2 * slot as i64
}

fn turnstile_of(slot: usize) -> i64 {
    byte_of(slot) + 1
}

/// Creates a directory of this user in one that every user may write to.
fn make_private(directory: &Path) -> Result<()> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => {
            return made.map_err(descriptor_error(
                "create the directory in which explorations share jobs",
                "mkdir",
            ));
        }
    }
    let found = directory.symlink_metadata().map_err(descriptor_error(OPEN, "lstat"))?;
    if found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & 0o022 == 0 {
        return Ok(());
    }
    Err(Error::new(ErrorCode::Config, format!("{OPEN}, in {}", directory.display()))
        .source(
            "it must be a directory that belongs to this user and that no other user may write to",
        )
        .help("remove it, or set TMPDIR to a directory of your own"))
}

fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    options.read(true).write(true).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)
}

/// Removes the files without users.
fn remove_unused(directory: &Path, but: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        // Skipped: it is gone by now, or it is not one of ours.
        let Some(file) = (path != but).then(|| open(&mut OpenOptions::new(), &path).ok()).flatten()
        else {
            continue;
        };
        if try_lock(&file, IN_USE).is_ok() {
            let _ = std::fs::remove_file(&path);
            unlock(&file, IN_USE);
        }
    }
    Ok(())
}

#[derive(Debug, Clone, Copy)]
enum Lock {
    Shared,
    Exclusive,
}

/// Waits for a lock.
fn lock(file: &File, lock: Lock, byte: i64) -> io::Result<()> {
    let kind = match lock {
        Lock::Shared => libc::F_RDLCK,
        Lock::Exclusive => libc::F_WRLCK,
    };
    loop {
        match fcntl(file, FcntlArg::F_OFD_SETLKW(&range(kind, byte))) {
            Err(Errno::EINTR) => {}
            result => return result.map(drop).map_err(io::Error::from),
        }
    }
}

/// Takes an exclusive lock, or fails at once.
fn try_lock(file: &File, byte: i64) -> nix::Result<()> {
    fcntl(file, FcntlArg::F_OFD_SETLK(&range(libc::F_WRLCK, byte))).map(drop)
}

/// Releases a lock that is held, which does not fail.
fn unlock(file: &File, byte: i64) {
    let _ = fcntl(file, FcntlArg::F_OFD_SETLK(&range(libc::F_UNLCK, byte)));
}

fn range(kind: libc::c_int, byte: i64) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: byte as libc::off_t,
        l_len: 1,
        l_pid: 0, // required for open file description locks
    }
}

#[cfg(test)]
mod tests;
