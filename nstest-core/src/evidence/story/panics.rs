//! The panics of a test.
//!
//! Those of its own process are events. A process that it started prints its panics, and any
//! program can print such lines.

use std::time::Duration;

use super::{LOOKED_AT, Story};
use crate::evidence::timeline::start_of;

/// The bytes of a line of a message that are kept. A verdict, of which more are kept, contains
/// them.
const MESSAGE: usize = 1 << 10;

/// A panic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ThreadPanic {
    pub(crate) time: Duration,
    pub(crate) thread: String,
    pub(crate) place: String,
    /// The first line of its message.
    pub(crate) message: String,
    /// What a failed `assert_eq!` has compared: `left: 1`, `right: 2`.
    values: Vec<String>,
}

impl ThreadPanic {
    pub(super) fn of(time: Duration, thread: &str, place: &str, message: &str) -> Self {
        let lines = || message.lines().map(str::trim);
        let values = lines().filter(|line| line.starts_with("left:") || line.starts_with("right:"));
        Self {
            time,
            thread: thread.to_owned(),
            place: place.to_owned(),
            message: start_of(lines().next().unwrap_or_default(), MESSAGE).to_owned(),
            values: values.take(2).map(|line| start_of(line, MESSAGE).to_owned()).collect(),
        }
    }

    /// `thread 'server' panicked at 0.006 s` and why.
    pub(crate) fn describe(&self, story: &Story, when: &str) -> String {
        let Self { thread, place, message, values, .. } = self;
        let thread = match thread.as_str() {
            "<unnamed>" => "a thread without a name".to_owned(),
            name => format!("thread '{name}'"),
        };
        let what = [std::slice::from_ref(message), values].concat().join(" ");
        format!("{thread} panicked at {}{when}: {what} ({place})", story.clock(self.time))
    }
}

impl Story {
    /// The panic that the verdict is about.
    pub(crate) fn own_panic(&self) -> Option<ThreadPanic> {
        let is_it = |panic: &&ThreadPanic| self.is_in_verdict(panic);
        // It is not recorded if the test has its own panic hook.
        let printed = || self.printed_panics().into_iter().rfind(|panic| is_it(&panic));
        self.panics.iter().rfind(is_it).cloned().or_else(printed)
    }

    /// Whether the verdict is about a panic. Of two with the same message, it is about that of the
    /// thread in which the test function runs.
    pub(crate) fn is_in_verdict(&self, panic: &ThreadPanic) -> bool {
        let is_own = |panic: &ThreadPanic| self.is_own_thread(&panic.thread);
        let is_other = |other: &ThreadPanic| is_own(other) && self.has_text_of(other);
        self.has_text_of(panic) && (is_own(panic) || !self.panics.iter().any(is_other))
    }

    fn has_text_of(&self, panic: &ThreadPanic) -> bool {
        // The end of a long verdict is cut off.
        let is_cut = self.verdict.len() + "\u{10ffff}".len() > LOOKED_AT;
        let has = |text: &String| self.verdict.contains(text.as_str());
        !panic.message.is_empty() && has(&panic.message) && (is_cut || panic.values.iter().all(has))
    }

    /// Whether the test function runs in a thread of this name.
    pub(crate) fn is_own_thread(&self, thread: &str) -> bool {
        thread == "main" || thread == self.test || self.test.ends_with(&format!("::{thread}"))
    }

    /// The panics in its output, as the standard library prints them, which are not events.
    pub(crate) fn printed_panics(&self) -> Vec<ThreadPanic> {
        let mut found = Vec::new();
        for (at, (time, line)) in self.output.iter().enumerate() {
            let Some((thread, place)) = header(line) else { continue };
            let message = self.output[at + 1..].iter().map(|(_, line)| line.trim());
            let message = message.take_while(|line| !line.is_empty() && !line.starts_with("note:"));
            let message: Vec<&str> = message.take(8).collect();
            let panic = ThreadPanic::of(*time, thread, place, &message.join("\n"));
            if !self.panics.iter().any(|own| own.place == panic.place) {
                found.push(panic);
            }
        }
        found
    }
}

/// `thread 'server' (7) panicked at src/server.rs:3:5:`. Other text may be before it.
fn header(line: &str) -> Option<(&str, &str)> {
    let (before, place) = line.split_once(" panicked at ")?;
    let (_, thread) = before.split_once("thread '")?;
    let (thread, _) = thread.split_once('\'')?;
    Some((thread, place.trim_end_matches(':')))
}
