//! One step of preparing a child process, as data.
//!
//! The parent makes a list of steps, since it can allocate. The child
//! [performs](Step::perform) them between `clone` and `execve`. There the child runs in its
//! parent's memory (`CLONE_VM`), so it must not allocate, take a lock or panic. Each step
//! is a few system calls on memory that was prepared for it. signal-safety(7) has the
//! rules, vfork(2) the reasons.

use std::ffi::{CStr, CString};
use std::os::fd::RawFd;
use std::ptr;

use nix::libc::{self, c_int, c_ulong};

use super::call::{Errno, check, close, errno, open};
use super::{capset, tap};

/// One step. Its strings are made before the clone, so they end in NUL already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Give every signal its default disposition: an ignored one would stay
    /// ignored across `execve`, and with SIGCHLD ignored init never sees its child.
    DefaultSignals,
    /// Give one signal its default disposition.
    DefaultSignal(c_int),
    /// Be killed when the thread that called `clone` ends.
    DieWithParent,
    /// Leave the parent's process group, which spans PID namespaces. A new session would
    /// also do that, but costs a scheduling group (sched(7), "The autogroup feature").
    OwnProcessGroup,
    /// Give up the controlling terminal, if there is one. A process outside of its
    /// foreground process group that reads from it is stopped, such as a program that asks
    /// for a password.
    LeaveTerminal,
    /// Ask the parent's helper for its next service, by a byte into `channel`.
    AskHelper { channel: RawFd },
    /// Wait for the helper's answer, an `errno`. `call` names what the helper does, for
    /// messages.
    AwaitHelper { channel: RawFd, call: &'static str },
    /// Close the child's copy of a descriptor. With a copy of the helper's end of the
    /// channel, the child would not see that the parent died before
    /// [`DieWithParent`](Step::DieWithParent).
    Close(RawFd),
    /// Join a namespace of this kind (`CLONE_NEW…`), by its path.
    Join { path: CString, kind: c_int },
    /// Leave the shared mount namespace for a copy of it.
    OwnMounts,
    /// Have a child do the rest. A process that joins a PID namespace is not in it; only
    /// its children are (pid_namespaces(7)). The process ends when the child has exec'd or,
    /// with `wait`, when the child has ended, with the child's exit status.
    Fork { wait: bool },
    /// Make a persistent tap interface with this name and index.
    Tap { name: CString, index: c_int },
    /// Write into a file that exists.
    Write { path: CString, text: Vec<u8> },
    /// Make a file, readable by all regardless of the umask.
    Create { path: CString, text: Vec<u8> },
    /// Make a directory with this mode regardless of the umask. It may exist already.
    MakeDir { path: CString, mode: libc::mode_t },
    /// Make a symbolic link.
    Symlink { target: CString, path: CString },
    /// mount(2).
    Mount(Mount),
    /// Open a directory that a later mount covers, so that it can be mounted elsewhere.
    Hold { path: CString, slot: usize },
    /// Mount a directory held before.
    BindHeld { slot: usize, target: CString },
    /// sethostname(2).
    Hostname(CString),
    /// Bring up `lo`; the kernel gives it 127.0.0.1/8 and ::1/128.
    LoopbackUp,
    /// Drop all capabilities except these (bits of capabilities(7)), and make these inheritable.
    KeepCapabilities(u64),
    /// Then let them survive `execve` as a user other than root.
    AmbientCapabilities(u64),
    /// Make `to` refer to what `from` refers to.
    Duplicate { from: RawFd, to: RawFd },
    /// Make `to` refer to /dev/null, opened with these flags. A sandbox may lack it: then it is an
    /// empty file in memory, which no other process reads.
    Null { flags: c_int, to: RawFd },
    /// Close every descriptor above 2 at `execve`, except these.
    KeepOnly(Vec<RawFd>),
    /// Keep these descriptors at `execve`, beside those that are kept anyway.
    Keep(Vec<RawFd>),
}

/// The arguments of mount(2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    pub(crate) source: Option<CString>,
    pub(crate) target: CString,
    pub(crate) kind: Option<CString>,
    pub(crate) flags: c_ulong,
    pub(crate) data: Option<CString>,
}

