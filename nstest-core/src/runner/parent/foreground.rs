//! Watches a program that has the terminal and the process group of the parent, and passes
//! signals on to it.
//!
//! What the terminal sends (Ctrl-C, Ctrl-\, Ctrl-Z, a new size) reaches every process of the
//! foreground process group, and so the program. What kill(2) sends to the parent reaches the
//! parent alone, so it is passed on.
//!
//! The parent stops when the program is stopped, and not by itself: the program may handle Ctrl-Z,
//! and a shell as the program is in a process group of its own. When the parent is continued, it
//! continues the program.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill, killpg};
use nix::sys::signalfd::{SfdFlags, SignalFd, siginfo};
use nix::unistd::{Pid, getpgid, getpgrp, tcsetpgrp};

use super::process_tree;
use super::refusal::{descriptor_error, no_room};
use super::terminal::Terminal;
use super::watch::{Running, Watch};
use crate::error::Result;
use crate::runner::program_options::ProgramEnd;
use crate::runner::record::TestRecord;
use crate::runner::verdict::Observed;
use crate::sys::job_control;
use crate::sys::process::exit_code;

/// What kill(2) sends to the parent and the program gets.
const PASSED_ON: [Signal; 10] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGTSTP,
    Signal::SIGCONT,
    Signal::SIGWINCH,
];

/// What the kernel sends for a terminal, to each process of a process group.
const OF_TERMINAL: [Signal; 5] =
    [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTSTP, Signal::SIGCONT, Signal::SIGWINCH];

/// How long a program may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);

/// Signals and terminal of the parent, while a program runs.
#[derive(Debug)]
pub(crate) struct Foreground {
    signals: SignalFd,
    /// The terminal, if there is one.
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
        let failed = |call| descriptor_error("receive the signals for the program", call);
        let passed_on: SigSet = PASSED_ON.into_iter().collect();
        let mut blocked = passed_on;
        blocked.add(Signal::SIGTTOU); // for `give_terminal`
        blocked.thread_block().map_err(failed("sigprocmask"))?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        let signals = SignalFd::with_flags(&passed_on, flags).map_err(failed("signalfd"))?;
        let terminal = Terminal::open().ok();
        Ok(Self { signals, terminal, below_body })
    }

    /// A shell that the program was may have made a process group of its own the foreground.
    /// It does not exist any more, so the next process that reads would be stopped. If another one
    /// has the terminal, as the shell of a job that was stopped, it keeps it.
    fn take_terminal_back(&self) {
        if let Some(terminal) = self.terminal.as_ref().filter(|it| it.is_of_dead_group()) {
            // It fails if the terminal is gone.
            let _ = tcsetpgrp(terminal, getpgrp());
        }
    }

    /// Has a program go on, since this process does. In the foreground, a program that was stopped
    /// gets the terminal: a shell gives it to the process group of this process.
    fn continue_program(&self, program: Pid) {
        let group = getpgid(Some(program)).unwrap_or(getpgrp());
        // All of these fail if the program has just ended.
        if group == getpgrp() {
            let _ = kill(program, Signal::SIGCONT);
            return;
        }
        let ours = self.terminal.as_ref().filter(|it| it.is_ours());
        if let Some(terminal) = ours.filter(|_| process_tree::is_stopped(program.as_raw())) {
            let _ = tcsetpgrp(terminal, group);
        }
        let _ = killpg(group, Signal::SIGCONT);
    }
}

impl Running {
    /// Returns when the program and all other processes of its world are dead, with what was
    /// recorded of them. The end is an error if the machine refused something before the program
    /// began, or something killed its world.
    pub(crate) fn attend(self, foreground: Foreground) -> (Result<ProgramEnd>, TestRecord) {
        let executed = self.executed;
        let mut watch = Watch::of(self);
        watch.observed.started = executed == Some(Ok(()));
        watch.observed.not_executed = executed.and_then(std::result::Result::err);
        Attendance { watch, foreground, ended_by: None }.attend()
    }
}

/// A program that is being attended.
struct Attendance {
    watch: Watch,
    foreground: Foreground,
    /// The signal because of which the world was ended before the program began.
    ended_by: Option<Signal>,
}

impl Attendance {
    fn attend(mut self) -> (Result<ProgramEnd>, TestRecord) {
        let Running { timeout, start, .. } = self.watch.running;
        let mut deadline = timeout.and_then(|timeout| start.checked_add(timeout));
        let mut timed_out = None;
        loop {
            let now = Instant::now();
            let left = deadline.map(|deadline| deadline.saturating_duration_since(now));
            if left == Some(Duration::ZERO) {
                if timed_out.is_none() {
                    timed_out = timeout;
                    deadline = now.checked_add(GRACE);
                    self.end_program();
                } else {
                    deadline = None;
                    self.watch.running.process.kill();
                }
                continue;
            }
            if self.wait(left) {
                break;
            }
            self.watch.relay();
            self.pass_signals_on();
            // At the end of its time, the program is not waited for.
            if self.watch.observed.stopped && timed_out.is_none() {
                self.stop(deadline);
            }
        }
        self.foreground.take_terminal_back();
        let mut observed = self.watch.finish();
        let record = std::mem::take(&mut observed.record);
        (program_end(observed, timed_out, self.ended_by), record)
    }

