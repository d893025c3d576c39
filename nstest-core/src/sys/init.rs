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
//! PID 1 leaves its memory and its stack to PID 2 ([`lend`]), which costs less than a fork,
//! and waits for its children: the body, and orphans. Where that is not possible, PID 1
//! forks. If another constructor has started a thread, a fork would lose it, and the
//! descriptors that the thread sees would be those of PID 1. So PID 1 then starts the program
//! once more, as PID 2.
//!
//! The constructor is the first of the program, so that those of other crates run in the
//! body. In every other process it costs one `getenv`. It runs before Rust's runtime starts,
//! so it must not panic or use parts of `std` that need the runtime.

use std::ffi::{CStr, CString, c_long};
use std::os::unix::ffi::OsStringExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};
use std::{fs, mem, ptr};

use nix::libc::{self, c_int};

use super::call::{Errno, bare, c_string, errno, pointers};
use super::capset;
use super::lend::{Lent, lend};
use super::process::{exit_now, has_more_threads_than};
use super::spawn::SELF;
use super::step::die_with_parent;

/// The environment variable that carries a [`Handover`] from the parent to init.
pub(crate) const VARIABLE: &str = "NSTEST_BODY";
const VARIABLE_C: &CStr = c"NSTEST_BODY";

/// The name of the process, by which ps(1) and `nstest shell` know it.
pub(crate) const NAME: &CStr = c"nstest-init";

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

/// The process that a handover is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Recipient {
    Init,
    /// A body that init started by an exec.
    Body,
}

impl Handover {
    /// As init expects it.
    pub(crate) fn encode(&self) -> String {
        self.encode_for(Recipient::Init)
    }

    /// `recipient:report:inode:stdout:payload`.
    fn encode_for(&self, recipient: Recipient) -> String {
        let Self { report, inode, stdout, payload } = self;
        let recipient = match recipient {
            Recipient::Init => "init",
            Recipient::Body => "body",
        };
        format!("{recipient}:{report}:{inode}:{stdout}:{payload}")
    }

