//! Determines the behaviour of a NAT from outside, as STUN does (RFC 5780 §4), with plain
//! sockets.
//!
//! A packet was dropped if a later one has arrived: both take the same path, which keeps
//! their order.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use nstest::{Lan, Nat6, NatFiltering, NatMapping, Net, Node, Router, TestResult, netns_test};

/// Longer than any packet here takes, even on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
const MARKER: &[u8] = b"marker";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

pub(crate) const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

pub(crate) fn ip(node: &Node, family: Family) -> IpAddr {
    match family {
        Family::V4 => node.ipv4().into(),
        Family::V6 => node.ipv6().into(),
    }
}

/// The address that a node has on a LAN.
pub(crate) fn ip_on(node: &Node, lan: &Lan, family: Family) -> IpAddr {
    let on = |addr: &IpAddr| {
        addr.is_ipv4() == (family == Family::V4)
            && lan.subnets().iter().any(|subnet| subnet.contains(*addr))
    };
    node.ips().into_iter().find(on).unwrap()
}

/// Two nodes behind a router, and two on the Internet.
pub(crate) struct Home {
    pub(crate) internet: Lan,
    pub(crate) router: Router,
    pub(crate) laptop: Node,
    pub(crate) desktop: Node,
    pub(crate) servers: [Node; 2],
}

impl Home {
    /// Without a NAT.
    pub(crate) fn build(net: &Net) -> nstest::Result<Self> {
        let internet =
            net.add_lan("internet").subnet("203.0.113.0/24").subnet("2001:db8::/64").build()?;
        let home = net.add_lan("home").subnet("192.168.1.0/24").subnet("fd00:1::/64").build()?;
        let router = net.add_router("router").lan(&home).wan(&internet).build()?;
        Ok(Self {
            laptop: net.add_node("laptop").join(&home).build()?,
            desktop: net.add_node("desktop").join(&home).build()?,
            servers: [
                net.add_node("server1").join(&internet).build()?,
                net.add_node("server2").join(&internet).build()?,
            ],
            internet,
            router,
        })
    }

    /// Behind this NAT, for both families.
    pub(crate) fn behind(net: &Net, nat: nstest::Nat) -> nstest::Result<Self> {
        let home = Self::build(net)?;
        home.translate(nat)?;
        Ok(home)
    }

    /// Translates by this NAT from now on. It has no mappings yet.
    pub(crate) fn translate(&self, nat: nstest::Nat) -> nstest::Result<()> {
        self.router.set_nat(nat)?;
        self.router.set_nat6(Nat6::Nat(nat))?;
        self.router.flush_nat()
    }

    /// The router's address on the Internet.
    pub(crate) fn wan(&self, family: Family) -> IpAddr {
        ip_on(&self.router, &self.internet, family)
    }

    /// A TCP connection from the laptop to a server works in both directions, and the server
    /// sees the router's address.
    pub(crate) fn converses_with(&self, server: &Node, family: Family) -> io::Result<()> {
        let at = (ip(server, family), 80);
        let (mut near, mut far, seen) = connect(&self.laptop, server, at, at)?;
        assert_eq!(seen.ip(), self.wan(family));
        exchange(&mut near, &mut far)
    }

    pub(crate) fn outside(&self, family: Family) -> Outside {
        Outside::on([&self.servers[0], &self.servers[1]], family)
    }
}

/// Two hosts with two ports each.
pub(crate) struct Outside {
    pub(crate) sockets: [[UdpSocket; 2]; 2],
}

impl Outside {
    pub(crate) fn on(hosts: [&Node; 2], family: Family) -> Self {
        let sockets = hosts.map(|host| [0, 0].map(|port| udp(host, family, port)));
        Self { sockets }
    }

    fn all(&self) -> impl Iterator<Item = &UdpSocket> {
        self.sockets.iter().flatten()
    }

    pub(crate) fn first(&self) -> &UdpSocket {
        &self.sockets[0][0]
    }

    /// The external endpoint of a socket, as each of them sees it.
    pub(crate) fn mapping(&self, inside: &UdpSocket) -> NatMapping {
        let seen: Vec<SocketAddr> = self.all().map(|socket| seen_as(inside, socket)).collect();
        let [a1, a2, b1, b2] = seen[..] else { unreachable!() };
        match (a1 == a2 && b1 == b2, a1 == b1) {
            (true, true) => NatMapping::EndpointIndependent,
            (true, false) => NatMapping::AddressDependent,
            (false, _) => {
                let mut all = [a1, a2, b1, b2];
                all.sort_unstable();
                assert!(all.windows(2).all(|pair| pair[0] != pair[1]), "{seen:?}");
                NatMapping::AddressAndPortDependent
            }
        }
    }

