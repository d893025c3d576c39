//! The process of `nstest shell` in a paused test: it starts a program there, and reports to the
//! process that the user has started.
//!
//! It is a process of the test, so it can be the new parent of all that the program leaves
//! (PR_SET_CHILD_SUBREAPER, prctl(2)), and kills that when the program has ended. The same happens
//! when the process of the user is dead. If this process is killed itself, so is the program.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Command;

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;

use super::parent::process_tree;
use super::parent::refusal::no_program;
use crate::error::{Error, Result};
use crate::ipc::{Event, Failure};
use crate::sys::early_signals::{self, NotSpawned};
use crate::sys::inherited_signals;
use crate::sys::process::{change_of, tie_to_this_thread};

/// Enters the test, and runs the program until it has ended. What fails is reported; that the test
/// cannot be entered is printed, too. The exit status says nothing.
pub(super) fn run(
    enter: impl FnOnce() -> Result<()>,
    command: &mut Command,
    report: OwnedFd,
) -> i32 {
    let report = File::from(report);
    let failed = |error: &Error| {
        let text = format!("{error:?}");
        let _ = writeln!(io::stderr(), "{text}"); // it may be closed
        Event::Failed(Failure::Reported(text))
    };
    let event = match enter().map(|()| attend(command, &report)) {
        Ok(Ok(status)) => Event::Ended(status),
        Ok(Err(NotSpawned::NotExecuted(error))) => {
            Event::NotExecuted(error.raw_os_error().unwrap_or(libc::EINVAL))
        }
        Ok(Err(NotSpawned::Refused(error))) => failed(&no_program(&error)),
        Err(error) => failed(&error),
    };
    send(&report, &event);
    0
}

/// It fails if the process of the user is dead.
fn send(mut report: &File, event: &Event) {
    let _ = report.write_all(&event.encode());
}

/// Returns the wait status of the program when all that it has started is dead.
fn attend(command: &mut Command, report: &File) -> std::result::Result<i32, NotSpawned> {
    SigSet::all().thread_block()?; // the terminal sends them to this process, too
    let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
    let changes = SignalFd::with_flags(&SigSet::from(Signal::SIGCHLD), flags)?;
    set_child_subreaper(true)?;
    inherited_signals::pass_on(command);
    tie_to_this_thread(command);
    let program = early_signals::spawn(command)?.id() as i32;
    let status = loop {
        let mut fds = [
            PollFd::new(changes.as_fd(), PollFlags::POLLIN),
            PollFd::new(report.as_fd(), PollFlags::empty()), // an error: it has no reader
        ];
        // Interrupted by a signal, it fails, and is called again.
        if poll(&mut fds, PollTimeout::NONE).is_ok() && fds[1].any() == Some(true) {
            break libc::SIGKILL;
        }
        while let Ok(Some(_)) = changes.read_signal() {}
        if let Some(status) = changes_of(program, report)? {
            break status;
        }
    };
    kill_all();
    Ok(status)
}

/// Reports the changes of the program, and reaps. Returns its wait status if it has ended.
fn changes_of(program: i32, report: &File) -> io::Result<Option<i32>> {
    while let Some((child, status)) = change_of(None)? {
        match Event::of_change(status) {
            Event::Ended(status) if child == program => return Ok(Some(status)),
            change if child == program => send(report, &change),
            _ => {}
        }
    }
    Ok(None)
}

/// Kills all that the program has started. The children of each that dies become children of this
/// process.
fn kill_all() {
    loop {
        let children = process_tree::children(std::process::id() as i32);
        // It may not kill what has become another user.
        let killed = |pid: &i32| kill(Pid::from_raw(*pid), Signal::SIGKILL).is_ok();
        let killed: Vec<i32> = children.into_iter().filter(killed).collect();
        if killed.is_empty() {
            return;
        }
        for pid in killed {
            let _ = nix::sys::wait::waitpid(Pid::from_raw(pid), None);
        }
    }
}
