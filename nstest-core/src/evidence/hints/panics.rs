//! Panics of threads other than that of the test function.

use super::Hint;
use crate::evidence::story::Story;
use crate::evidence::story::panics::panics;

/// A thread panicked, and the verdict is about something else: the test waited for that
/// thread, or for what it serves.
pub(super) fn in_another_thread(story: &Story) -> Option<Hint> {
    let own = |thread: &str| {
        thread == "main" || thread == story.test || story.test.ends_with(&format!("::{thread}"))
    };
    let panics = panics(&story.output);
    let other = panics.iter().find(|panic| {
        let in_verdict =
            !panic.message.is_empty() && story.verdict.contains(panic.message.as_str());
        !in_verdict && !own(&panic.thread) && panic.time <= story.failed_at
    })?;
    let (thread, place, message) = (&other.thread, &other.place, &other.message);
    let at = story.clock(other.time);
    let thread = match thread.as_str() {
        "<unnamed>" => "a thread without a name".to_owned(),
        name => format!("thread '{name}'"),
    };
    Some(Hint::new(format!(
        "{thread} panicked at {at}, before the test failed: {message}{} ({place})",
        other.values
    )))
}
