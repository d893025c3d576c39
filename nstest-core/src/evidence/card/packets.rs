//! The packets of a card, a line each.

use std::collections::BTreeMap;
use std::time::Duration;

use super::layout::{WIDTH, cut_middle, fitted};
use crate::evidence::story::Story;
use crate::evidence::story::names::{seconds, times};
use crate::evidence::story::trace::{Hop, PacketTrace};

/// The packets up to the failure; those around the last one that a fault affected, if others
/// came after it. And how many came before them.
pub(super) fn packets(story: &Story) -> (Vec<String>, usize) {
    const SHOWN: usize = 9;
    let shown: Vec<&PacketTrace> =
        story.packets.iter().filter(|trace| is_shown(story, trace)).collect();
    let is_affected = |trace: &&PacketTrace| {
        trace.is_lost() || trace.hops.iter().any(|hop| hop.fates.iter().any(|f| f.fault.is_some()))
    };
    let affected = shown.iter().rposition(is_affected);
    let end = match affected {
        Some(at) => (at + 1 + SHOWN / 2).min(shown.len()),
        None => shown.len(),
    };
    let start = end.saturating_sub(SHOWN);
    let mut lines = merged(story, &shown[start..end]);
    if end < shown.len() {
        let later = shown.len() - end;
        let last = story.clock(shown[shown.len() - 1].time());
        lines.push(format!("{later} more packets until {last}"));
    }
    (lines, start)
}

/// Neighbour discovery that was answered says nothing.
fn is_shown(story: &Story, trace: &PacketTrace) -> bool {
    if !trace.headers.is_control() {
        return true;
    }
    if story.false_sender(trace).is_some() {
        return true;
    }
    let Some(arp) = trace.headers.arp else {
        // Group membership and router discovery have nothing to do with failures.
        let is_discovery = trace.headers.neighbour.is_some();
        return is_discovery && trace.hops.iter().any(|hop| !hop.fates.is_empty());
    };
    let answered = |target| {
        story
            .packets
            .iter()
            .any(|other| other.headers.arp.is_some_and(|arp| !arp.request && arp.sender == target))
    };
    let fated = trace.hops.iter().any(|hop| !hop.fates.is_empty());
    fated || (arp.request && arp.sender != arp.target && !answered(arp.target))
}

/// A line for each packet, and one for several that are alike.
fn merged(story: &Story, traces: &[&PacketTrace]) -> Vec<String> {
    let mut lines: Vec<(String, String, usize, String)> = Vec::new();
    for trace in traces {
        let (time, text) = (story.clock(trace.time()), packet(story, trace));
        match lines.last_mut() {
            Some((_, last, count, until)) if *last == text => (*count, *until) = (*count + 1, time),
            _ => lines.push((time.clone(), text, 1, time)),
        }
    }
    lines
        .into_iter()
        .map(|(time, text, count, until)| {
            let times = times(count);
            let line = match count {
                1 => format!("{time}  {text}"),
                _ if time == until => format!("{time}  {text} ({times})"),
                _ => format!("{time}  {text} ({times} until {until})"),
            };
            let line = fitted(line, &[(&format!(" until {until}"), ""), ("UDP datagram", "UDP")]);
            cut_middle(&line, WIDTH)
        })
        .collect()
}