/// How many directories can be held at once.
pub(crate) const SLOTS: usize = 8;

/// The directories that [`Step::Hold`] opened for a later [`Step::BindHeld`].
pub(crate) struct HeldDirs {
    fds: [RawFd; SLOTS],
}

impl HeldDirs {
    pub(crate) const fn new() -> Self {
        Self { fds: [-1; SLOTS] }
    }
}

impl Step {
    /// The name of the system call that can fail, for messages.
    pub(crate) fn call(&self) -> String {
        let path = |path: &CStr| path.to_string_lossy().into_owned();
        match self {
            Step::DefaultSignals | Step::DefaultSignal(_) => "rt_sigaction".into(),
            Step::DieWithParent => "prctl(PR_SET_PDEATHSIG)".into(),
            Step::OwnProcessGroup => "setpgid".into(),
            Step::LeaveTerminal => "ioctl(/dev/tty, TIOCNOTTY)".into(),
            Step::AskHelper { .. } => "write".into(),
            Step::AwaitHelper { call, .. } => (*call).into(),
            Step::Close(_) => "close".into(),
            Step::Join { path: p, .. } => format!("setns({})", path(p)),
            Step::OwnMounts => "unshare(CLONE_NEWNS)".into(),
            Step::Fork { .. } => "clone".into(),
            Step::Tap { name, .. } => format!("ioctl(TUNSETIFF, {})", path(name)),
            Step::Write { path: p, .. } => format!("write({})", path(p)),
            Step::Create { path: p, .. } => format!("open({}, O_CREAT)", path(p)),
            Step::MakeDir { path: p, .. } => format!("mkdir({})", path(p)),
            Step::Symlink { path: p, .. } => format!("symlink({})", path(p)),
            Step::Mount(mount) => match &mount.kind {
                Some(kind) => format!("mount({}, {})", path(kind), path(&mount.target)),
                None => format!("mount({})", path(&mount.target)),
            },
            Step::Hold { path: p, .. } => format!("open({})", path(p)),
            Step::BindHeld { target, .. } => format!("mount({})", path(target)),
            Step::Hostname(_) => "sethostname".into(),
            Step::LoopbackUp => "ioctl(lo, SIOCSIFFLAGS)".into(),
            Step::KeepCapabilities(_) => "capset".into(),
            Step::AmbientCapabilities(_) => "prctl(PR_CAP_AMBIENT)".into(),
            Step::Duplicate { .. } => "dup2".into(),
            Step::Null { .. } => "open(/dev/null)".into(),
            Step::KeepOnly(_) => "close_range".into(),
            Step::Keep(_) => "fcntl(F_SETFD)".into(),
        }
    }

    /// Performs the step. Called in the child, where the rules of the module apply.
    pub(super) fn perform(&self, held: &mut HeldDirs) -> Result<(), Errno> {
        match self {
            Step::DefaultSignals => (1..=libc::SIGRTMAX()).try_for_each(default_signal),
            Step::DefaultSignal(signal) => default_signal(*signal),
            Step::DieWithParent => die_with_parent(),
            // SAFETY: setpgid(2) takes numbers.
            Step::OwnProcessGroup => check(unsafe { libc::setpgid(0, 0) }).map(drop),
            Step::LeaveTerminal => leave_terminal(),
            Step::AskHelper { channel } => {
                ask(*channel);
                Ok(())
            }
            Step::AwaitHelper { channel, .. } => await_answer(*channel),
            Step::Close(fd) => {
                close(*fd);
                Ok(())
            }
            Step::Join { path, kind } => join(path, *kind),
            // SAFETY: unshare(2) takes a number.
            Step::OwnMounts => check(unsafe { libc::unshare(libc::CLONE_NEWNS) }).map(drop),
            Step::Fork { .. } => Ok(()), // `spawn` does it
            Step::Tap { name, index } => tap::persistent(name, *index),
            Step::Write { path, text } => write_file(path, libc::O_WRONLY, text),
            Step::Create { path, text } => create_file(path, text),
            Step::MakeDir { path, mode } => make_dir(path, *mode),
            Step::Symlink { target, path } => {
                // SAFETY: both are strings that end in NUL and outlive the call.
                check(unsafe { libc::symlink(target.as_ptr(), path.as_ptr()) }).map(drop)
            }
            Step::Mount(mount) => mount.perform(),
            Step::Hold { path, slot } => {
                held.fds[*slot] = open(path, libc::O_PATH)?;
                Ok(())
            }
            Step::BindHeld { slot, target } => bind_descriptor(held.fds[*slot], target),
            Step::Hostname(name) => {
                // SAFETY: the pointer is valid for as many bytes as are named.
                check(unsafe { libc::sethostname(name.as_ptr(), name.count_bytes()) }).map(drop)
            }
            Step::LoopbackUp => loopback_up(),
            Step::KeepCapabilities(bits) => capset::keep(*bits),
            Step::AmbientCapabilities(bits) => capset::make_ambient(*bits),
            Step::Duplicate { from, to } => duplicate(*from, *to),
            Step::Null { flags, to } => duplicate(null(*flags)?, *to),
            Step::KeepOnly(fds) => keep_only(fds),
            Step::Keep(fds) => keep(fds),
        }
    }
}

