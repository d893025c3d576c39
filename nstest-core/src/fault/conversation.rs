//! Conversations: the flows at a link end, with names that are valid in other runs.

use super::packets::PacketProtocol;

/// The identity of a flow, the same in each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Conversation {
    /// `None` if it is not TCP, UDP or ICMP.
    pub(crate) protocol: Option<PacketProtocol>,
    /// The port of the server; `None` if the protocol has no ports.
    pub(crate) port: Option<u16>,
    /// Its number among the flows of this protocol and port, from 1.
    pub(crate) nth: u32,
}
