//! The sockets of a namespace, as events.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use litemap::LiteMap;

use crate::error::Result;
use crate::evidence::timeline::TimelineEvent;
use crate::netlink::Socket;
use crate::netlink::nftables::L4Proto;
use crate::netlink::sock_diag::{self, DetailedSocket};
use crate::topology::spec::NodeId;

/// The most sockets that become events.
const MOST: usize = 200;

/// A socket of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NodeSocket {
    pub(super) node: NodeId,
    pub(super) protocol: L4Proto,
    pub(super) found: DetailedSocket,
}

/// The sockets of the namespace in which this netlink socket was opened.
pub(super) fn read(diag: OwnedFd, node: NodeId, protocols: &[L4Proto]) -> Result<Vec<NodeSocket>> {
    let mut diag = Socket::of(diag, "a node");
    let mut sockets = Vec::new();
    for &protocol in protocols {
        let found = sock_diag::list_detailed(&mut diag, protocol)?;
        sockets.extend(found.into_iter().map(|found| NodeSocket { node, protocol, found }));
    }
    Ok(sockets)
}

/// Those that matter most, in this order, and a note if there are more.
pub(super) fn select(sockets: &mut Vec<NodeSocket>) -> Option<TimelineEvent> {
    sockets.sort_by_key(|socket| (socket.rank(), socket.node));
    let all = sockets.len();
    sockets.truncate(MOST);
    (all > MOST)
        .then(|| TimelineEvent::Note { text: format!("{MOST} of {all} sockets are listed") })
}

pub(super) fn inodes(sockets: &[NodeSocket]) -> BTreeSet<u32> {
    sockets.iter().map(|socket| socket.found.socket.inode).filter(|inode| *inode != 0).collect()
}

/// `owners`: by inode, the processes that have the sockets open.
pub(super) fn events(sockets: &[NodeSocket], owners: &LiteMap<u32, String>) -> Vec<TimelineEvent> {
    let owner = |socket: &NodeSocket| owners.get(&socket.found.socket.inode).cloned();
    sockets.iter().map(|socket| socket.event(owner(socket))).collect()
}

impl NodeSocket {
    /// As `ss` names it in filters (ss(8)).
    fn state(&self) -> &'static str {
        match (self.protocol, self.found.socket.state) {
            (_, 1) => "established",
            (_, 2) => "syn-sent",
            (_, 3 | 12) => "syn-recv",
            (_, 4) => "fin-wait-1",
            (_, 5) => "fin-wait-2",
            (_, 6) => "time-wait",
            (L4Proto::Tcp, 7) => "closed",
            (L4Proto::Udp, 7) => "unconnected",
            (_, 8) => "close-wait",
            (_, 9) => "last-ack",
            (_, 10) => "listening",
            (_, 11) => "closing",
            (_, 13) => "bound",
            _ => "unknown",
        }
    }

    /// Small if it is likely to say why the test failed.
    fn rank(&self) -> u8 {
        let [unread, unacknowledged] = self.queues();
        match self.state() {
            "listening" => 1,
            "syn-sent" | "syn-recv" => 0,
            _ if unread + unacknowledged > 0 || self.found.retransmissions > 0 => 0,
            "time-wait" | "closed" | "bound" => 3,
            _ => 2,
        }
    }

    /// Bytes that were not read, and that were not acknowledged. The kernel counts SYN and FIN
    /// as a byte.
    fn queues(&self) -> [u32; 2] {
        let DetailedSocket { socket, .. } = &self.found;
        let state = self.state();
        let received_fin = matches!(state, "close-wait" | "last-ack" | "closing");
        let sends_flag = matches!(state, "syn-sent" | "fin-wait-1" | "last-ack" | "closing");
        if state == "listening" {
            return [0, 0];
        }
        [
            socket.receive_queue.saturating_sub(received_fin.into()),
            socket.send_queue.saturating_sub(sends_flag.into()),
        ]
    }

    fn ends(&self) -> (String, String) {
        let canonical = |end: SocketAddr| SocketAddr::new(end.ip().to_canonical(), end.port());
        let remote = canonical(self.found.socket.remote);
        let unconnected = remote.port() == 0 && remote.ip().is_unspecified();
        let remote = if unconnected { "*".to_owned() } else { remote.to_string() };
        (canonical(self.found.socket.local).to_string(), remote)
    }

    fn protocol(&self) -> &'static str {
        match self.protocol {
            L4Proto::Tcp => "tcp",
            L4Proto::Udp => "udp",
        }
    }

    fn event(&self, process: Option<String>) -> TimelineEvent {
        let (local, remote) = self.ends();
        let [unread, unacknowledged] = self.queues();
        let state = self.state();
        let waiting = if state == "listening" { self.found.socket.receive_queue } else { 0 };
        let tcp = self.found.tcp;
        TimelineEvent::Socket {
            node: self.node.0.into(),
            protocol: self.protocol().to_owned(),
            state: state.to_owned(),
            local,
            remote,
            unread: unread.into(),
            unacknowledged: unacknowledged.into(),
            unsent: tcp.map_or(0, |tcp| tcp.unsent.min(unacknowledged)).into(),
            retransmissions: self.found.retransmissions.into(),
            total_retransmissions: tcp.map_or(0, |tcp| tcp.total_retransmissions),
            waiting,
            process,
            dropped: self.found.dropped.into(),
        }
    }
}

impl std::fmt::Display for NodeSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (protocol, (local, remote)) = (self.protocol(), self.ends());
        match (self.state(), remote.as_str()) {
            ("unconnected", _) => write!(f, "{protocol} {local}"),
            (state, "*") => write!(f, "{protocol} {local} ({state})"),
            (state, remote) => write!(f, "{protocol} {local} -> {remote} ({state})"),
        }
    }
}
