//! Wires in whole networks: what passes them, and what they do to it.

mod bulk;
mod decisions;
mod fates;
mod passing;
mod splicing;

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::frame::{Direction, Discovery, Frame, Outlet, Stage};
use crate::topology::spec::LinkEndId;
use crate::world::{Link, Net, Node};

/// The longest wait for a frame that must arrive.
const LIMIT: Duration = Duration::from_secs(10);

/// A network of the test's own node and of some others.
fn network(names: &[&str]) -> Net {
    crate::fixture::network_of(names).unwrap()
}

/// A stage that is a function.
struct Taught<F> {
    segments: bool,
    pass: F,
}

impl<F: FnMut(Direction, &[u8], Instant, &mut Outlet) + Send> Stage for Taught<F> {
    fn pass(&mut self, direction: Direction, frame: Frame<'_>, now: Instant, out: &mut Outlet) {
        (self.pass)(direction, frame.bytes, now, out);
    }

    fn discovery(&self) -> Discovery {
        Discovery::All
    }

    fn needs_segments(&self) -> bool {
        self.segments
    }
}

/// The link end of a node that has one link.
fn link_end_of(node: &Node) -> LinkEndId {
    link_end_at(&node.link(), node)
}

fn link_end_at(link: &Link, node: &Node) -> LinkEndId {
    link.ends().find(|(id, _)| *id == node.id()).unwrap().1
}

/// Gives a node with one link a stage.
fn teach(
    node: &Node,
    segments: bool,
    pass: impl FnMut(Direction, &[u8], Instant, &mut Outlet) + Send + 'static,
) {
    let stage = Arc::new(Mutex::new(Taught { segments, pass }));
    node.link().net().splice(link_end_of(node), stage).unwrap();
}

/// Lets everything pass, at once.
fn pass(_: Direction, _: &[u8], now: Instant, out: &mut Outlet) {
    out.forward.push(now);
}

fn bound(node: &Node, ip: IpAddr) -> UdpSocket {
    let socket = node.run(|| UdpSocket::bind((ip, 0)).unwrap());
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    socket
}

/// The two ends of a conversation.
fn connected(a: (&Node, IpAddr), b: (&Node, IpAddr)) -> (UdpSocket, UdpSocket) {
    let (near, far) = (bound(a.0, a.1), bound(b.0, b.1));
    let address = |socket: &UdpSocket| -> SocketAddr { socket.local_addr().unwrap() };
    near.connect(address(&far)).unwrap();
    far.connect(address(&near)).unwrap();
    (near, far)
}

/// The test's own node and one other, who have talked.
struct Pair {
    net: Net,
    local: Node,
    peer: Node,
    ends: (UdpSocket, UdpSocket),
}

fn pair() -> Pair {
    let net = network(&["peer"]);
    let (local, peer) = (net.local(), net.node("peer").unwrap());
    let ends = connected((&local, local.ip()), (&peer, peer.ip()));
    round_trip(&ends);
    Pair { net, local, peer, ends }
}

/// One datagram there and one back; how long it took.
fn round_trip((near, far): &(UdpSocket, UdpSocket)) -> Duration {
    let start = Instant::now();
    let mut buffer = [0; 16];
    near.send(b"there").unwrap();
    assert_eq!(far.recv(&mut buffer).unwrap(), 5);
    far.send(b"back").unwrap();
    assert_eq!(near.recv(&mut buffer).unwrap(), 4);
    start.elapsed()
}

/// Nothing went wrong on the wire.
#[track_caller]
fn sound(net: &Net) {
    assert_eq!(net.unseen_failure(), None);
}
