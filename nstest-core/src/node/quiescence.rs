//! Waits until everything in the test sleeps.
//!
//! A thread that is about to panic is running, or something that is running will wake it. So
//! when all threads of a test sleep at the same instant, the test has nothing more to do,
//! except for what waits for time to pass. A server that waits in `accept` forever costs two
//! looks at each thread.
//!
//! All slept at one instant, if two looks in a row find every thread asleep and with an
//! unchanged number of context switches (proc_pid_status(5)): a thread that runs between its
//! two looks is switched out before it sleeps again.
//!
//! The state alone does not say that a thread sleeps. A thread that is about to sleep sets its
//! state first, and then looks once more for what it would wait for: wait4(2) even reaps a child
//! in that state. If the thread is preempted there, it can run, and its state is S. The file
//! `wchan` names the function in which a thread waits, and is `0` for a thread in the queue of
//! a processor (`get_wchan`, kernel/sched/core.c, since Linux 5.16).

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::gettid;

use super::panic_hook::is_printing;
use super::panics::Panics;
use super::softnet;
use super::thread_name::full_name;
use crate::own_pid;

/// How much processor time the test may use while it is waited for. A server that spins uses
/// all of it. Printing a panic, which can take long, does not count.
const LIMIT: Duration = Duration::from_secs(1);

/// The longest pause between two looks, which use processor time themselves.
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// Waits until the threads and tasks that `panics` knows of have ended; or until all threads
/// of this process, and all processes in its PID namespace, sleep at the same instant. Prints
/// a note if neither happens before [`LIMIT`].
///
/// `isolated`: this process is the body of a test, in a PID namespace of its own.
pub(crate) fn settle(panics: &Panics, isolated: bool) {
    if let Err(running) = wait(panics, isolated) {
        eprintln!(
            "nstest: note: the test ends while these threads are still running, so that a panic in \
             one of them is not noticed: {}",
            running.join(", ")
        );
    }
}

/// # Errors
/// The names of the threads that are still running when [`LIMIT`] is reached.
fn wait(panics: &Panics, isolated: bool) -> Result<(), Vec<String>> {
    let surroundings = Surroundings::new(isolated);
    let (mut used, mut before) = (UsedTime::default(), None);
    let mut pause = Duration::from_micros(20);
    while panics.unfinished() > 0 {
        let look = surroundings.look();
        let prints = is_printing() || !output_has_room();
        if look.all_sleep() && !prints {
            match &before {
                None => {
                    softnet::flush(|| panics.await_finished(LONGEST_PAUSE));
                    before = Some(look);
                    continue;
                }
                Some(before) if *before == look => return Ok(()),
                Some(_) => {}
            }
        }
        if prints {
            used = UsedTime::default();
        }
        if used.so_far(&surroundings) > LIMIT {
            return Err(look.awake_since(before.as_ref()));
        }
        before = None;
        // The end of the last thread or task ends the pause.
        panics.await_finished(pause);
        pause = (2 * pause).min(LONGEST_PAUSE);
    }
    Ok(())
}

/// The processes that belong to the test.
struct Surroundings {
    /// Whether `/proc` shows the PID namespace of the test. In inline mode, and where a test
    /// has to do without a `/proc` of its own, it shows processes of others.
    own: bool,
}

/// What one look at all threads found: the directory of each, and what it says.
#[derive(Debug, PartialEq, Eq)]
struct Look(Vec<(PathBuf, Status)>);

impl Look {
    fn all_sleep(&self) -> bool {
        self.0.iter().all(|(_, status)| status.sleeps)
    }

    /// The names of the threads that do not sleep, or did not between two looks.
    fn awake_since(&self, before: Option<&Self>) -> Vec<String> {
        let ran = |thread| before.is_some_and(|before| !before.0.contains(thread));
        let awake = self.0.iter().filter(|thread| !thread.1.sleeps || ran(thread));
        awake.map(|(thread, status)| full_name(thread, &status.name)).collect()
    }
}

impl Surroundings {
    fn new(isolated: bool) -> Self {
        Self { own: isolated && own_pid::proc_is_own() }
    }

    /// The directories of the processes in `/proc`.
    fn processes(&self) -> Vec<PathBuf> {
        if !self.own {
            return vec![PathBuf::from("/proc/self")];
        }
        // Not init, which only reaps.
        let is_process = |name: &str| name != "1" && name.bytes().all(|b| b.is_ascii_digit());
        let all = entries(Path::new("/proc"));
        all.filter(|path| path.file_name().and_then(OsStr::to_str).is_some_and(is_process))
            .collect()
    }

    /// Looks at every thread but the calling one. A thread that has ended by then is left out.
    fn look(&self) -> Look {
        let caller = gettid().to_string();
        let processes = self.processes().into_iter();
        let threads = processes.flat_map(|process| entries(&process.join("task")));
        let others = threads.filter(|thread| !thread.ends_with(&caller));
        Look(others.filter_map(|it| Status::read(&it).ok().map(|status| (it, status))).collect())
    }
}

fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// What `/proc/PID/task/TID/status` says of a thread.
#[derive(Debug, PartialEq, Eq)]
struct Status {
    name: String,
    /// It waits for something, is stopped, or has ended. A thread that waits for a disk or for
    /// a lock of the kernel (D) goes on by itself.
    sleeps: bool,
    /// The number of context switches.
    switches: u64,
}