/// `client > server:7000  SYN  dropped by fault 1`.
fn packet(story: &Story, trace: &PacketTrace) -> String {
    let headers = &trace.headers;
    let source = match (story.false_sender(trace), headers.arp, headers.source) {
        (Some((node, address)), ..) => format!("{} (as {address})", story.node_name(node)),
        (None, Some(arp), _) => story.host(arp.sender),
        // Several connections to the same server differ by it.
        (None, None, Some(source)) if headers.is_syn() => {
            story.endpoint(source, headers.ports().map_or(0, |(port, _)| port))
        }
        // A connected socket does not get it, since it is another one.
        (None, None, Some(source)) if story.asked_elsewhere(headers, trace.time()).is_some() => {
            story.endpoint(source, headers.ports().map_or(0, |(port, _)| port))
        }
        (None, None, _) => story.source(headers),
    };
    let destination = match headers.arp {
        Some(_) => "all".to_owned(),
        None => story.destination(headers),
    };
    let routers: Vec<String> = trace.hops[1..]
        .iter()
        .filter_map(|hop| hop.from)
        .map(|end| story.end_name(end))
        .take(3)
        .collect();
    let via = match routers.is_empty() {
        true => String::new(),
        false => format!("{} > ", routers.join(" > ")),
    };
    format!("{source} > {via}{destination}  {}{}", headers.what(), fate(story, trace))
}

/// What became of a packet, if it did not just arrive: `  DROPPED, ANSWERED by fault 2`.
fn fate(story: &Story, trace: &PacketTrace) -> String {
    let mut by_fault: BTreeMap<Option<u32>, Vec<String>> = BTreeMap::new();
    for fate in trace.hops.iter().flat_map(|hop| &hop.fates) {
        let delay = fate.delay.map(|delay| format!(" {:?}", rounded(delay))).unwrap_or_default();
        let effects = by_fault.entry(fate.fault).or_default();
        let effect = format!("{}{delay}", fate.effect.to_uppercase());
        match effect.as_str() {
            _ if effects.contains(&effect) => {}
            "DROPPED" => effects.insert(0, effect),
            _ => effects.push(effect),
        }
    }
    let several = story.faults.len() > 1;
    let words = by_fault.into_iter().map(|(fault, effects)| match (fault, effects.join(", ")) {
        (Some(fault), made) if made == "MADE" => format!("made by fault {fault}"),
        (Some(fault), effects) if several => format!("{effects} by fault {fault}"),
        (_, effects) => effects,
    });
    let mut words: Vec<String> = words.collect();
    if words.is_empty() && trace.last().is_lost() {
        words.push("LOST".to_owned());
    }
    let stopped = trace.receiver().filter(|_| trace.last().is_stopped(story, trace));
    words.extend(stopped.map(|end| format!("STOPPED at {}", story.end_name(end))));
    if words.is_empty() { String::new() } else { format!("  {}", words.join("; ")) }
}

impl Hop {
    /// Whether it ended at a node that does not have the packet's destination.
    fn is_stopped(&self, story: &Story, trace: &PacketTrace) -> bool {
        let (Some(end), Some(destination)) = (self.to.first(), trace.headers.destination) else {
            return false;
        };
        let node = story.node_of(*end);
        let known = node.and_then(|node| story.nodes.get(&node));
        let owner = story.owner(destination);
        owner.is_some()
            && owner != node
            && trace.hops.len() == 1
            && known.is_some_and(|known| !known.has(destination))
    }
}

fn rounded(nanoseconds: u64) -> Duration {
    Duration::from_micros(nanoseconds / 1_000)
}

/// How long nothing was sent until the failure, apart from control traffic.
pub(super) fn silence(story: &Story) -> Option<String> {
    const WORTH: Duration = Duration::from_millis(500);
    let is_control = |trace: &&PacketTrace| trace.headers.is_control();
    let last = story.packets.iter().rfind(|trace| !is_control(trace)).map(PacketTrace::time);
    let since = last.unwrap_or(story.start);
    let silent = story.failed_at.saturating_sub(since);
    let (now, silent_for) = (story.clock(story.failed_at), seconds(silent));
    let control = story.packets.iter().any(|trace| is_control(&trace) && trace.time() > since);
    let but = if control { " but control traffic" } else { "" };
    let when = if last.is_some() { format!(" in the last {silent_for}") } else { String::new() };
    let is_known = last.is_some() || story.is_timeout() && !story.packets.is_empty();
    let is_worth = silent >= WORTH && is_known;
    is_worth.then(|| format!("{now}  nothing{but} was sent{when}"))
}