    /// Waits until something happens. True: init is dead, and with it every process of its
    /// namespace.
    fn wait(&self, left: Option<Duration>) -> bool {
        let watched = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let running = &self.watch.running;
        let mut fds = vec![watched(running.process.as_fd())];
        fds.push(watched(self.foreground.signals.as_fd()));
        fds.extend(running.report.poll_fd().map(watched));
        fds.extend(running.record.poll_fds().map(watched));
        let wait = left.map(|left| left + Duration::from_millis(1));
        let wait = wait.and_then(|wait| PollTimeout::try_from(wait).ok());
        // Interrupted by a signal, it fails, and is called again at once.
        poll(&mut fds, wait.unwrap_or(PollTimeout::NONE)).is_ok() && fds[0].any() == Some(true)
    }

    fn pass_signals_on(&mut self) {
        while let Ok(Some(info)) = self.foreground.signals.read_signal() {
            if let Some(signal) = is_for_the_program(&info, self.watch.running.process.pid()) {
                self.pass_on(signal);
                // A process that is stopped does not see it. The kernel sends both.
                if signal == Signal::SIGHUP && info.ssi_code == libc::SI_KERNEL {
                    self.pass_on(Signal::SIGCONT);
                }
            }
        }
    }

    /// Before the program has begun, a signal that would end it ends its world.
    fn pass_on(&mut self, signal: Signal) {
        match (self.program(), signal) {
            (Some(program), Signal::SIGCONT) => {
                // What was reported until now is over.
                self.watch.observed.stopped = false;
                self.foreground.continue_program(program);
            }
            // It fails if the program has just ended.
            (Some(program), signal) => drop(kill(program, signal)),
            (None, Signal::SIGCONT | Signal::SIGWINCH | Signal::SIGTSTP) => {}
            (None, signal) => {
                self.ended_by.get_or_insert(signal);
                self.watch.running.process.kill();
            }
        }
    }

    /// Asks the program to end, also if it is stopped.
    fn end_program(&mut self) {
        let running = &mut self.watch.running;
        running.record.take_snapshot(process_tree::directories(running.process.pid()));
        self.pass_on(Signal::SIGTERM);
        if let Some(program) = self.program() {
            let _ = kill(program, Signal::SIGCONT); // it fails if the program has just ended
        }
    }

    fn program(&self) -> Option<Pid> {
        let body = process_tree::body(self.watch.running.process.pid());
        let below_body = self.foreground.below_body;
        let program = if below_body { body.and_then(process_tree::body) } else { body };
        program.map(Pid::from_raw)
    }

    /// Stops this process with the program. The shell that waits for this process then takes the
    /// terminal, as if the program were its job.
    fn stop(&self, deadline: Option<Instant>) {
        let report = self.watch.running.report.poll_fd();
        let (Some(program), Some(report)) = (self.program(), report) else { return };
        // If it fails, the program is stopped, and this process is not.
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let is_stopped = || process_tree::is_stopped(program.as_raw());
        let _ = job_control::stop_if(report, left, is_stopped);
    }
}

/// The end of a program, when all its processes are dead.
fn program_end(
    mut observed: Observed,
    timed_out: Option<Duration>,
    ended_by: Option<Signal>,
) -> Result<ProgramEnd> {
    if let Some(errno) = observed.not_executed {
        let not_started = || ProgramEnd::NotStarted(io::Error::from_raw_os_error(errno));
        return no_room(errno).map_or_else(|| Ok(not_started()), Err);
    }
    if let Some(report) = observed.take_report() {
        return Ok(ProgramEnd::NotPrepared(report));
    }
    match (timed_out, ended_by) {
        (Some(timeout), _) => Ok(ProgramEnd::TimedOut(timeout)),
        // As if it had killed the program.
        (None, Some(signal)) => Ok(ProgramEnd::Exited(128 + signal as i32)),
        (None, None) => {
            let status = observed.into_status("the program")?;
            Ok(ProgramEnd::Exited(exit_code(ExitStatus::from_raw(status))))
        }
    }
}

/// The signal, if the program has not received it already.
fn is_for_the_program(info: &siginfo, init: i32) -> Option<Signal> {
    let signal = Signal::try_from(i32::try_from(info.ssi_signo).ok()?).ok()?;
    // If a terminal goes away, only the leader of its session receives SIGHUP; and a process group
    // that is stopped, if no shell is left that could continue it. SIGALRM is of a timer of this
    // process, which it has from before its exec.
    let by_kernel = info.ssi_code == libc::SI_KERNEL;
    // `stop_if` has left it.
    let is_own = signal == Signal::SIGTSTP && info.ssi_pid == std::process::id();
    if by_kernel && OF_TERMINAL.contains(&signal) || is_own || job_control::is_own(info) {
        return None;
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
