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

/// Changes the environment of a process that may have several threads.
pub fn set_variable(name: &str, value: &str) {
    // SAFETY: Rust's own readers hold a lock, and the fixtures run nothing else.
    unsafe { std::env::set_var(name, value) };
}
