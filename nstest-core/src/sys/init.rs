//! PID 1 (init) of the new PID namespace. It starts the *body*, the process that continues
//! into `main`, reaps, and reports how the body ended. When it exits, the kernel kills all
//! other processes of the namespace (pid_namespaces(7)).
//!
//! The body must not be PID 1 itself: there, `raise(SIGTERM)` is ignored and `abort()` ends
//! in SIGSEGV. Init cannot be the cloned child either, since that runs in its parent's
//! memory and has to exec soon. So the binary is exec'd as PID 1. Before `main`, in a
//! constructor, while the process has one thread, it splits: PID 1 stays here, and PID 2
//! returns from the constructor into an ordinary start of the program.
//!
//! PID 1 [lends](super::lend) its memory to PID 2 and sleeps until PID 2 has ended. The
//! kernel reaps orphans at once, because PID 1 ignores SIGCHLD. If lending is not possible,
//! PID 1 forks instead, and reaps.
//!
//! In every other process the constructor costs one `getenv`. It runs before Rust's
//! runtime starts, so it must not panic or use parts of `std` that need the runtime.

use std::ffi::CStr;
use std::mem;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

use nix::libc::{self, c_int};

use super::call::errno;
use super::lend::{Lent, lend};
use super::process::exit_now;
use super::step::die_with_parent;

/// The environment variable that carries a [`Handover`] from the parent to init.
pub(crate) const VARIABLE: &str = "NSTEST_BODY";
const VARIABLE_C: &CStr = c"NSTEST_BODY";

/// What the parent hands over to init and to the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Handover {
    /// The write end of the pipe for reports.
    pub(crate) report: c_int,
    /// The inode of that pipe. It shows whether the descriptor still is that pipe.
    pub(crate) inode: u64,
    /// What becomes standard output when the body begins.
    pub(crate) stdout: c_int,
    /// Text for the body, which init does not read.
    pub(crate) payload: String,
}

impl Handover {
    /// `report:inode:stdout:payload`.
    pub(crate) fn encode(&self) -> String {
        let Self { report, inode, stdout, payload } = self;
        format!("{report}:{inode}:{stdout}:{payload}")
    }

    fn decode(text: &str) -> Option<Self> {
        let mut fields = text.splitn(4, ':');
        let report = fields.next()?.parse().ok()?;
        let inode = fields.next()?.parse().ok()?;
        let stdout = fields.next()?.parse().ok()?;
        let payload = fields.next()?.to_owned();
        Some(Self { report, inode, stdout, payload })
    }

    /// Whether the number still refers to the pipe that the parent made.
    pub(crate) fn report_is_open(&self) -> bool {
        // SAFETY: all zeroes is a valid stat, to be written by the call.
        let mut stat: libc::stat = unsafe { mem::zeroed() };
        // SAFETY: the pointer is valid.
        let result = unsafe { libc::fstat(self.report, &raw mut stat) };
        result == 0 && stat.st_mode & libc::S_IFMT == libc::S_IFIFO && stat.st_ino == self.inode
    }
}

static HANDOVER: OnceLock<Handover> = OnceLock::new();

/// What the parent handed over, if this process is a body.
pub(crate) fn handover() -> Option<&'static Handover> {
    // Naming the constructor keeps its object file in the link.
    std::hint::black_box(&CONSTRUCTOR);
    HANDOVER.get()
}

/// The tags of the two messages that init writes.
pub(crate) mod tag {
    /// The body ended; the number is its wait status (waitpid(2)).
    pub(crate) const ENDED: u8 = b'E';
    /// Init could not start the body; the number is an `errno`.
    pub(crate) const NOT_STARTED: u8 = b'I';
}

/// A message of init, built without allocating: a tag, the length of what follows (4,
/// in four bytes) and a number; both little endian.
pub(crate) const fn message(tag: u8, number: i32) -> [u8; 9] {
    let [a, b, c, d] = number.to_le_bytes();
    [tag, 4, 0, 0, 0, a, b, c, d]
}

#[used]
// SAFETY: the section holds pointers to functions of this type, called by the C
// library before main; those that take arguments ignore that this one does not.
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = constructor;

extern "C" fn constructor() {
    // SAFETY: the name ends in NUL; nothing else runs yet that could change the environment.
    let value = unsafe { libc::getenv(VARIABLE_C.as_ptr()) };
    if value.is_null() {
        return;
    }
    // SAFETY: getenv returned a string that ends in NUL.
    let value = unsafe { CStr::from_ptr(value) };
    let Some(handover) = value.to_str().ok().and_then(Handover::decode) else {
        return; // stale or forged: the variable stays, so that the program can refuse it
    };
    // SAFETY: getpid(2) cannot fail.
    if unsafe { libc::getpid() } != 1 || !handover.report_is_open() {
        return;
    }
    set_name(b"nstest-init\0"); // before the body can look
    let _ = die_with_parent(); // again, since some execs clear it
    if parent_is_gone(handover.report) {
        exit_now(1);
    }
    split(handover);
}