    /// Which of them can answer a socket that has sent to the first of them only.
    pub(crate) fn filtering(&self, inside: &UdpSocket) -> NatFiltering {
        let endpoint = seen_as(inside, self.first());
        let got = self.let_in(inside, endpoint);
        let [a1, a2, b1, b2] = got;
        assert!(a1, "an answer");
        assert_eq!(b1, b2);
        match (a2, b1) {
            (true, true) => NatFiltering::EndpointIndependent,
            (true, false) => NatFiltering::AddressDependent,
            (false, false) => NatFiltering::AddressAndPortDependent,
            (false, true) => panic!("a stranger is let in, and an acquaintance is not"),
        }
    }

    /// Which of them reach a socket by this endpoint. The first one may.
    pub(crate) fn let_in(&self, inside: &UdpSocket, endpoint: SocketAddr) -> [bool; 4] {
        for (number, socket) in (0u8..).zip(self.all()) {
            socket.send_to(&[number], endpoint).unwrap();
        }
        self.first().send_to(MARKER, endpoint).unwrap();
        let mut got = [false; 4];
        for message in until_marker(inside) {
            got[usize::from(message[0])] = true;
        }
        got
    }
}

/// A socket in a node, bound to an address of its own.
pub(crate) fn udp(node: &Node, family: Family, port: u16) -> UdpSocket {
    let socket = node.run(|| UdpSocket::bind((ip(node, family), port))).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// The endpoint at which a socket outside sees one inside that sends to it.
pub(crate) fn seen_as(inside: &UdpSocket, outside: &UdpSocket) -> SocketAddr {
    let hello = format!("hello from {}", inside.local_addr().unwrap());
    inside.send_to(hello.as_bytes(), outside.local_addr().unwrap()).unwrap();
    let (message, from) = receive(outside).unwrap();
    assert_eq!(String::from_utf8_lossy(&message), hello);
    from
}

pub(crate) fn receive(socket: &UdpSocket) -> io::Result<(Vec<u8>, SocketAddr)> {
    let mut buffer = [0; 2048];
    let (length, from) = socket.recv_from(&mut buffer)?;
    Ok((buffer[..length].to_vec(), from))
}

fn until_marker(socket: &UdpSocket) -> Vec<Vec<u8>> {
    let receive = || receive(socket).unwrap().0;
    std::iter::repeat_with(receive).take_while(|message| message != MARKER).collect()
}

/// Whether a packet from `sender` to `endpoint` reaches `receiver`, which `friend` reaches by
/// `known`.
pub(crate) fn gets_in(
    sender: &UdpSocket,
    endpoint: SocketAddr,
    receiver: &UdpSocket,
    (friend, known): (&UdpSocket, SocketAddr),
) -> bool {
    sender.send_to(b"let me in", endpoint).unwrap();
    friend.send_to(MARKER, known).unwrap();
    !until_marker(receiver).is_empty()
}

/// A TCP connection from one node to another: near end, far end, and the address that the
/// server sees.
pub(crate) fn connect(
    client: &Node,
    server: &Node,
    to: impl Into<SocketAddr>,
    listen: impl Into<SocketAddr>,
) -> io::Result<(TcpStream, TcpStream, SocketAddr)> {
    let listener = server.run(|| TcpListener::bind(listen.into()))?;
    let near = client.run(|| TcpStream::connect_timeout(&to.into(), PATIENCE))?;
    let (far, seen) = listener.accept()?;
    for stream in [&near, &far] {
        stream.set_read_timeout(Some(PATIENCE))?;
    }
    Ok((near, far, seen))
}

/// Sends on a connection that has exchanged bytes, and gets a reset: at once, if a delayed
/// acknowledgement of these bytes has been answered by one already.
#[track_caller]
pub(crate) fn assert_reset(near: &mut TcpStream) {
    let sent = near.write_all(b"still there?");
    let error = sent.and_then(|()| near.read(&mut [0])).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

/// Both directions of a connection work.
pub(crate) fn exchange(near: &mut TcpStream, far: &mut TcpStream) -> io::Result<()> {
    for (from, to) in [(0, 1), (1, 0)] {
        let ends = [&mut *near, &mut *far];
        ends[from].write_all(b"through")?;
        let mut got = [0; 7];
        ends[to].read_exact(&mut got)?;
        assert_eq!(&got, b"through");
    }
    Ok(())
}

#[netns_test]
fn the_probe_sees_no_nat_where_there_is_none(net: Net) -> TestResult {
    let home = Home::build(&net)?;
    for family in FAMILIES {
        let outside = home.outside(family);
        let inside = udp(&home.laptop, family, 5000);
        assert_eq!(seen_as(&inside, outside.first()), inside.local_addr()?);
        assert_eq!(outside.mapping(&inside), NatMapping::EndpointIndependent);
        assert_eq!(
            outside.filtering(&udp(&home.laptop, family, 5001)),
            NatFiltering::EndpointIndependent
        );
    }
    Ok(())
}
