//! What only `unsafe` code can do to a process, for fixtures that crash, fork, or close
//! descriptors of others.

use std::cell::Cell;
use std::io::Result;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};

use nix::libc::{self, c_long};

/// Leads to a thread that a constructor of this program has started, before `main`.
static WRITER: OnceLock<Sender<Line>> = OnceLock::new();

struct Line {
    to: RawFd,
    text: String,
    written: Sender<Result<()>>,
}

/// Names what a constructor does: `first` and `later` start the `WRITER`, before nstest's and
/// after it; the others change what this process may do.
pub const CONSTRUCTOR: &str = "NSTESTS_CONSTRUCTOR";

#[used]
// SAFETY: the section holds pointers to functions of this type.
#[unsafe(link_section = ".init_array.00000")]
static FIRST: extern "C" fn() = first;

#[used]
// SAFETY: as above.
#[unsafe(link_section = ".init_array")]
static LATER: extern "C" fn() = later;

extern "C" fn first() {
    start_writer("first");
}

extern "C" fn later() {
    start_writer("later");
    match std::env::var(CONSTRUCTOR).as_deref() {
        Ok("is killed by a clone") => kill_at_namespaces(),
        Ok(text) if text.starts_with(REFUSED) => refuse(&text[REFUSED.len()..]),
        // SAFETY: takes numbers.
        Ok("is not dumpable") => assert_eq!(0, unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) }),
        _ => {}
    }
}

const REFUSED: &str = "is refused ";

/// The value of [`CONSTRUCTOR`] with which each call of this number is answered with an errno, in
/// the whole run; only calls that have `value` in an argument, if `argument` is `(index, value)`.
#[must_use]
pub fn refused(call: libc::c_long, errno: i32, argument: Option<(u32, i32)>) -> String {
    // No argument has an index of 6, where the filter then compares the number of the call.
    let (index, value) = argument.unwrap_or((6, call as i32));
    format!("{REFUSED}{call} {errno} {index} {value}")
}

/// Has the program that a command starts meet a filter that answers as [`refused`] says.
pub fn refuse_in(command: &mut Command, call: c_long, errno: i32, argument: Option<(u32, i32)>) {
    let (index, value) = argument.unwrap_or((6, call as i32));
    filter_in(command, refusing(call as u32, errno as u32, index, value as u32, EQUAL));
}

/// Has the program that a command starts meet a filter that answers a clone(2) with new
/// namespaces with an errno, or kills its process, as Docker's default profile does.
pub fn refuse_namespaces_in(command: &mut Command, errno: Option<i32>) {
    const NAMESPACES: u32 = 0x7e02_0000;
    let mut program = refusing(libc::SYS_clone as u32, 0, 0, NAMESPACES, ANY_OF);
    let errno = errno.map(|errno| libc::SECCOMP_RET_ERRNO | errno as u32);
    program[4].k = errno.unwrap_or(libc::SECCOMP_RET_KILL_PROCESS);
    filter_in(command, program);
}

/// Has the program that a command starts meet a filter that kills the process that makes a call.
pub fn kill_in(command: &mut Command, call: c_long) {
    let mut program = refusing(call as u32, 0, 6, call as u32, EQUAL);
    program[4].k = libc::SECCOMP_RET_KILL_PROCESS;
    filter_in(command, program);
}

fn filter_in(command: &mut Command, program: [libc::sock_filter; 6]) {
    let install = move || {
        filter(&mut program.clone());
        Ok(())
    };
    // SAFETY: between fork and exec it makes two system calls, and does not allocate.
    unsafe { command.pre_exec(install) };
}

/// Has the program that a command starts get SIGALRM after so many seconds.
pub fn alarm_in(command: &mut Command, seconds: u32) {
    let set = move || {
        // SAFETY: takes a number.
        unsafe { libc::alarm(seconds) };
        Ok(())
    };
    // SAFETY: between fork and exec it makes one system call.
    unsafe { command.pre_exec(set) };
}

/// Does what [`refused`] says, from now on.
fn refuse(text: &str) {
    let numbers: Vec<u32> = text.split(' ').map(|number| number.parse().expect(text)).collect();
    let [call, errno, index, value] = numbers[..] else { panic!("{text}") };
    filter(&mut refusing(call, errno, index, value, EQUAL));
}

/// The program of a filter that answers a call with an errno, if `compare` holds for its argument
/// at this index and the value.
fn refusing(call: u32, errno: u32, index: u32, value: u32, compare: u32) -> [libc::sock_filter; 6] {
    [
        op(LOAD, 0, (0, 0)),
        op(EQUAL, call, (0, 3)),
        op(LOAD, if index < 6 { 16 + 8 * index } else { 0 }, (0, 0)),
        op(compare, value, (0, 1)),
        op(RETURN, libc::SECCOMP_RET_ERRNO | errno, (0, 0)),
        op(RETURN, libc::SECCOMP_RET_ALLOW, (0, 0)),
    ]
}

fn start_writer(constructor: &str) {
    if std::env::var_os(CONSTRUCTOR).is_none_or(|name| name != constructor) {
        return;
    }
    let (sender, lines) = channel::<Line>();
    std::thread::spawn(move || {
        for Line { to, text, written } in lines {
            // SAFETY: the caller of `write_by_constructor` waits for the answer.
            let to = unsafe { BorrowedFd::borrow_raw(to) };
            let result = nix::unistd::write(to, text.as_bytes());
            written.send(result.map(drop).map_err(Into::into)).expect("a caller");
        }
    });
    assert!(WRITER.set(sender).is_ok());
}

