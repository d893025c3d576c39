//! A directory that one process writes, locked by flock(2): the lock ends with the process, however
//! that ends. A PID in a name says less. It may be that of another process by now, or of one in
//! another PID namespace.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};

/// A directory that is held open.
#[derive(Debug)]
#[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "only `given` uses the file"))]
pub(super) enum Directory {
    Locked(Flock<File>),
    /// Its file system locks no directories: NFS, for example.
    Unlocked(File),
}

impl Directory {
    /// Waits until no other process has it locked.
    pub(super) fn lock(path: &Path) -> io::Result<Self> {
        Self::open(path, FlockArg::LockExclusive)
    }

    /// # Errors
    /// `WouldBlock` if another process has it locked.
    pub(super) fn try_lock(path: &Path) -> io::Result<Self> {
        Self::open(path, FlockArg::LockExclusiveNonblock)
    }

    fn open(path: &Path, how: FlockArg) -> io::Result<Self> {
        let flags = OFlag::O_DIRECTORY.bits();
        let file = File::options().read(true).custom_flags(flags).open(path)?;
        match Flock::lock(file, how) {
            Ok(locked) => Ok(Self::Locked(locked)),
            Err((_, errno @ (Errno::EWOULDBLOCK | Errno::EINTR))) => Err(errno.into()),
            Err((file, _)) => Ok(Self::Unlocked(file)),
        }
    }

    pub(super) fn is_locked(&self) -> bool {
        matches!(self, Self::Locked(_))
    }

    #[cfg(feature = "cli")]
    pub(super) fn file(&self) -> &File {
        match self {
            Self::Locked(file) => file,
            Self::Unlocked(file) => file,
        }
    }
}
