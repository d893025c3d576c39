//! Hints: known patterns of failures, each as a sentence that says what was observed, with
//! names and numbers.
//!
//! A pattern is a function of the [`Story`]. It says only what the events show; where they
//! are ambiguous, it gives no hint. [`hints`] tries the patterns in order, the most specific
//! first. If it is known what the threads wait for, only that counts ([`waited`]); the rest is
//! a note.
//!
//! A pattern that names a cause needs a verdict that is about the network ([`errors`]): what a
//! fault did on purpose does not explain a wrong value. What holds whatever the verdict says is
//! that a fault is in force and has taken packets, or that a link is down and nothing was sent
//! since: observations ([`in_force`], [`delayed`], [`silence::link_down`]).
//!
//! [`errors`]: crate::evidence::story::errors

mod addresses;
mod blame;
mod busy;
mod current;
mod delayed;
mod faults;
mod in_force;
mod no_route;
mod panics;
mod refused;
mod replies;
mod resolver;
mod routing;
mod silence;
mod sizes;
mod streams;
#[cfg(test)]
mod tests;
mod waited;
mod waiting;

use super::story::errors::error_numbers;
use super::story::{KnownFault, Story};

/// How many hints are given.
const MOST: usize = 2;

/// A sentence about a probable cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hint {
    pub(crate) text: String,
    /// The number of the fault that it names. No other hint names the same.
    fault: Option<u32>,
}

impl Hint {
    fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), fault: None }
    }

    fn about(fault: &KnownFault, text: String) -> Self {
        Self { text, fault: Some(fault.number) }
    }
}

type Pattern = fn(&Story) -> Option<Hint>;

/// Patterns that name a cause.
const CAUSES: &[Pattern] = &[
    addresses::used_twice,
    sizes::mtu_black_hole,
    faults::never_healed,
    faults::reset,
    faults::dropped,
    faults::changed,
    refused::over_tcp,
    refused::over_udp,
    replies::refused,
    resolver::missing,
    resolver::refused,
    addresses::wrong_mac,
    addresses::unanswered,
    routing::asymmetric,
    routing::loops,
    routing::black_hole,
    routing::unreachable,
    routing::not_forwarded,
    no_route::no_route,
    streams::deadlock,
    streams::not_accepted,
    streams::reset_by_peer,
    streams::closed_by_peer,
    silence::overflow,
    silence::truncated,
];

/// Patterns that say where it stopped. They are tried if no cause was found.
const SYMPTOMS: &[Pattern] = &[
    silence::link_down,
    silence::lost,
    replies::elsewhere,
    refused::without_packets,
    refused::not_available,
    delayed::still_delayed,
    streams::not_read,
    silence::syn_unanswered,
    silence::datagrams_unanswered,
    busy::up_to_the_end,
    waiting::stream,
    waiting::own_thread,
    in_force::took_packets,
    in_force::affected_none,
];

/// What is known, and need not have to do with the failure.
pub(crate) fn notes(story: &Story) -> Vec<String> {
    if story.passed {
        return Vec::new();
    }
    let waited_for = story.waited_for(false);
    // What would be a cause, if the test waited for it.
    let aside = waited_for.iter().flat_map(|own| {
        CAUSES
            .iter()
            .filter(move |pattern| pattern(own).is_none())
            .filter_map(|pattern| pattern(story))
            .map(|hint| format!("no thread waits for this: {}", hint.text))
    });
    panics::notes(story).chain(aside.take(1)).collect()
}

/// The hints for a failed test.
pub(crate) fn hints(story: &Story) -> Vec<Hint> {
    if story.passed {
        return Vec::new();
    }
    let panic = panics::in_another_thread(story);
    // A thread that an error of the system has ended is no cause of what a fault did.
    let follows = panic.as_ref().is_some_and(|panic| error_numbers(&panic.text).next().is_some());
    if let Some(stopped) = waiting::stopped(story) {
        return vec![stopped];
    }
    if let Some(own) = story.waits_for_itself() {
        return panic.or_else(|| Some(waiting::for_itself(own))).into_iter().collect();
    }
    let (waited_for, same_server) = (story.waited_for(false), story.waited_for(true));
    // Whether it is slow is seen in the earlier connections, too.
    let with_earlier = same_server.as_ref().unwrap_or(story);
    let story = waited_for.as_ref().unwrap_or(story);
    let slowed = busy::slowed_by_loss(with_earlier);
    let mut causes: Vec<Hint> = panic.into_iter().chain(slowed).collect();
    for cause in CAUSES.iter().filter_map(|pattern| pattern(story)) {
        let is_new = causes.iter().all(|c| c.fault.is_none() || c.fault != cause.fault);
        if is_new && causes.len() < MOST {
            causes.push(cause);
        }
    }
    if follows {
        causes.sort_by_key(|cause| cause.fault.is_none());
    }
    if !causes.is_empty() {
        return causes;
    }
    let symptom = SYMPTOMS.iter().find_map(|pattern| pattern(story));
    symptom.or_else(|| busy::up_to_the_end(with_earlier)).into_iter().collect()
}