/// Has the thread of the constructor write a line. `None` if there is no such thread.
///
/// # Panics
/// If the thread has ended.
pub fn write_by_constructor(to: BorrowedFd<'_>, text: &str) -> Option<Result<()>> {
    // Keeps the constructors in the program.
    std::hint::black_box((&FIRST, &LATER));
    let (written, answer) = channel();
    let line = Line { to: to.as_raw_fd(), text: text.to_owned(), written };
    WRITER.get()?.send(line).expect("the thread of the constructor");
    Some(answer.recv().expect("the thread of the constructor"))
}

/// Calls fork(2). If the process has several threads, the child may only call
/// async-signal-safe functions.
#[must_use]
pub fn fork() -> libc::pid_t {
    // SAFETY: the children in the fixtures use nothing that another thread could lock.
    unsafe { libc::fork() }
}

/// Calls _exit(2).
pub fn exit_now(status: i32) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(status) }
}

/// Writes to address 0.
pub fn write_to_null() {
    let null = std::ptr::without_provenance_mut::<u8>(std::hint::black_box(0));
    // SAFETY: none. The fixture needs this crash.
    unsafe { null.write_volatile(1) };
}

/// Calls abort(3) in an atexit(3) handler.
pub fn abort_at_exit() {
    extern "C" fn handler() {
        std::process::abort();
    }
    // SAFETY: the handler is a function of this binary.
    let result = unsafe { libc::atexit(handler) };
    assert_eq!(result, 0);
}

/// Calls _exit(2) in the destructor of a thread-local variable.
pub fn exit_at_exit(status: i32) {
    struct Exits(i32);
    impl Drop for Exits {
        fn drop(&mut self) {
            exit_now(self.0);
        }
    }
    thread_local!(static EXITS: Cell<Option<Exits>> = const { Cell::new(None) });
    EXITS.set(Some(Exits(status)));
}

/// Closes every descriptor from `first` to `last`, whatever opened it.
pub fn close_range(first: u32, last: u32) {
    // SAFETY: it breaks I/O safety, which the fixture needs.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    assert_eq!(result, 0);
}

/// Ignores SIGCHLD, so that the kernel reaps the children of this process.
pub fn ignore_children() {
    // SAFETY: no handler is installed.
    let before = unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    assert_ne!(before, libc::SIG_ERR);
}

/// Restores the default action of the signals of Ctrl-C and of a closed terminal, for this
/// process and its children. A process that a shell starts in the background inherits
/// that they are ignored.
pub fn default_signals() {
    for signal in [libc::SIGINT, libc::SIGHUP, libc::SIGQUIT] {
        // SAFETY: no handler is installed.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// Changes the environment of a process that may have several threads.
pub fn set_variable(name: &str, value: &str) {
    // SAFETY: std's functions take a lock, and the fixtures call no other ones.
    unsafe { std::env::set_var(name, value) };
}

/// Makes socket(2) return EAFNOSUPPORT for IPv6 in the calling thread and what it starts,
/// as on a machine without IPv6 (seccomp(2), on x86-64 and aarch64).
///
/// # Panics
/// If the kernel has no seccomp filters.
pub fn refuse_ipv6() {
    filter(&mut [
        op(LOAD, 0, (0, 0)),
        op(EQUAL, libc::SYS_socket as u32, (0, 3)),
        op(LOAD, 16, (0, 0)),
        op(EQUAL, libc::AF_INET6 as u32, (0, 1)),
        op(RETURN, libc::SECCOMP_RET_ERRNO | libc::EAFNOSUPPORT as u32, (0, 0)),
        op(RETURN, libc::SECCOMP_RET_ALLOW, (0, 0)),
    ]);
}

/// Has clone(2) with a new user namespace kill the process, from now on.
fn kill_at_namespaces() {
    filter(&mut [
        op(LOAD, 0, (0, 0)),
        op(EQUAL, libc::SYS_clone as u32, (0, 3)),
        op(LOAD, 16, (0, 0)),
        op(ANY_OF, libc::CLONE_NEWUSER as u32, (0, 1)),
        op(RETURN, libc::SECCOMP_RET_KILL_PROCESS, (0, 0)),
        op(RETURN, libc::SECCOMP_RET_ALLOW, (0, 0)),
    ]);
}

/// Drops all capabilities of the calling thread: capset(2), with the layout of version 3.
pub fn give_up_capabilities() {
    let (header, nothing) = ([0x2008_0522_u32, 0], [0_u32; 6]);
    // SAFETY: both have the layout that the version says, and are only read.
    let result = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), nothing.as_ptr()) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
const EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
const ANY_OF: u32 = libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K;
const RETURN: u32 = libc::BPF_RET | libc::BPF_K;

const fn op(code: u32, k: u32, (jt, jf): (u8, u8)) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt, jf, k }
}

/// Installs a filter on the calling thread and what it starts. The offsets in struct
/// seccomp_data: 0 is the system call, 16 its first argument.
fn filter(program: &mut [libc::sock_filter]) {
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: takes numbers.
    let result = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(result, 0);
    // SAFETY: the program and what it points to live through the call.
    let result =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}
