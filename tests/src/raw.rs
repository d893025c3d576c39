//! What only `unsafe` can do to a process: the fixtures that crash, fork and
//! close what is not theirs. Nothing but fixtures calls it.

use nix::libc;

/// fork(2), in a process that may have several threads: the child may do little.
#[must_use]
pub fn fork() -> libc::pid_t {
    // SAFETY: the fixtures' children use nothing that another thread could have locked.
    unsafe { libc::fork() }
}

/// _exit(2).
pub fn exit_now(status: i32) -> ! {
    // SAFETY: ends the process.
    unsafe { libc::_exit(status) }
}

/// Writes to address 0.
pub fn write_to_null() {
    let null = std::ptr::without_provenance_mut::<u8>(std::hint::black_box(0));
    // SAFETY: none; it is what the fixture is for.
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

/// Closes every descriptor from `first` to `last`, whoever opened it.
pub fn close_range(first: u32, last: u32) {
    // SAFETY: none as far as I/O safety goes; it is what the fixture is for.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    assert_eq!(result, 0);
}

/// Has the kernel reap the children of this process itself (SIGCHLD ignored).
pub fn ignore_children() {
    // SAFETY: no handler is installed.
    let before = unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    assert_ne!(before, libc::SIG_ERR);
}

/// Lets Ctrl-C and a closed terminal end this process and its children again: what
/// a shell runs in the background inherits that they are ignored.
pub fn default_signals() {
    for signal in [libc::SIGINT, libc::SIGHUP, libc::SIGQUIT] {
        // SAFETY: no handler is installed.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// Changes the environment of a process that may have several threads.
pub fn set_variable(name: &str, value: &str) {
    // SAFETY: Rust's own readers hold a lock, and the fixtures run nothing else.
    unsafe { std::env::set_var(name, value) };
}

/// From here on, the calling thread and what it starts get no IPv6 socket:
/// EAFNOSUPPORT, as on a machine without (seccomp(2), on x86-64 and aarch64).
///
/// # Panics
/// If the kernel has no seccomp filters.
pub fn refuse_ipv6() {
    const fn op(code: u32, k: u32, (jt, jf): (u8, u8)) -> libc::sock_filter {
        libc::sock_filter { code: code as u16, jt, jf, k }
    }
    const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    const EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    const RETURN: u32 = libc::BPF_RET | libc::BPF_K;
    // Of struct seccomp_data: the number of the call, and its first argument.
    let mut program = [
        op(LOAD, 0, (0, 0)),
        op(EQUAL, libc::SYS_socket as u32, (0, 3)),
        op(LOAD, 16, (0, 0)),
        op(EQUAL, libc::AF_INET6 as u32, (0, 1)),
        op(RETURN, libc::SECCOMP_RET_ERRNO | libc::EAFNOSUPPORT as u32, (0, 0)),
        op(RETURN, libc::SECCOMP_RET_ALLOW, (0, 0)),
    ];
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: takes numbers.
    let result = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(result, 0);
    // SAFETY: the program and what it points to live through the call.
    let result =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}
