//! Which link ends are joined, over the time of a test.

use std::time::Duration;

use litemap::LiteMap;

use crate::evidence::timeline::{Entry, TimelineEvent};

/// The networks that link ends were on, from the events of a test.
#[derive(Debug, Default)]
pub(crate) struct Networks {
    /// By link end: from when on it was on which network.
    joined: LiteMap<u32, Vec<(Duration, u32)>>,
}

impl Networks {
    /// Of events in the order of their time.
    pub(crate) fn of(entries: &[Entry]) -> Self {
        let mut networks = Self::default();
        for Entry { time, event } in entries {
            if let TimelineEvent::Network { network, link_ends, .. } = event {
                networks.join(*time, *network, link_ends);
            }
        }
        networks
    }

    fn join(&mut self, time: Duration, network: u32, link_ends: &[u32]) {
        for link_end in link_ends {
            let joined = self.joined.entry(*link_end).or_default();
            if joined.last().is_none_or(|(_, present)| *present != network) {
                joined.push((time, network));
            }
        }
    }

    /// The network of a link end at a time, or its first one if it had none yet: a frame may
    /// come before the event. `None` if it never had one.
    pub(super) fn at(&self, link_end: u32, time: Duration) -> Option<u32> {
        let joined = self.joined.get(&link_end)?;
        let later = joined.partition_point(|(since, _)| *since <= time);
        joined.get(later.saturating_sub(1)).map(|(_, network)| *network)
    }
}
