//! Has `lo` of the test's own node recorded, as the network of one interface.

use super::capture::start_loopback;
use super::log::record;
use crate::evidence::packets::LOOPBACK;
use crate::evidence::timeline::TimelineEvent;

/// The number of the test's own node.
const NODE: u32 = 1;

/// Begins, in the namespace of the test's own node.
pub(crate) fn record_loopback() {
    if let Err(errno) = start_loopback() {
        let text = format!("the packets of `lo` were not recorded: {errno}");
        return record(|| vec![TimelineEvent::Note { text }]);
    }
    let (name, interface) = ("test".to_owned(), "lo".to_owned());
    let address = |address: &str| TimelineEvent::AddressAdded {
        node: NODE,
        interface: interface.clone(),
        address: address.to_owned(),
    };
    record(|| {
        vec![
            TimelineEvent::NodeAdded { node: NODE, name, netns: None },
            TimelineEvent::InterfaceAdded {
                node: NODE,
                name: interface.clone(),
                link_end: LOOPBACK,
                mac: "00:00:00:00:00:00".to_owned(),
            },
            address("127.0.0.1/8"),
            address("::1/128"),
            TimelineEvent::Network {
                network: 0,
                title: "loopback of `test`".to_owned(),
                link_ends: vec![LOOPBACK],
            },
        ]
    });
}
