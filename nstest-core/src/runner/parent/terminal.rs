//! The terminal that this process was started from, also where libtest captures output.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

#[cfg(feature = "cli")]
use nix::errno::Errno;
use nix::fcntl::OFlag;
#[cfg(feature = "cli")]
use nix::sys::signal::killpg;
use nix::sys::termios::{FlushArg, tcflush};
use nix::unistd::{Pid, getpgrp, tcgetpgrp};

/// The controlling terminal (tty(4)).
#[derive(Debug)]
pub(super) struct Terminal(File);

impl Terminal {
    /// # Errors
    /// If there is none.
    pub(super) fn open() -> io::Result<Self> {
        let flags = (OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits();
        OpenOptions::new().read(true).write(true).custom_flags(flags).open("/dev/tty").map(Self)
    }

    /// Prints on a line of its own. It fails if the terminal is gone or does not take more.
    pub(super) fn print(&self, text: &str) {
        let _ = (&self.0).write_all(format!("\n{text}").as_bytes());
    }

    /// Forgets what was typed until now.
    pub(super) fn forget_input(&self) {
        if self.is_ours() {
            let _ = tcflush(&self.0, FlushArg::TCIFLUSH);
        }
    }

    /// Whether this process may read what is typed. A process in the background, as all tests
    /// of nextest are, would be stopped.
    pub(super) fn is_ours(&self) -> bool {
        self.is_of(getpgrp())
    }

    /// Whether this process group is in the foreground.
    pub(super) fn is_of(&self, group: Pid) -> bool {
        tcgetpgrp(&self.0).is_ok_and(|foreground| foreground == group)
    }

    /// Whether all processes of the process group in the foreground are dead.
    #[cfg(feature = "cli")]
    pub(super) fn is_of_dead_group(&self) -> bool {
        // No signal is sent. A group of another PID namespace is 0 here, which is this process's.
        tcgetpgrp(&self.0).is_ok_and(|group| killpg(group, None) == Err(Errno::ESRCH))
    }

    /// Whether a line was typed since the last call, or the terminal is gone.
    pub(super) fn has_line(&self) -> bool {
        let mut typed = [0; 1024];
        match (&self.0).read(&mut typed) {
            Ok(0) => true,
            Ok(length) => typed[..length].iter().any(|byte| matches!(byte, b'\n' | b'\r')),
            Err(error) => {
                !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
            }
        }
    }
}

impl AsFd for Terminal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
