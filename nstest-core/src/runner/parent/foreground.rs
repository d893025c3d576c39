//! Watches a program that has the terminal and the process group of the parent, and passes
//! signals on to it.
//!
//! What the terminal sends (Ctrl-C, Ctrl-\, a new size) reaches every process of the
//! foreground process group, and so the program. What kill(2) sends to the parent reaches the
//! parent alone, so it is passed on. Ctrl-Z and SIGTSTP stop the parent as any other process.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd, siginfo};
use nix::unistd::{Pid, getpgrp, tcsetpgrp};

use super::process_tree;
use super::refusal::descriptor_error;
use super::terminal::Terminal;
use super::watch::Running;
use crate::error::Result;
use crate::runner::program_options::ProgramEnd;
use crate::runner::record::TestRecord;
use crate::sys::process::exit_code;

/// What kill(2) sends to the parent and the program gets.
const PASSED_ON: [Signal; 9] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGCONT,
    Signal::SIGWINCH,
];

/// How long a program may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);

/// Signals and terminal of the parent, while a program runs.
#[derive(Debug)]
pub(crate) struct Foreground {
    signals: SignalFd,
    /// The terminal, if this process is in its foreground.
    terminal: Option<Terminal>,
    /// Whether the program is a child of the body, and not the body itself.
    below_body: bool,
}

impl Foreground {
    /// From here on, signals that are passed on do not end this process.
    ///
    /// # Errors
    /// If there is no descriptor for them.
    pub(crate) fn begin(below_body: bool) -> Result<Self> {
        Self::with(PASSED_ON.into_iter().collect(), below_body)
    }

    /// For a child of this process.
    ///
    /// # Errors
    /// If there is no descriptor for the signals.
    pub(crate) fn begin_for_child() -> Result<Self> {
        Self::with(PASSED_ON.into_iter().chain([Signal::SIGCHLD]).collect(), false)
    }

    fn with(mut passed_on: SigSet, below_body: bool) -> Result<Self> {
        // For `take_terminal_back`.
        passed_on.add(Signal::SIGTTOU);
        let failed = |call| descriptor_error("receive the signals for the program", call);
        passed_on.thread_block().map_err(failed("sigprocmask"))?;
        passed_on.remove(Signal::SIGTTOU);
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let signals = SignalFd::with_flags(&passed_on, flags).map_err(failed("signalfd"))?;
        let terminal = Terminal::open().ok().filter(Terminal::is_ours);
        Ok(Self { signals, terminal, below_body })
    }

    /// Waits until a child has ended.
    ///
    /// # Errors
    /// If it is not a child of this process.
    pub(crate) fn attend_child(&self, child: &mut Child) -> io::Result<ExitStatus> {
        let pid = Pid::from_raw(child.id() as i32);
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            let mut fds = [PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
            // Interrupted by a signal, it fails, and is called again at once.
            let _ = poll(&mut fds, PollTimeout::NONE);
            while let Ok(Some(info)) = self.signals.read_signal() {
                let signal = is_for_the_program(&info, pid.as_raw());
                if let Some(signal) = signal.filter(|signal| *signal != Signal::SIGCHLD) {
                    let _ = kill(pid, signal); // it fails if the child has just ended
                }
            }
        };
        self.take_terminal_back();
        Ok(status)
    }

    /// A shell that the program was may have made a process group of its own the foreground.
    /// It does not exist any more, so the next process that reads would be stopped.
    fn take_terminal_back(&self) {
        if let Some(terminal) = self.terminal.as_ref().filter(|terminal| !terminal.is_ours()) {
            // It fails if the terminal is gone.
            let _ = tcsetpgrp(terminal, getpgrp());
        }
    }
}

impl Running {
    /// Returns when the program and all other processes of its world are dead, with what was
    /// recorded of them.
    ///
    /// # Errors
    /// What the machine refused before the program began.
    pub(crate) fn attend(mut self, foreground: &Foreground) -> Result<(ProgramEnd, TestRecord)> {
        let mut deadline = self.timeout.and_then(|timeout| self.start.checked_add(timeout));
        let mut timed_out = None;
        loop {
            let now = Instant::now();
            let left = deadline.map(|deadline| deadline.saturating_duration_since(now));
            if left == Some(Duration::ZERO) {
                match timed_out {
                    None => {
                        timed_out = self.timeout;
                        deadline = now.checked_add(GRACE);
                        let processes = process_tree::directories(self.process.pid());
                        self.record.take_snapshot(processes);
                        self.pass_on(Signal::SIGTERM, foreground);
                    }
                    Some(_) => {
                        deadline = None;
                        self.process.kill();
                    }
                }
                continue;
            }
            let watched = |fd| PollFd::new(fd, PollFlags::POLLIN);
            let mut fds = vec![watched(self.process.as_fd()), watched(foreground.signals.as_fd())];
            fds.extend(self.record.poll_fds().map(watched));
            let wait = left.map(|left| left + Duration::from_millis(1));
            let wait = wait.and_then(|wait| PollTimeout::try_from(wait).ok());
            // Interrupted by a signal, it fails, and is called again at once.
            if poll(&mut fds, wait.unwrap_or(PollTimeout::NONE)).is_err() {
                continue;
            }
            if fds[0].any() == Some(true) {
                break;
            }
            self.record.take();
            while let Ok(Some(signal)) = foreground.signals.read_signal() {
                if let Some(signal) = is_for_the_program(&signal, self.process.pid()) {
                    self.pass_on(signal, foreground);
                }
            }
        }
        foreground.take_terminal_back();
        let not_executed = self.not_executed.take();
        let mut observed = self.finish();
        let record = std::mem::take(&mut observed.record);
        let end = match (not_executed, timed_out) {
            (Some(error), _) => ProgramEnd::NotStarted(error),
            (None, Some(timeout)) => ProgramEnd::TimedOut(timeout),
            (None, None) => {
                ProgramEnd::Exited(exit_code(ExitStatus::from_raw(observed.into_status()?)))
            }
        };
        Ok((end, record))
    }

    /// Before the program has begun, a signal that would end it ends its world.
    fn pass_on(&self, signal: Signal, foreground: &Foreground) {
        let body = process_tree::body(self.process.pid());
        let program = match body {
            Some(body) if foreground.below_body => process_tree::body(body),
            body => body,
        };
        match (program, signal) {
            // It fails if the program has just ended.
            (Some(program), signal) => drop(kill(Pid::from_raw(program), signal)),
            (None, Signal::SIGCONT | Signal::SIGWINCH) => {}
            (None, _) => self.process.kill(),
        }
    }
}

/// The signal, if the program has not received it already.
fn is_for_the_program(info: &siginfo, init: i32) -> Option<Signal> {
    let signal = Signal::try_from(i32::try_from(info.ssi_signo).ok()?).ok()?;
    let by_kernel = info.ssi_code == libc::SI_KERNEL;
    match signal {
        // If a terminal goes away, only the leader of its session receives it.
        Signal::SIGHUP => {}
        _ if by_kernel => return None,
        _ => {}
    }
    // The program may have sent it to its process group, to which this process belongs. The
    // PID of the sender is then the one that it has in its own namespace.
    let inside = || process_tree::contains(init, info.ssi_pid) && !is_process(info.ssi_pid);
    (by_kernel || !inside()).then_some(signal)
}

/// Whether a process of this namespace has this PID. Threads of the kernel have no command
/// line, and send nothing.
fn is_process(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}