impl Mount {
    fn perform(&self) -> Result<(), Errno> {
        let pointer = |text: &Option<CString>| text.as_ref().map_or(ptr::null(), |t| t.as_ptr());
        // SAFETY: each pointer is null or a string that ends in NUL and outlives the call.
        check(unsafe {
            libc::mount(
                pointer(&self.source),
                self.target.as_ptr(),
                pointer(&self.kind),
                self.flags,
                pointer(&self.data).cast(),
            )
        })
        .map(drop)
    }
}

/// SIGKILL, SIGSTOP and the C library's own signals refuse; they have no disposition that
/// could be inherited.
fn default_signal(signal: c_int) -> Result<(), Errno> {
    // SAFETY: all zeroes is a valid sigaction: SIG_DFL, no flags, an empty mask.
    let default: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is valid; no disposition of the parent changes,
    // because the clone does not share them (no CLONE_SIGHAND).
    unsafe { libc::sigaction(signal, &raw const default, ptr::null_mut()) };
    Ok(())
}

pub(super) fn die_with_parent() -> Result<(), Errno> {
    // SAFETY: PR_SET_PDEATHSIG takes a number.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as c_ulong) }).map(drop)
}

/// TIOCNOTTY in ioctl_tty(2). For a process that does not lead the session, it affects only
/// that process.
fn leave_terminal() -> Result<(), Errno> {
    let Ok(fd) = open(c"/dev/tty", libc::O_RDWR | libc::O_NOCTTY) else { return Ok(()) };
    // SAFETY: TIOCNOTTY takes no argument.
    let result = check(unsafe { libc::ioctl(fd, libc::TIOCNOTTY) });
    close(fd);
    match result {
        // It is no terminal, or not that of this process.
        Err(libc::ENOTTY) => Ok(()),
        result => result.map(drop),
    }
}

/// It fails if the helper has ended. Then the wait for its answer fails, too.
fn ask(channel: RawFd) {
    let request = 1u8;
    // SAFETY: the buffer is one byte long.
    unsafe { libc::write(channel, (&raw const request).cast(), 1) };
}

fn await_answer(channel: RawFd) -> Result<(), Errno> {
    let mut answer: c_int = 0;
    let length = size_of::<c_int>();
    // SAFETY: the buffer is as long as stated.
    let read = unsafe { libc::read(channel, (&raw mut answer).cast(), length) };
    match (usize::try_from(read), answer) {
        (Ok(n), 0) if n == length => Ok(()),
        (Ok(n), errno) if n == length => Err(errno),
        _ => Err(libc::EPIPE),
    }
}

fn join(path: &CStr, kind: c_int) -> Result<(), Errno> {
    let fd = open(path, libc::O_RDONLY)?;
    // SAFETY: setns(2) takes numbers.
    let joined = check(unsafe { libc::setns(fd, kind) });
    close(fd);
    joined.map(drop)
}

fn write_file(path: &CStr, flags: c_int, text: &[u8]) -> Result<(), Errno> {
    let fd = open(path, flags)?;
    let result = write_all(fd, text);
    close(fd);
    result
}