fn split(handover: Handover) {
    PIPE.store(handover.report, Relaxed);
    disposition(libc::SIG_IGN);
    match lend() {
        Lent::Child => {
            disposition(libc::SIG_DFL);
            become_body(handover);
        }
        Lent::Parent(body) => await_body(body),
        Lent::Refused(Some(errno)) => refused(errno),
        Lent::Refused(None) => {
            disposition(libc::SIG_DFL);
            // SAFETY: fork(3) of the C library keeps its own state consistent in the child.
            // The process has one thread, except for sanitizers', which handle a fork.
            match unsafe { libc::fork() } {
                -1 => refused(errno()),
                0 => become_body(handover),
                body => await_body(body),
            }
        }
    }
}

/// The pipe for reports, in a static, since init must not read its stack after lending.
static PIPE: AtomicI32 = AtomicI32::new(-1);

/// Sets what PID 1 does with SIGCHLD.
fn disposition(handler: libc::sighandler_t) {
    // SAFETY: neither of the two is a handler that could run.
    unsafe { libc::signal(libc::SIGCHLD, handler) };
}

/// Only the parent has the pipe's read end, so an error means that the parent ended before
/// this process asked to die with it.
fn parent_is_gone(pipe: c_int) -> bool {
    let mut event = libc::pollfd { fd: pipe, events: 0, revents: 0 };
    // SAFETY: it is one element, as stated.
    unsafe { libc::poll(&raw mut event, 1, 0) };
    event.revents & libc::POLLERR != 0
}

fn refused(errno: c_int) -> ! {
    report(&message(tag::NOT_STARTED, errno));
    exit_now(1)
}

fn become_body(handover: Handover) {
    // SAFETY: the name ends in NUL; the process has one thread.
    unsafe { libc::unsetenv(VARIABLE_C.as_ptr()) };
    for fd in [handover.report, handover.stdout] {
        // It survived one exec; programs that the body starts must not have it.
        // SAFETY: F_SETFD takes a number.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    // The same for capabilities that the body keeps although it is not root.
    let (clear, unused) = (libc::PR_CAP_AMBIENT_CLEAR_ALL as libc::c_ulong, 0 as libc::c_ulong);
    // SAFETY: PR_CAP_AMBIENT takes numbers.
    unsafe { libc::prctl(libc::PR_CAP_AMBIENT, clear, unused, unused, unused) };
    name_after_binary();
    let _ = HANDOVER.set(handover);
}

/// After an exec of /proc/self/exe, ps(1) would show "exe" as the name.
fn name_after_binary() {
    let mut path = [0u8; 4096];
    // SAFETY: the buffer is one byte longer than stated, so it ends in NUL.
    let length = unsafe {
        libc::readlink(c"/proc/self/exe".as_ptr(), path.as_mut_ptr().cast(), path.len() - 1)
    };
    let Ok(length) = usize::try_from(length) else { return };
    let start = path[..length].iter().rposition(|b| *b == b'/').map_or(0, |slash| slash + 1);
    set_name(&path[start..]);
}

/// The kernel keeps the first 15 bytes.
fn set_name(name: &[u8]) {
    debug_assert!(name.contains(&0));
    // SAFETY: the string ends in NUL.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}

fn report(frame: &[u8; 9]) {
    // If it fails, the parent gets no report, and diagnoses that.
    // SAFETY: the buffer is as long as stated.
    unsafe { libc::write(PIPE.load(Relaxed), frame.as_ptr().cast(), frame.len()) };
}

/// Ends when the body has ended; the kernel then kills all other processes. `__WALL`,
/// because the body may have no exit signal.
fn await_body(body: libc::pid_t) -> ! {
    let mut status = 0;
    loop {
        // SAFETY: the pointer is valid.
        let ended = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL) };
        if ended == body {
            report(&message(tag::ENDED, status));
            exit_now(0)
        }
        if ended < 0 && errno() != libc::EINTR {
            exit_now(1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handover_is_decoded_as_it_was_encoded() {
        let payload = "a:b ä\n".to_owned();
        let handover = Handover { report: 7, inode: 42, stdout: 8, payload };
        assert_eq!(Handover::decode(&handover.encode()), Some(handover));
        for forged in ["", "1", "7:42:8", "x:42:8:a", "7:-1:8:a", "7:42::a"] {
            assert_eq!(Handover::decode(forged), None, "{forged}");
        }
    }

    #[test]
    fn a_descriptor_other_than_the_parents_pipe_is_refused() {
        let stale = |report, inode| Handover { report, inode, stdout: 1, payload: String::new() };
        assert!(!stale(-1, 0).report_is_open());
        assert!(!stale(0, 1).report_is_open());
    }
}
