//! PID 1 of a test's namespaces: it starts the body, reaps, reports, and by
//! its death ends whatever the body left running (pid_namespaces(7)).
//!
//! The parent cannot stay as init itself, since a child in its memory must exec
//! soon, and a body that is PID 1 is no ordinary process: `raise(SIGTERM)` is
//! ignored and `abort()` ends in SIGSEGV. So the test binary is exec'd as PID 1,
//! and before `main`, in a constructor, while it has one thread, it splits: PID 1
//! stays here, PID 2 goes on into `main` as if nothing had been.
//!
//! PID 1 [lends](super::lend) PID 2 its memory and sleeps until that has ended.
//! Orphans are not kept waiting: whoever ignores SIGCHLD has them reaped by the
//! kernel. Where that cannot be had, PID 1 forks, and reaps.
//!
//! In every other process the constructor is one `getenv`. It runs before
//! Rust's runtime: no `std` that needs it, no panic.

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

/// What the parent handed over, if this process is the body of a test.
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
        return; // stale or forged: the variable stays, and the wrapper says so
    };
    // SAFETY: getpid(2) cannot fail.
    if unsafe { libc::getpid() } != 1 || !handover.report_is_open() {
        return;
    }
    set_name(b"nstest-init\0"); // before the body can look
    let _ = die_with_parent(); // again: some exec's clear it
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
            // SAFETY: fork(3), the C library's own: it leaves its state right in the
            // child. The process has one thread (sanitizers' handle fork themselves).
            match unsafe { libc::fork() } {
                -1 => refused(errno()),
                0 => become_body(handover),
                body => await_body(body),
            }
        }
    }
}

/// The pipe for records: where init finds it when it has nothing else.
static PIPE: AtomicI32 = AtomicI32::new(-1);

/// What PID 1 does with SIGCHLD.
fn disposition(handler: libc::sighandler_t) {
    // SAFETY: neither of the two is a handler that could run.
    unsafe { libc::signal(libc::SIGCHLD, handler) };
}

/// The pipe's other end is the parent's alone: an error here means that it was
/// gone before it could be told to take this process along.
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
        // It survived one exec; what the test starts must not have it.
        // SAFETY: F_SETFD takes a number.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    // The same goes for capabilities that a test keeps although it is not root.
    let (clear, unused) = (libc::PR_CAP_AMBIENT_CLEAR_ALL as libc::c_ulong, 0 as libc::c_ulong);
    // SAFETY: PR_CAP_AMBIENT takes numbers.
    unsafe { libc::prctl(libc::PR_CAP_AMBIENT, clear, unused, unused, unused) };
    name_after_binary();
    let _ = HANDOVER.set(handover);
}

/// exec'ing /proc/self/exe leaves "exe" as the name that ps(1) shows.
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
    // A write that fails leaves the parent without the record, which it diagnoses.
    // SAFETY: the buffer is as long as stated.
    unsafe { libc::write(PIPE.load(Relaxed), frame.as_ptr().cast(), frame.len()) };
}

/// Ends with the body, and the kernel kills all others. `__WALL`, because the body
/// may have no exit signal.
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
        let payload = "a:b ä
"
        .to_owned();
        let handover = Handover { report: 7, inode: 42, stdout: 8, payload };
        assert_eq!(Handover::decode(&handover.encode()), Some(handover));
        for forged in ["", "1", "7:42:8", "x:42:8:a", "7:-1:8:a", "7:42::a"] {
            assert_eq!(Handover::decode(forged), None, "{forged}");
        }
    }

    #[test]
    fn a_descriptor_that_is_no_pipe_of_the_parent_is_refused() {
        let stale = |report, inode| Handover { report, inode, stdout: 1, payload: String::new() };
        assert!(!stale(-1, 0).report_is_open());
        assert!(!stale(0, 1).report_is_open());
    }
}