/// Where a limit has room for a part, the write of the rest says which limit.
fn write_all(fd: RawFd, mut text: &[u8]) -> Result<(), Errno> {
    while !text.is_empty() {
        // SAFETY: the buffer is as long as stated.
        let written = unsafe { libc::write(fd, text.as_ptr().cast(), text.len()) };
        match usize::try_from(written) {
            Ok(0) => return Err(libc::EIO),
            Ok(n) => text = text.get(n..).unwrap_or_default(),
            Err(_) => return Err(errno()),
        }
    }
    Ok(())
}

fn create_file(path: &CStr, text: &[u8]) -> Result<(), Errno> {
    write_file(path, libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC, text)?;
    // SAFETY: the path ends in NUL and outlives the call.
    check(unsafe { libc::chmod(path.as_ptr(), 0o644) }).map(drop)
}

fn make_dir(path: &CStr, mode: libc::mode_t) -> Result<(), Errno> {
    // SAFETY: the path ends in NUL and outlives the call.
    if let Err(errno) = check(unsafe { libc::mkdir(path.as_ptr(), mode) }) {
        return if errno == libc::EEXIST { Ok(()) } else { Err(errno) };
    }
    // SAFETY: as above.
    check(unsafe { libc::chmod(path.as_ptr(), mode) }).map(drop)
}

fn bind_descriptor(fd: RawFd, target: &CStr) -> Result<(), Errno> {
    // "/proc/self/fd/" and a number, written without allocating.
    let mut path = *b"/proc/self/fd/\0\0\0\0\0\0\0\0\0\0\0\0";
    let mut digits = [0u8; 10];
    let mut rest = fd.unsigned_abs();
    let mut length = 0;
    while length == 0 || rest > 0 {
        digits[length] = b'0' + (rest % 10) as u8;
        rest /= 10;
        length += 1;
    }
    for (i, digit) in digits[..length].iter().rev().enumerate() {
        path[14 + i] = *digit;
    }
    // SAFETY: both paths end in NUL; a bind mount reads no other argument.
    check(unsafe {
        libc::mount(
            path.as_ptr().cast(),
            target.as_ptr(),
            ptr::null(),
            libc::MS_BIND | libc::MS_REC,
            ptr::null(),
        )
    })
    .map(drop)
}

/// By an ioctl of netdevice(7), which is fewer calls than netlink.
pub(crate) fn loopback_up() -> Result<(), Errno> {
    // SAFETY: socket(2) takes numbers.
    let fd =
        check(unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: all zeroes is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads the ifreq that it is given.
    let result = check(unsafe { libc::ioctl(fd, libc::SIOCSIFFLAGS as _, &raw const request) });
    close(fd);
    result.map(drop)
}

fn null(flags: c_int) -> Result<RawFd, Errno> {
    open(c"/dev/null", flags).or_else(|refused| {
        // SAFETY: the name ends in NUL.
        let in_memory = unsafe { libc::memfd_create(c"null".as_ptr(), libc::MFD_CLOEXEC) };
        check(in_memory).map_err(|_| refused)
    })
}

fn duplicate(from: RawFd, to: RawFd) -> Result<(), Errno> {
    if from == to {
        return cloexec(to, false);
    }
    // SAFETY: dup2(2) takes numbers; `to` is meant to be replaced.
    check(unsafe { libc::dup2(from, to) }).map(drop)
}

fn keep_only(fds: &[RawFd]) -> Result<(), Errno> {
    // SAFETY: close_range(2) takes numbers; with CLOSE_RANGE_CLOEXEC it closes nothing yet.
    let result = unsafe {
        libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC)
    };
    if result < 0 {
        return Err(errno());
    }
    keep(fds)
}

fn keep(fds: &[RawFd]) -> Result<(), Errno> {
    fds.iter().try_for_each(|fd| cloexec(*fd, false))
}

fn cloexec(fd: RawFd, on: bool) -> Result<(), Errno> {
    let flags = if on { libc::FD_CLOEXEC } else { 0 };
    // SAFETY: F_SETFD takes a number.
    check(unsafe { libc::fcntl(fd, libc::F_SETFD, flags) }).map(drop)
}
