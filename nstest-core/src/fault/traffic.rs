//! Whether the traffic of a test has come to rest.
//!
//! A test's function ends when its sockets are closed, and what that sends is on its
//! way: FIN, an answer to it, the last datagrams. What is to be said of all packets
//! is said when these have come.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::frame::Direction;
use crate::frame::flow::Flow;
use crate::frame::view::{PacketView, flag};
use crate::topology::spec::LinkEndId;

/// So long nothing has come when traffic is at rest, with no connection half closed:
/// a process that has been woken by a packet has answered before, also on a machine
/// under load.
const QUIET: Duration = Duration::from_millis(100);

/// So long an end may take to close its half after the other did.
const CLOSING: Duration = Duration::from_millis(200);

/// After so long, traffic is one that does not come to rest.
const MOST: Duration = Duration::from_secs(2);

/// Told of each packet, at any number of ports.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    /// The connections that one end has closed, by port and flow: which way it sends.
    half_closed: HashMap<(LinkEndId, Flow), Direction>,
}

impl Traffic {
    /// A packet has come to a port, and what becomes of it has left by `gone`.
    pub(super) fn note(
        &self,
        port: LinkEndId,
        direction: Direction,
        view: &PacketView<'_>,
        gone: Instant,
    ) {
        let mut state = self.lock();
        state.last = state.last.max(Some(gone));
        if let (Some(flow), Some(tcp)) = (view.flow(), view.tcp()) {
            let key = (port, flow);
            if tcp.has(flag::RST) || tcp.has(flag::SYN) {
                state.half_closed.remove(&key);
            } else if tcp.has(flag::FIN) {
                match state.half_closed.get(&key) {
                    None => drop(state.half_closed.insert(key, direction)),
                    Some(first) if *first != direction => drop(state.half_closed.remove(&key)),
                    Some(_) => {} // sent again
                }
            }
        }
        self.moved.notify_all();
    }

    /// Waits until it has come to rest, or until `is_enough`, which is asked after
    /// each packet. `flush` returns when every packet that has come is told: a wire
    /// that found no processor looks like traffic at rest.
    pub(crate) fn settle(&self, flush: impl Fn(), is_enough: impl Fn() -> bool) {
        let start = Instant::now();
        let mut state = self.lock();
        while !is_enough() {
            let quiet = if state.half_closed.is_empty() { QUIET } else { CLOSING };
            let since = state.last.map_or(start, |last| last.max(start));
            let until = (since + quiet).min(start + MOST);
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let last = state.last;
                drop(state); // whoever tells of packets needs it
                flush();
                state = self.lock();
                if state.last == last || start.elapsed() > MOST {
                    return;
                }
                continue;
            }
            let waited = self.moved.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