    fn decode(text: &str) -> Option<(Recipient, Self)> {
        let mut fields = text.splitn(5, ':');
        let recipient = match fields.next()? {
            "init" => Recipient::Init,
            "body" => Recipient::Body,
            _ => return None,
        };
        let report = fields.next()?.parse().ok()?;
        let inode = fields.next()?.parse().ok()?;
        let stdout = fields.next()?.parse().ok()?;
        let payload = fields.next()?.to_owned();
        Some((recipient, Self { report, inode, stdout, payload }))
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

/// The tags of the messages that init writes.
pub(crate) mod tag {
    /// The body ended; the number is its wait status (waitpid(2)).
    pub(crate) const ENDED: u8 = b'E';
    /// Init could not start the body; the number is an `errno`.
    pub(crate) const NOT_STARTED: u8 = b'I';
    /// Init could not wait for its children; the number is an `errno`.
    pub(crate) const NOT_AWAITED: u8 = b'W';
    /// A signal has stopped the body; the number is that signal.
    pub(crate) const STOPPED: u8 = b'T';
    /// The body, which was stopped, goes on; the number is 0.
    pub(crate) const CONTINUED: u8 = b'G';
}

/// A message of init, built without allocating: a tag, the length of what follows (4,
/// in four bytes) and a number; both little endian.
pub(crate) const fn message(tag: u8, number: i32) -> [u8; 9] {
    let [a, b, c, d] = number.to_le_bytes();
    [tag, 4, 0, 0, 0, a, b, c, d]
}

// The number is a priority: the least runs first. Without one, a constructor that another
// crate has could start a thread before, in init.
#[used]
// SAFETY: the section holds pointers to functions of this type, called by the C
// library before main; those that take arguments ignore that this one does not.
#[unsafe(link_section = ".init_array.00000")]
static CONSTRUCTOR: extern "C" fn() = constructor;

extern "C" fn constructor() {
    // SAFETY: the name ends in NUL. Only a constructor that ran before could have started a
    // thread that changes the environment.
    let value = unsafe { libc::getenv(VARIABLE_C.as_ptr()) };
    if value.is_null() {
        return;
    }
    // SAFETY: getenv returned a string that ends in NUL.
    let value = unsafe { CStr::from_ptr(value) };
    let Some((recipient, handover)) = value.to_str().ok().and_then(Handover::decode) else {
        return; // stale or forged: the variable stays, so that the program can refuse it
    };
    // SAFETY: getpid(2) cannot fail.
    let is_init = unsafe { libc::getpid() } == 1;
    if is_init != (recipient == Recipient::Init) || !handover.report_is_open() {
        return;
    }
    if recipient == Recipient::Body {
        return become_body(handover);
    }
    set_name(NAME.to_bytes_with_nul()); // before the body can look
    let _ = die_with_parent(); // again, since some execs clear it
    if parent_is_gone(handover.report) {
        exit_now(1);
    }
    split(handover);
}

/// Returns in the body.
fn split(handover: Handover) {
    let pipe = c_long::from(handover.report);
    // A constructor may have started a thread.
    let outcome =
        if has_more_threads_than(1) { start_again(&handover) } else { lend_or_fork(pipe) };
    match outcome {
        Ok(0) => become_body(handover),
        Ok(body) => await_body(c_long::from(body), pipe),
        Err(errno) => report_not_started(pipe, errno),
    }
}

/// Reports that there is no body, and ends init.
pub(super) fn report_not_started(pipe: c_long, errno: Errno) -> ! {
    report(pipe, &message(tag::NOT_STARTED, errno));
    exit_now(1)
}

/// The body's PID in init, and 0 in the body.
fn lend_or_fork(pipe: c_long) -> Result<libc::pid_t, Errno> {
    match lend(await_body, pipe) {
        Lent::Child => Ok(0),
        Lent::Refused(Some(errno)) => Err(errno),
        // SAFETY: fork(3) of the C library keeps its own state consistent in the child, and
        // the process has one thread.
        Lent::Refused(None) => match unsafe { libc::fork() } {
            -1 => Err(errno()),
            body => Ok(body),
        },
    }
}

/// Starts the program once more, as the body, and returns its PID. posix_spawn(3) is safe in
/// a process that has threads.
fn start_again(handover: &Handover) -> Result<libc::pid_t, Errno> {
    let failed = |error: std::io::Error| error.raw_os_error().unwrap_or(libc::EIO);
    let arguments = fs::read("/proc/self/cmdline").map_err(failed)?;
    let arguments: Vec<CString> =
        arguments.split_inclusive(|b| *b == 0).map(|it| c_string(&it[..it.len() - 1])).collect();
    let environment = std::env::vars_os()
        .filter(|(name, _)| name != VARIABLE)
        .map(|(name, value)| c_string([name.into_vec(), b"=".to_vec(), value.into_vec()].concat()));
    let handover = handover.encode_for(Recipient::Body);
    let environment: Vec<CString> =
        environment.chain([c_string(format!("{VARIABLE}={handover}"))]).collect();
    let (arguments, environment) = (pointers(&arguments), pointers(&environment));
    let mut pid = 0;
    // SAFETY: the path ends in NUL, both arrays of such strings end in null, and null stands
    // for the default attributes.
    let result = unsafe {
        libc::posix_spawn(
            &raw mut pid,
            SELF.as_ptr(),
            ptr::null(),
            ptr::null(),
            arguments.as_ptr().cast(),
            environment.as_ptr().cast(),
        )
    };
    if result == 0 { Ok(pid) } else { Err(result) }
}

/// Only the parent has the pipe's read end, so an error means that the parent ended before
/// this process asked to die with it.
pub(super) fn parent_is_gone(pipe: c_int) -> bool {
    let mut event = libc::pollfd { fd: pipe, events: 0, revents: 0 };
    // SAFETY: it is one element, as stated.
    unsafe { libc::poll(&raw mut event, 1, 0) };
    event.revents & libc::POLLERR != 0
}

fn become_body(handover: Handover) {
    // SAFETY: the name ends in NUL. Only a constructor that ran before could have started a
    // thread that reads the environment.
    unsafe { libc::unsetenv(VARIABLE_C.as_ptr()) };
    for fd in [handover.report, handover.stdout] {
        // It survived one exec; programs that the body starts must not have it.
        // SAFETY: F_SETFD takes a number.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    // The same for capabilities that the body keeps although it is not root.
    capset::clear_ambient();
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
pub(super) fn set_name(name: &[u8]) {
    debug_assert!(name.contains(&0));
    // SAFETY: the string ends in NUL.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}

/// If it fails, the parent gets no report, and diagnoses that.
fn report(pipe: c_long, frame: &[u8; 9]) {
    bare(libc::SYS_write, [pipe, frame.as_ptr() as c_long, frame.len() as c_long, 0]);
}

/// Reaps until the body has ended, and reports when it is stopped and continued. When this process
/// exits, the kernel kills all others. `__WALL`, because a process may have been cloned with
/// another exit signal than SIGCHLD.
///
/// The body may be using the memory of this process at the same time: see [`lend`].
pub(super) extern "C" fn await_body(body: c_long, pipe: c_long) -> ! {
    // Not on the stack, where a sanitizer would note it in thread-local memory.
    static STATUS: AtomicI32 = AtomicI32::new(0);
    let options = libc::__WALL | libc::WUNTRACED | libc::WCONTINUED;
    let wait = [-1, STATUS.as_ptr() as c_long, c_long::from(options), 0];
    loop {
        let changed = bare(libc::SYS_wait4, wait);
        let status = STATUS.load(Relaxed);
        if changed == body {
            if libc::WIFSTOPPED(status) {
                report(pipe, &message(tag::STOPPED, libc::WSTOPSIG(status)));
            } else if libc::WIFCONTINUED(status) {
                report(pipe, &message(tag::CONTINUED, 0));
            } else {
                report(pipe, &message(tag::ENDED, status));
                exit_bare(0)
            }
        }
        if changed < 0 && changed != -c_long::from(libc::EINTR) {
            report(pipe, &message(tag::NOT_AWAITED, -changed as i32));
            exit_bare(1)
        }
    }
}

/// Ends the process without the C library.
fn exit_bare(status: c_long) -> ! {
    loop {
        bare(libc::SYS_exit_group, [status, 0, 0, 0]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handover_is_decoded_as_it_was_encoded() {
        let payload = "a:b ä\n".to_owned();
        let handover = Handover { report: 7, inode: 42, stdout: 8, payload };
        for recipient in [Recipient::Init, Recipient::Body] {
            let text = handover.encode_for(recipient);
            assert_eq!(Handover::decode(&text), Some((recipient, handover.clone())));
        }
        for forged in
            ["", "1", "init:7:42:8", "init:x:42:8:a", "init:7:-1:8:a", "body:7:42::a", "7:42:8:a"]
        {
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
