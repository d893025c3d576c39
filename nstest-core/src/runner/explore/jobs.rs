//! The budget of jobs: a counting semaphore of all processes of one test run.
//!
//! A job is a *slot*, a byte of a file, held by an open file description lock
//! (fcntl(2), `F_OFD_SETLKW`): the kernel gives it up when its holder dies, however
//! it does, and puts waiters to sleep and in order. Worker *i* of every process
//! asks for slot *i*: as long as anybody has work for it, somebody holds it. A
//! second byte for each slot is its *turnstile*, which whoever waits next holds, so
//! that one process cannot take a slot again before another that waits has had it.
//!
//! All explorations of one process share a file; under nextest, where each test is
//! a process, all those of one run (NEXTEST_RUN_ID). Whoever uses a file holds a
//! shared lock on its first byte; the last one removes it. What a killed process
//! left over is removed by the next exploration, which can lock that byte alone.
//!
//! The traps: such locks belong to the open file, not to the process, so each holder
//! opens it anew (through /proc/self/fd, since the name may be gone); a child that
//! was forked meanwhile has the same open file, so a lock is given up explicitly.

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

/// One job, until dropped.
#[derive(Debug)]
pub(super) struct Held {
    file: File,
    slot: usize,
}

impl Jobs {
    pub(super) fn of_this_run(count: usize) -> Result<Self> {
        let key = match std::env::var("NEXTEST_RUN_ID") {
            Ok(id) if id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') => id,
            _ => std::process::id().to_string(),
        };
        let directory = std::env::temp_dir().join(format!("nstest-jobs-{}", geteuid()));
        make_private(&directory)?;
        Self::open(&directory, &key, count).map_err(descriptor_error(OPEN, "open"))
    }

    fn open(directory: &Path, key: &str, count: usize) -> io::Result<Self> {
        let path = directory.join(key);
        sweep(directory, &path)?;
        loop {
            let file = open(OpenOptions::new().create(true), &path)?;
            lock(&file, Lock::Shared, USED)?;
            // Removed between the two, by the last one who used it.
            if file.metadata()?.nlink() > 0 {
                return Ok(Self { path, file, count });
            }
        }
    }

    /// How many there may be at a time.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Waits until the slot of this worker is free, and takes it. This has no
    /// deadline of its own: whoever holds it is a run, which has one.
    pub(super) fn hold(&self, worker: usize) -> Result<Held> {
        self.take(worker % self.count).map_err(descriptor_error("wait for a job", "fcntl"))
    }

    fn take(&self, slot: usize) -> io::Result<Held> {
        let file = self.again()?;
        lock(&file, Lock::Exclusive, turnstile_of(slot))?;
        let taken = lock(&file, Lock::Exclusive, byte_of(slot));
        unlock(&file, turnstile_of(slot));
        taken.map(|()| Held { file, slot })
    }

    /// The same file, as another open file.
    fn again(&self) -> io::Result<File> {
        let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        OpenOptions::new().read(true).write(true).open(path)
    }
}

const OPEN: &str = "open the file by which explorations share jobs";

impl Drop for Jobs {
    fn drop(&mut self) {
        // Shared becomes exclusive if nobody else uses it. If it cannot be removed,
        // the next exploration tries.
        if try_lock(&self.file, USED).is_ok() {
            let _ = std::fs::remove_file(&self.path);
        }
        unlock(&self.file, USED);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        unlock(&self.file, byte_of(self.slot));
    }
}

/// Held, shared, by everybody who uses the file.
const USED: i64 = 0;

fn byte_of(slot: usize) -> i64 {
    1 + 2 * slot as i64
}

fn turnstile_of(slot: usize) -> i64 {
    byte_of(slot) + 1
}

/// A directory of this user's, in one where everybody may make what they like.
fn make_private(directory: &Path) -> Result<()> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => {
            return made.map_err(descriptor_error(
                "make a directory for the jobs of explorations",
                "mkdir",
            ));
        }
    }
    let found = directory.symlink_metadata().map_err(descriptor_error(OPEN, "lstat"))?;
    if found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & 0o022 == 0 {
        return Ok(());
    }
    Err(Error::new(ErrorCode::Config, format!("{OPEN}, in {}", directory.display()))
        .source("it is no directory that belongs to this user, and to which nobody else may write")
        .help("remove it; or set TMPDIR to a directory of your own"))
}

fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    options.read(true).write(true).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)
}

/// Removes the files that nobody uses.
fn sweep(directory: &Path, but: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        // Gone by now, or nothing of ours: left alone.
        let Some(file) = (path != but).then(|| open(&mut OpenOptions::new(), &path).ok()).flatten()
        else {
            continue;
        };
        if try_lock(&file, USED).is_ok() {
            let _ = std::fs::remove_file(&path);
            unlock(&file, USED);
        }
    }
    Ok(())
}

#[derive(Debug, Clone, Copy)]
enum Lock {
    Shared,
    Exclusive,
}

/// Waits for it.
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

/// Exclusively, and at once or not at all.
fn try_lock(file: &File, byte: i64) -> nix::Result<()> {
    fcntl(file, FcntlArg::F_OFD_SETLK(&range(libc::F_WRLCK, byte))).map(drop)
}

/// Of a lock that is held, which does not fail.
fn unlock(file: &File, byte: i64) {
    let _ = fcntl(file, FcntlArg::F_OFD_SETLK(&range(libc::F_UNLCK, byte)));
}

fn range(kind: libc::c_int, byte: i64) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: byte as libc::off_t,
        l_len: 1,
        l_pid: 0, // as open file description locks demand
    }
}

#[cfg(test)]
mod tests;
