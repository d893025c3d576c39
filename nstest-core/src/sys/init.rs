//! PID 1 of a test's namespaces: it starts the body, reaps, reports, and by
//! its death ends whatever the body left running (pid_namespaces(7)).
//!
//! The parent cannot stay as init itself, since a child in its memory must exec
//! soon, and a body that is PID 1 is no ordinary process: `raise(SIGTERM)` is
//! ignored and `abort()` ends in SIGSEGV. So the test binary is exec'd as PID 1,
//! and before `main`, in a constructor, while it is small and has one thread, it
//! forks: PID 1 stays here, PID 2 goes on into `main` as if nothing had been.
//!
//! In every other process the constructor is one `getenv`. It runs before
//! Rust's runtime: no `std` that needs it, no panic.

use std::ffi::CStr;
use std::mem;
use std::ptr;
use std::sync::OnceLock;

use nix::libc::{self, c_int};

use super::process::exit_now;
use super::step::{die_with_parent, errno};
use crate::record::{ended_frame, init_failed_frame};

/// Carries a [`Chosen`] from the parent to the body: `report:inode:stdout:test`.
pub(crate) const VARIABLE: &str = "NSTEST_BODY";
const VARIABLE_C: &CStr = c"NSTEST_BODY";

/// What the body's process learns from the parent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// The write end of the pipe for records.
    pub(crate) report: c_int,
    /// The inode of that pipe, by which a number that stands for something else is known.
    pub(crate) inode: u64,
    /// What standard output shall be once the body starts.
    pub(crate) stdout: c_int,
    /// The test that was chosen.
    pub(crate) test: String,
}

impl Chosen {
    pub(crate) fn encode(&self) -> String {
        format!("{}:{}:{}:{}", self.report, self.inode, self.stdout, self.test)
    }

    fn decode(text: &str) -> Option<Self> {
        let mut fields = text.splitn(4, ':');
        Some(Self {
            report: fields.next()?.parse().ok()?,
            inode: fields.next()?.parse().ok()?,
            stdout: fields.next()?.parse().ok()?,
            test: fields.next()?.to_owned(),
        })
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

static CHOSEN: OnceLock<Chosen> = OnceLock::new();

/// What this process was started for, if it is the body of a test.
pub(crate) fn chosen() -> Option<&'static Chosen> {
    // Naming the constructor keeps its object file in the link.
    std::hint::black_box(&CONSTRUCTOR);
    CHOSEN.get()
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
    let Some(chosen) = value.to_str().ok().and_then(Chosen::decode) else {
        return; // stale or forged: the variable stays, and the wrapper says so
    };
    // SAFETY: getpid(2) cannot fail.
    if unsafe { libc::getpid() } != 1 || !chosen.report_is_open() {
        return;
    }
    set_name(b"nstest-init\0"); // before the body can look
    let _ = die_with_parent(); // again: some exec's clear it
    // SAFETY: fork(3), the C library's own: it leaves its state right in the
    // child. The process has one thread (sanitizers' handle fork themselves).
    match unsafe { libc::fork() } {
        -1 => {
            report(chosen.report, &init_failed_frame(errno()));
            exit_now(1)
        }
        0 => become_body(chosen),
        body => run_init(chosen.report, body),
    }
}

fn become_body(chosen: Chosen) {
    // SAFETY: the name ends in NUL; the process has one thread.
    unsafe { libc::unsetenv(VARIABLE_C.as_ptr()) };
    for fd in [chosen.report, chosen.stdout] {
        // It survived one exec; what the test starts must not have it.
        // SAFETY: F_SETFD takes a number.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    // The same goes for capabilities that a test keeps although it is not root.
    let (clear, unused) = (libc::PR_CAP_AMBIENT_CLEAR_ALL as libc::c_ulong, 0 as libc::c_ulong);
    // SAFETY: PR_CAP_AMBIENT takes numbers.
    unsafe { libc::prctl(libc::PR_CAP_AMBIENT, clear, unused, unused, unused) };
    name_after_binary();
    let _ = CHOSEN.set(chosen);
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

fn report(fd: c_int, frame: &[u8; 9]) {
    // A write that fails leaves the parent without the record, which it diagnoses.
    // SAFETY: the buffer is as long as stated.
    unsafe { libc::write(fd, frame.as_ptr().cast(), frame.len()) };
}

fn run_init(pipe: c_int, body: libc::pid_t) -> ! {
    // The body's pipes must end with the body, not with init.
    for (first, last) in [(0, pipe - 1), (pipe + 1, c_int::MAX)] {
        // SAFETY: close_range(2) takes numbers; nothing here uses those descriptors.
        unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    }
    let children = child_signals();
    loop {
        while let Some((pid, status)) = reap() {
            if pid == body {
                report(pipe, &ended_frame(status));
                exit_now(0) // and the kernel kills all others
            }
        }
        // The pipe's other end is the parent's alone: an error there means that
        // it is gone, also where its thread's end was missed.
        let mut events = [
            libc::pollfd { fd: children, events: libc::POLLIN, revents: 0 },
            libc::pollfd { fd: pipe, events: 0, revents: 0 },
        ];
        // SAFETY: the array has as many elements as stated.
        unsafe { libc::poll(events.as_mut_ptr(), 2, -1) };
        if events[1].revents & libc::POLLERR != 0 {
            exit_now(1)
        }
        let mut signal = [0u8; size_of::<libc::signalfd_siginfo>()];
        if events[0].revents != 0 {
            // SAFETY: the buffer is as long as stated.
            unsafe { libc::read(children, signal.as_mut_ptr().cast(), signal.len()) };
        }
    }
}

/// A descriptor that becomes readable when a child ends.
fn child_signals() -> c_int {
    // SAFETY: all zeroes is a valid, empty signal set.
    let mut set: libc::sigset_t = unsafe { mem::zeroed() };
    // SAFETY: the pointer is valid.
    unsafe { libc::sigaddset(&raw mut set, libc::SIGCHLD) };
    // SAFETY: the set is valid.
    unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut()) };
    // SAFETY: the set is valid.
    unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) }
}

fn reap() -> Option<(libc::pid_t, c_int)> {
    let mut status = 0;
    // SAFETY: the pointer is valid.
    let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG | libc::__WALL) };
    (pid > 0).then_some((pid, status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_survives_the_environment() {
        let chosen = Chosen { report: 7, inode: 42, stdout: 8, test: "a::b: c".into() };
        assert_eq!(Chosen::decode(&chosen.encode()), Some(chosen));
        for forged in ["", "1", "7:42:8", "x:42:8:a", "7:-1:8:a"] {
            assert_eq!(Chosen::decode(forged), None, "{forged}");
        }
    }

    #[test]
    fn a_descriptor_that_is_no_pipe_of_the_parent_is_refused() {
        let stale = |report, inode| Chosen { report, inode, stdout: 1, test: String::new() };
        assert!(!stale(-1, 0).report_is_open());
        assert!(!stale(0, 1).report_is_open());
    }
}
