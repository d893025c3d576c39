//! The signals that this process was started with, before Rust's runtime ignores SIGPIPE.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use nix::libc;

use super::spawn::unblock_signals;

/// Whether SIGPIPE was ignored.
static IGNORES_SIGPIPE: AtomicBool = AtomicBool::new(false);

#[used]
// SAFETY: the section holds pointers to functions of this type, called by the C library before
// main; those that take arguments ignore that this one does not.
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = constructor;

extern "C" fn constructor() {
    // SAFETY: all zeroes is a valid sigaction, to be written by the call.
    let mut before: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is valid; null changes nothing.
    unsafe { libc::sigaction(libc::SIGPIPE, ptr::null(), &raw mut before) };
    IGNORES_SIGPIPE.store(before.sa_sigaction == libc::SIG_IGN, Relaxed);
}

/// Whether this process was started with SIGPIPE ignored.
pub(crate) fn ignores_sigpipe() -> bool {
    // Naming the constructor keeps its object file in the link.
    std::hint::black_box(&CONSTRUCTOR);
    IGNORES_SIGPIPE.load(Relaxed)
}

fn set_sigpipe(ignored: bool) {
    let action = if ignored { libc::SIG_IGN } else { libc::SIG_DFL };
    // SAFETY: neither action is a handler.
    unsafe { libc::signal(libc::SIGPIPE, action) };
}

/// Has a program begin with SIGPIPE as this process did, and without blocked signals. Otherwise it
/// has the default action, and the blocked signals of the thread that starts it.
pub(crate) fn pass_on(command: &mut Command) {
    let ignored = ignores_sigpipe();
    let prepare = move || {
        set_sigpipe(ignored);
        unblock_signals();
        Ok(())
    };
    // SAFETY: signal(2) and sigprocmask(2) may be called between fork and exec.
    unsafe { command.pre_exec(prepare) };
}

/// Replaces this process by a program. Returns only if that fails. This process then ignores
/// SIGPIPE again, as Rust programs do.
pub(crate) fn replace_process(command: &mut Command) -> io::Error {
    pass_on(command);
    let error = command.exec();
    set_sigpipe(true);
    error
}
