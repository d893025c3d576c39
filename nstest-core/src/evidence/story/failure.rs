//! When a test failed, as far as its record tells.

use std::time::Duration;

use super::trace::PacketTrace;
use super::{LOOKED_AT, Story};
use crate::evidence::packets::TracedPacket;
use crate::evidence::timeline::{Entry, TimelineEvent, start_of};
use crate::frame::view::flag;

/// The verdict about a test that has returned an error, before its text.
const RETURNED: &str = "the test returned an error";

impl Story {
    /// A test that returns an error prints it, as `main` does. Its body reports the text, too,
    /// unless the type of the error is hidden.
    pub(super) fn add_reported_error(&mut self) {
        let Some(error) = self.verdict.strip_prefix(RETURNED) else { return };
        let printed = self.output.iter().rposition(|(_, line)| line.starts_with("Error: "));
        self.reported_at = printed.map(|at| self.output[at].0);
        if let Some(error) = error.strip_prefix(": ") {
            self.verdict = format!("Error: {error}");
        } else if let Some(at) = printed {
            let lines: Vec<&str> =
                self.output[at..].iter().map(|(_, line)| line.as_str()).collect();
            self.verdict = start_of(&lines.join("\n"), LOOKED_AT).to_owned();
        }
    }

    /// Whether the test function has returned an error, and so has dropped its values.
    pub(crate) fn has_returned(&self) -> bool {
        self.reported_at.is_some() || self.verdict == RETURNED
    }

    /// The time of the test's own panic or error, or when its sockets were looked at, or its
    /// timeout, or its end.
    pub(super) fn time_of_failure(&self, entries: &[Entry], packets: &[TracedPacket]) -> Duration {
        // Only the thread that panicked first has its sockets looked at.
        let by_another = self
            .panics
            .first()
            .is_some_and(|first| !self.is_own_thread(&first.thread) && !self.is_in_verdict(first));
        let looked = entries.iter().find(|entry| {
            let looks =
                matches!(entry.event, TimelineEvent::Socket { .. } | TimelineEvent::Thread { .. });
            looks && !by_another
        });
        let ended = entries.iter().find(|entry| matches!(entry.event, TimelineEvent::Ended { .. }));
        let last = entries.last().map(|entry| entry.time);
        let last = last.max(packets.last().map(|packet| packet.time)).unwrap_or_default();
        let end = looked.or(ended).map_or(last, |entry| entry.time);
        let known = [self.own_panic().map(|panic| panic.time), self.reported_at, self.timeout()];
        known.into_iter().flatten().fold(end, Duration::min)
    }

    /// Leaves out the packets by which the kernel closes the connections of a process that exits
    /// or is killed, which happens before anyone notices that.
    pub(super) fn leave_out_closing(&mut self) {
        const TOGETHER: Duration = Duration::from_millis(100);
        let Some(last) = self.packets.last().map(PacketTrace::time) else { return };
        if !self.verdict.contains("the test's process ") || last + TOGETHER < self.failed_at {
            return;
        }
        let may_close = |trace: &PacketTrace| {
            let tcp = trace.headers.tcp().is_some_and(|tcp| tcp.len == 0 && !tcp.has(flag::SYN));
            (tcp || trace.headers.is_control()) && trace.time() + TOGETHER >= last
        };
        let other = self.packets.iter().rposition(|trace| !may_close(trace));
        let from = other.map_or(0, |at| at + 1);
        let closes =
            |trace: &PacketTrace| trace.headers.is_reset() || trace.headers.is_tcp(flag::FIN);
        if let Some(at) = self.packets[from..].iter().position(closes) {
            self.packets.truncate(from + at);
        }
    }

    /// When the test was killed, if it was killed at its timeout.
    fn timeout(&self) -> Option<Duration> {
        let (_, text) = self.verdict.split_once("did not end within ")?;
        let text = &text[..text.find([';', ' ', ',']).unwrap_or(text.len())];
        let (number, unit) = text.split_at(text.find(|c: char| c.is_alphabetic())?);
        let seconds: f64 = number.parse().ok()?;
        let seconds = match unit {
            "s" => seconds,
            "ms" => seconds / 1e3,
            _ => return None,
        };
        Some(self.start + Duration::try_from_secs_f64(seconds).ok()?)
    }
}
