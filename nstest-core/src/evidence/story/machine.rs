//! Notes about a machine that was too slow for the test.

use std::time::Duration;

use super::Story;
use super::names::seconds;
use crate::evidence::timeline::{Entry, TimelineEvent};

/// A shorter wait is not worth a note.
const WORTH: Duration = Duration::from_millis(100);

/// How long a packet may be on its way beside its delay, with these notes about the machine.
pub(super) fn way(notes: &[String]) -> Duration {
    Duration::from_millis(if notes.is_empty() { 2 } else { 100 })
}

/// How long a thread waited for a processor, and by how much a packet was sent late.
pub(super) fn notes(story: &Story, entries: &[Entry]) -> Vec<String> {
    let mut notes = Vec::new();
    let mut latest: Option<(Duration, String)> = None;
    for Entry { time, event } in entries {
        match event {
            TimelineEvent::WaitedForProcessor { waited, of } => {
                let (waited, of) = (Duration::from_nanos(*waited), Duration::from_nanos(*of));
                if waited > WORTH && waited > of / 10 {
                    let (waited, of) = (seconds(waited), seconds(of));
                    notes.push(format!(
                        "a thread waited {waited} of {of} for a processor (busy machine)"
                    ));
                }
            }
            TimelineEvent::WireLate { link_end, late, .. } if *time <= story.failed_at => {
                let late = Duration::from_nanos(*late);
                if latest.as_ref().is_none_or(|(most, _)| *most < late) {
                    let (node, at) = (story.end_name(*link_end), story.clock(*time));
                    let by = seconds(late);
                    latest =
                        Some((late, format!("a packet at {node} was sent {by} late, at {at}")));
                }
            }
            _ => {}
        }
    }
    notes.extend(latest.map(|(_, text)| text));
    notes
}
