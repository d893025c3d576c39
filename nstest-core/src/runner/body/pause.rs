//! The body waits at its end, so that its network can be looked at.
//!
//! A panic of the thread that runs the test function waits in the panic hook, before unwinding
//! closes the sockets that explain it. It cannot be known there whether the test will catch
//! the panic. So only the first one waits there; a later one waits at the end of the test.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::process;
use std::sync::{Mutex, OnceLock};
use std::thread::{self, ThreadId};

use crate::ipc::Failure;
use crate::panics;
use crate::runner::verdict::Verdict;
use crate::sync::lock;

/// The connection to the parent, which decides when the test goes on.
struct Pause {
    /// Asks the parent for a pause, with its reason.
    ask: Box<dyn Fn(String) + Send + Sync>,
    /// The parent writes a byte when the test is to go on.
    resume: File,
    /// Whether a test that passes pauses.
    always: bool,
    should_panic: Option<&'static str>,
    process: u32,
    thread: ThreadId,
    /// The panic that has paused.
    panicked: Mutex<Option<String>>,
}

static PAUSE: OnceLock<Pause> = OnceLock::new();

/// Has the test of this thread pause.
pub(super) fn arm(
    resume: OwnedFd,
    always: bool,
    should_panic: Option<&'static str>,
    ask: impl Fn(String) + Send + Sync + 'static,
) {
    let pause = Pause {
        ask: Box::new(ask),
        resume: File::from(resume),
        always,
        should_panic,
        process: process::id(),
        thread: thread::current().id(),
        panicked: Mutex::default(),
    };
    if PAUSE.set(pause).is_ok() {
        let print = take_hook();
        set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
            print(info);
            if let Some(pause) = PAUSE.get() {
                pause.at_panic(info);
            }
        }));
    }
}

/// To be called when the test function has ended, while its network still exists.
pub(super) fn at_end(result: &Result<(), Failure>) {
    if let Some(pause) = PAUSE.get() {
        pause.at_end(result);
    }
}

impl Pause {
    /// A fork of the test's process does not pause.
    fn is_of_this_thread(&self) -> bool {
        self.process == process::id() && self.thread == thread::current().id()
    }

    fn at_panic(&self, info: &PanicHookInfo<'_>) {
        let text = panics::message(info.payload()).unwrap_or_default();
        let is_expected = self.should_panic.is_some_and(|expected| text.contains(expected));
        if !self.is_of_this_thread() || is_expected {
            return;
        }
        let mut panicked = lock(&self.panicked);
        if panicked.is_none() {
            *panicked = Some(text.to_owned());
            let place = info.location().map(|place| format!(" at {place}")).unwrap_or_default();
            self.pause(format!("panicked{place}:\n{text}"));
        }
    }

    fn at_end(&self, result: &Result<(), Failure>) {
        if !self.is_of_this_thread() {
            return;
        }
        let verdict = result.clone().map_or_else(Verdict::Failed, |()| Verdict::Passed);
        let failed = verdict.is_failure(self.should_panic);
        let text = match result {
            Err(Failure::Panic(text)) => Some(text.as_str()),
            Err(Failure::PanicAny) => Some(""),
            _ => None,
        };
        let has_paused = text.is_some() && lock(&self.panicked).as_deref() == text;
        if failed && !has_paused || !failed && self.always {
            self.pause(match (result, failed) {
                (_, false) => "has passed".to_owned(),
                (Ok(()), true) => "has failed: it did not panic".to_owned(),
                (Err(_), true) => format!("has failed: {}", verdict.describe()),
            });
        }
    }

    fn pause(&self, why: String) {
        let _ = std::io::stdout().flush();
        (self.ask)(why);
        // It fails if the test has closed the descriptor. The test goes on then.
        let _ = (&self.resume).read_exact(&mut [0]);
    }
}
