//! The panics that a test has printed.

use std::time::Duration;

/// The bytes of a message that are kept. A verdict, of which more are kept, contains them.
const MESSAGE: usize = 1 << 10;

/// A panic that was printed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PrintedPanic {
    pub(crate) time: Duration,
    pub(crate) thread: String,
    pub(crate) place: String,
    pub(crate) message: String,
    /// What a failed `assert_eq!` has compared: ` left: 1 right: 2`.
    pub(crate) values: String,
}

/// The panics in lines of output, as the standard library prints them.
pub(crate) fn panics(output: &[(Duration, String)]) -> Vec<PrintedPanic> {
    let mut found = Vec::new();
    for (at, (time, line)) in output.iter().enumerate() {
        let Some((thread, place)) = header(line) else { continue };
        let message = output[at + 1..].iter().map(|(_, line)| line.trim());
        let message = message.take_while(|line| !line.is_empty() && !line.starts_with("note:"));
        found.push(PrintedPanic {
            time: *time,
            thread: thread.to_owned(),
            place: place.to_owned(),
            values: message
                .clone()
                .filter(|line| line.starts_with("left:") || line.starts_with("right:"))
                .take(2)
                .map(|line| format!(" {}", super::start_of(line, MESSAGE)))
                .collect(),
            message: message.take(1).map(|line| super::start_of(line, MESSAGE)).collect(),
        });
    }
    found
}

/// `thread 'server' (7) panicked at src/server.rs:3:5:`. Other text may be before it.
fn header(line: &str) -> Option<(&str, &str)> {
    let (before, place) = line.split_once(" panicked at ")?;
    let (_, thread) = before.split_once("thread '")?;
    let (thread, _) = thread.split_once('\'')?;
    Some((thread, place.trim_end_matches(':')))
}
