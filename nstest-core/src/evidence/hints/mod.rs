//! Hints: known patterns of failures, each as a sentence that says what was observed, with
//! names and numbers.
//!
//! A pattern is a function of the [`Story`]. It says only what the events show; where they
//! are ambiguous, it gives no hint. [`hints`] tries the patterns in order, the most specific
//! first.

mod addresses;
mod blame;
mod busy;
mod current;
mod faults;
mod no_route;
mod panics;
mod refused;
mod resolver;
mod routing;
mod silence;
mod sizes;
mod streams;
#[cfg(test)]
mod tests;
mod waiting;

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
    panics::in_another_thread,
    addresses::used_twice,
    sizes::mtu_black_hole,
    faults::never_healed,
    faults::reset,
    busy::slowed_by_loss,
    faults::dropped,
    faults::changed,
    refused::over_tcp,
    refused::over_udp,
    resolver::missing,
    resolver::refused,
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
    refused::without_packets,
    refused::not_available,
    streams::still_delayed,
    streams::not_read,
    silence::syn_unanswered,
    silence::datagrams_unanswered,
    busy::up_to_the_end,
    waiting::stream,
    waiting::own_thread,
];

/// The hints for a failed test.
pub(crate) fn hints(story: &Story) -> Vec<Hint> {
    if story.passed {
        return Vec::new();
    }
    if let Some(own) = story.waits_for_itself() {
        let hint = panics::in_another_thread(story);
        return hint.or_else(|| Some(waiting::for_itself(own))).into_iter().collect();
    }
    let mut causes: Vec<Hint> = Vec::new();
    for cause in CAUSES.iter().filter_map(|pattern| pattern(story)) {
        let is_new = causes.iter().all(|c| c.fault.is_none() || c.fault != cause.fault);
        if is_new && causes.len() < MOST {
            causes.push(cause);
        }
    }
    if !causes.is_empty() {
        return causes;
    }
    SYMPTOMS.iter().find_map(|pattern| pattern(story)).into_iter().collect()
}
