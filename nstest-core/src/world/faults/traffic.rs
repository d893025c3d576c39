//! Waits until a test's last packets have been processed.
//!
//! When a test's function returns, its sockets are closed, and the kernel still sends: a
//! FIN and its answer, the last datagrams. Whether a fault affected a packet is decided
//! only after them.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::frame::Direction;
use crate::frame::flow::Flow;
use crate::frame::view::{PacketView, flag};
use crate::sync::{ignore_poison, lock};
use crate::topology::spec::LinkEndId;

/// Traffic has ended when no packet has come for this long, and no connection is half
/// closed. A process that a packet wakes answers sooner, even on a loaded machine.
const QUIET: Duration = Duration::from_millis(100);

/// The same while a connection is half closed: the time for the other end to close it.
const CLOSING: Duration = Duration::from_millis(200);

/// After this long, waiting stops, even if there is still traffic.
const MOST: Duration = Duration::from_secs(2);

/// When the last packet came to any link end, and which connections are half closed.
#[derive(Debug, Default)]
pub(in crate::world) struct Traffic {
    last: Mutex<Last>,
    noted: Condvar,
}

#[derive(Debug, Default)]
struct Last {
    /// When the last packet left, or will leave.
    packet: Option<Instant>,
    /// The connections that one end has closed, with the direction of its FIN.
    half_closed: HashMap<(LinkEndId, Flow), Direction>,
}

impl Traffic {
    /// Notes a packet at a link end. `sent` is when the last of the frames leaves that it
    /// resulted in.
    pub(super) fn note(
        &self,
        end: LinkEndId,
        direction: Direction,
        view: &PacketView<'_>,
        sent: Instant,
    ) {
        let mut last = lock(&self.last);
        last.packet = last.packet.max(Some(sent));
        if let (Some(flow), Some(tcp)) = (view.flow(), view.tcp()) {
            let key = (end, flow);
            if tcp.has(flag::RST) || tcp.has(flag::SYN) {
                last.half_closed.remove(&key);
            } else if tcp.has(flag::FIN) {
                match last.half_closed.get(&key) {
                    None => drop(last.half_closed.insert(key, direction)),
                    Some(first) if *first != direction => drop(last.half_closed.remove(&key)),
                    Some(_) => {} // a retransmission
                }
            }
        }
        self.noted.notify_all();
    }

    /// Waits until traffic has ended, or until `is_enough`, which is called after each
    /// packet. `flush` returns when every packet that has come has been noted. Without
    /// it, a wire that waits for a processor looks like the end of traffic.
    pub(in crate::world) fn settle(&self, flush: impl Fn(), is_enough: impl Fn() -> bool) {
        let start = Instant::now();
        let mut last = lock(&self.last);
        while !is_enough() {
            let quiet = if last.half_closed.is_empty() { QUIET } else { CLOSING };
            let since = last.packet.map_or(start, |packet| packet.max(start));
            let until = (since + quiet).min(start + MOST);
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let packet = last.packet;
                drop(last); // `note` needs the lock
                flush();
                last = lock(&self.last);
                if last.packet == packet || start.elapsed() > MOST {
                    return;
                }
                continue;
            }
            let waited = self.noted.wait_timeout(last, left);
            last = ignore_poison(waited).0;
        }
    }
}
