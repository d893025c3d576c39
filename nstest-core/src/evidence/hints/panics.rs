//! Panics of threads other than that of the test function.

use super::Hint;
use crate::evidence::story::Story;
use crate::evidence::story::names::PacketFlow;
use crate::evidence::story::panics::ThreadPanic;
use crate::evidence::story::trace::PacketTrace;

/// A thread panicked, and the verdict is about something else: the test waited for that
/// thread, or for what it serves.
pub(super) fn in_another_thread(story: &Story) -> Option<Hint> {
    let other = others(story).find(|panic| !went_on(story, panic))?;
    Some(Hint::new(other.describe(story, ", before the test failed")))
}

/// Panics that do not say why the test failed: it went on after them, or another process has
/// printed them.
pub(super) fn notes(story: &Story) -> impl Iterator<Item = String> {
    let caught = others(story).filter(|panic| went_on(story, panic)).take(1);
    let printed = story.printed_panics().into_iter().filter(|panic| !story.is_in_verdict(panic));
    caught
        .map(|panic| panic.describe(story, ", and the test went on"))
        .chain(printed.take(1).map(|panic| format!("output: {}", panic.describe(story, ""))))
}

fn others(story: &Story) -> impl Iterator<Item = &ThreadPanic> {
    story.panics.iter().filter(|panic| {
        !story.is_in_verdict(panic)
            && !story.is_own_thread(&panic.thread)
            && panic.time <= story.failed_at
    })
}

/// Whether the test did something else after a panic, as if it had expected it: it sent
/// something to another port than before.
fn went_on(story: &Story, panic: &ThreadPanic) -> bool {
    let opens = |trace: &&PacketTrace| {
        let headers = &trace.headers;
        (headers.is_syn() || headers.udp().is_some()) && !headers.is_control()
    };
    let to = |trace: &PacketTrace| {
        Some((trace.headers.destination, trace.headers.ports().map(|(_, port)| port)?))
    };
    let (before, after): (Vec<&PacketTrace>, Vec<&PacketTrace>) =
        story.packets.iter().partition(|trace| trace.time() <= panic.time);
    let is_known = |trace: &PacketTrace| before.iter().any(|earlier| to(earlier) == to(trace));
    after.into_iter().filter(opens).any(|trace| !is_known(trace) && !is_reply(story, trace))
}

/// Whether packets went the other way before.
fn is_reply(story: &Story, trace: &PacketTrace) -> bool {
    let reverse = trace.flow().map(PacketFlow::reverse);
    story.packets.iter().any(|other| other.time() < trace.time() && other.flow() == reverse)
}