impl Status {
    fn read(thread: &Path) -> io::Result<Self> {
        // Before the switches: a thread that has been woken by then is found by them.
        let queued = is_queued(thread);
        // More than the kernel writes, so that one read(2) is enough.
        let mut text = [0; 4096];
        let length = File::open(thread.join("status"))?.read(&mut text)?;
        let status = Self::parse(&String::from_utf8_lossy(&text[..length]));
        Ok(Self { sleeps: status.sleeps && !queued, ..status })
    }

    fn parse(text: &str) -> Self {
        let mut status = Self { name: String::new(), sleeps: false, switches: 0 };
        for (key, value) in text.lines().filter_map(|line| line.split_once(":\t")) {
            match key {
                "Name" => value.clone_into(&mut status.name),
                "State" => status.sleeps = value.starts_with(['S', 'I', 'Z', 'X', 'T', 't']),
                "voluntary_ctxt_switches" | "nonvoluntary_ctxt_switches" => {
                    status.switches += value.parse::<u64>().unwrap_or_default();
                }
                _ => {}
            }
        }
        status
    }
}

/// Whether a thread waits for a processor, although its state may say that it sleeps. A kernel
/// that does not tell is taken to say no.
fn is_queued(thread: &Path) -> bool {
    let mut name = [0; 2];
    let read = File::open(thread.join("wchan")).and_then(|mut file| file.read(&mut name));
    // `0` is also what the kernel says to those who may not know. Then field 35 is 0, too.
    read.is_ok_and(|length| &name[..length] == b"0")
        && fs::read_to_string(thread.join("stat")).is_ok_and(|text| has_known_wait(&text))
}

/// Whether field 35 of `/proc/PID/task/TID/stat` says that the thread does not run. It does so
/// only for a caller who may trace the thread. A thread that has ended waits for nothing.
fn has_known_wait(text: &str) -> bool {
    // The name, in parentheses, may contain anything. The state is field 3.
    let Some((_, fields)) = text.rsplit_once(") ") else { return false };
    let mut fields = fields.split(' ');
    matches!(fields.next(), Some("S" | "I")) && fields.nth(31).is_some_and(|field| field != "0")
}

/// The processor time that the processes of the test have used since a first measurement.
#[derive(Debug, Default)]
struct UsedTime {
    /// What each process had used when it was seen first.
    first: HashMap<PathBuf, Duration>,
}

impl UsedTime {
    fn so_far(&mut self, surroundings: &Surroundings) -> Duration {
        let mut sum = Duration::ZERO;
        for process in surroundings.processes() {
            let Some(used) = used_time(&process) else { continue };
            sum += used.saturating_sub(*self.first.entry(process).or_insert(used));
        }
        sum
    }
}

/// The processor time of a process, with that of its threads that have ended.
fn used_time(process: &Path) -> Option<Duration> {
    /// The unit of the fields, which is the same on all architectures that nstest knows.
    const TICKS_PER_SECOND: u32 = 100;
    let text = fs::read_to_string(process.join("stat")).ok()?;
    // The name, in parentheses, may contain anything. Fields 14 and 15, proc_pid_stat(5), are
    // the 12th and 13th after it.
    let (_, fields) = text.rsplit_once(") ")?;
    let ticks = fields.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u32>().ok());
    Some(Duration::from_secs(1) * ticks.sum::<u32>() / TICKS_PER_SECOND)
}

/// Whether standard output and standard error can be written to. A thread that writes to a
/// pipe which is full sleeps until a process outside of the test has read from it.
fn output_has_room() -> bool {
    let (output, errors) = (io::stdout(), io::stderr());
    let mut streams =
        [output.as_fd(), errors.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLOUT));
    poll(&mut streams, PollTimeout::ZERO).is_err() || streams.iter().all(|s| s.any() == Some(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_and_the_switches_of_a_thread_are_read() {
        let text = "Name:\ta server\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t7\n\
                    voluntary_ctxt_switches:\t40\nnonvoluntary_ctxt_switches:\t2\n";
        let expected = Status { name: "a server".to_owned(), sleeps: true, switches: 42 };
        assert_eq!(Status::parse(text), expected);
        for (state, sleeps) in
            [("R (running)", false), ("D (disk sleep)", false), ("Z (zombie)", true)]
        {
            assert_eq!(Status::parse(&format!("State:\t{state}\n")).sleeps, sleeps, "{state}");
        }
    }

    #[test]
    fn a_thread_that_waits_is_told_from_one_that_may_not_be_seen() {
        let stat = |state, wait| {
            format!(
                "7 (a ) 0 b) {state} 1 1 0 0 -1 4194368 30 50 0 0 0 0 0 0 30 10 4 0 4538026 \
                     223948800 3162 18446744073709551615 1 2 3 0 0 0 0 4096 1088 {wait} 0 0 17 0\n"
            )
        };
        assert!(has_known_wait(&stat("S", 1)));
        assert!(!has_known_wait(&stat("S", 0)));
        assert!(!has_known_wait(&stat("Z", 1)));
    }

    #[test]
    fn a_thread_in_a_queue_is_told_from_one_that_sleeps() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let sleeper = std::thread::spawn(move || {
            sender.send(gettid()).unwrap();
            ended.recv()
        });
        let path = Path::new("/proc/self/task").join(receiver.recv().unwrap().to_string());
        while is_queued(&path) || !Status::read(&path).unwrap().sleeps {}
        drop(end);
        assert!(sleeper.join().unwrap().is_err());
    }

    #[test]
    fn the_time_of_this_process_is_read() {
        let before = used_time(Path::new("/proc/self")).unwrap();
        while used_time(Path::new("/proc/self")).unwrap() == before {}
    }
}
