//! Small networks, built with as few messages as possible.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use crate::addr::{MacAddr, Prefix};
use crate::error::Result;
use crate::netlink::link::{self, LOOPBACK, NewLink};
use crate::netlink::route::{Route, RouteTarget};
use crate::netlink::u32_filter::{self, Match, U32Filter};
use crate::netlink::{AddressMonitor, Mode, NetlinkFamily, Request, Socket, addr, qdisc};
use crate::netns::Namespace;
use crate::sysctl;

/// The index of a node's first interface. `lo` has 1.
pub(super) const ETH0: u32 = 2;
const ALL: u16 = 0xfff;

const NODE: [(&str, &str); 5] = [
    ("ipv6/conf/all/accept_dad", "0"),
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv4/ip_forward", "0"),
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
];

/// Only `default`: each new interface starts with these settings.
const FABRIC: [(&str, &str); 2] =
    [("ipv6/conf/default/disable_ipv6", "1"), ("ipv4/ip_forward", "0")];

/// A namespace, and a socket in it.
pub(super) struct TestNode {
    pub(super) ns: Namespace,
    pub(super) route: Socket,
    /// Not for the fabric, which has no addresses.
    monitor: Option<AddressMonitor>,
}

impl TestNode {
    fn new(name: &str, settings: &[(&str, &str)], monitor: bool) -> Result<Self> {
        let (ns, (route, monitor)) = Namespace::create(name, || {
            let unwritten = sysctl::write_all(settings.iter().copied()).unwrap();
            assert!(unwritten.is_empty(), "{unwritten:?}");
            let owner = format!("node {name}");
            Ok((
                Socket::open(NetlinkFamily::Route, &*owner)?,
                monitor.then(|| AddressMonitor::open(owner)).transpose()?,
            ))
        })?;
        Ok(Self { ns, route, monitor })
    }

    pub(super) fn node(name: &str) -> Result<Self> {
        Self::new(name, &NODE, true)
    }

    /// Waits until the interface and the addresses of node `i` can be used.
    fn ready(&mut self, i: usize) -> Result<()> {
        let IpAddr::V6(ours) = ipv6(i) else { unreachable!() };
        assert!(link::get(&mut self.route, ETH0)?.operational);
        let expected = [(ETH0, ours), (ETH0, mac(i).link_local())];
        let monitor = self.monitor.as_ref().expect("a node has one");
        monitor.wait(&expected, Duration::from_secs(5))
    }

    fn fabric() -> Result<Self> {
        Self::new("fabric", &FABRIC, false)
    }
}

pub(super) fn ipv4(i: usize) -> IpAddr {
    Ipv4Addr::new(10, 0, 2, 1 + i as u8).into()
}

pub(super) fn ipv6(i: usize) -> IpAddr {
    Ipv6Addr::new(0xfd00, 2, 0, 0, 0, 0, 0, 1 + i as u16).into()
}

fn mac(i: usize) -> MacAddr {
    MacAddr::new([2, 0, 10, 0, 2, 1 + i as u8])
}

fn addresses(i: usize) -> [Request; 2] {
    [
        addr::add(ETH0, Prefix::new(ipv4(i), 24), Mode::Create),
        addr::add(ETH0, Prefix::new(ipv6(i), 64), Mode::Create),
    ]
}

/// Two nodes on one veth pair, without a fabric.
pub(super) fn direct_pair() -> Result<Vec<TestNode>> {
    let mut a = TestNode::node("a")?;
    let mut b = TestNode::node("b")?;
    let end = |i| NewLink { index: Some(ETH0), mac: Some(mac(i)), ..NewLink::named("eth0") };
    let far = NewLink { netns: Some(b.ns.as_fd()), ..end(1) };
    let [v4, v6] = addresses(0);
    let lo = link::set(LOOPBACK).up().request();
    a.route.batch(&[link::veth(&end(0), &far), lo.clone(), v4, v6])?;
    let [v4, v6] = addresses(1);
    b.route.batch(&[link::set(ETH0).up().request(), lo, v4, v6])?;
    a.ready(0)?;
    b.ready(1)?;
    Ok(vec![a, b])
}

/// How the fabric connects the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Join {
    Hub,
    Bridge,
}

/// `n` nodes on one LAN, and after them the fabric.
pub(super) fn lan(n: usize, join: Join) -> Result<Vec<TestNode>> {
    let mut nodes = Vec::new();
    for i in 0..n {
        nodes.push(TestNode::node(&format!("node{i}"))?);
    }
    let mut fabric = TestNode::fabric()?;
    let port = |i: usize| ETH0 + i as u32;
    let bridge = ETH0 + n as u32;
    let mut requests = Vec::new();
    if join == Join::Bridge {
        let end = NewLink { index: Some(bridge), ..NewLink::named("lan") };
        requests.push(link::bridge(&end));
    }
    for (i, node) in nodes.iter().enumerate() {
        let near = NewLink {
            index: Some(ETH0),
            mac: Some(mac(i)),
            netns: Some(node.ns.as_fd()),
            ..NewLink::named("eth0")
        };
        let name = format!("p{i}");
        let far = NewLink { index: Some(port(i)), ..NewLink::named(&name) };
        requests.push(link::veth(&near, &far));
        let mut set = link::set(port(i)).up();
        if join == Join::Bridge {
            set = set.controller(Some(bridge));
        }
        requests.push(set.request());
    }
    if join == Join::Hub {
        for i in 0..n {
            requests.push(qdisc::clsact(port(i)));
            let others: Vec<usize> = (0..n).filter(|j| *j != i).collect();
            let ports: Vec<u32> = others.iter().map(|j| port(*j)).collect();
            let filter = |number, matches, to| {
                let device = port(i);
                u32_filter::add(&U32Filter { device, number, matches, to }, Mode::Create)
            };
            if n > 2 {
                for (j, to) in others.iter().zip(&ports) {
                    let matches = Match::Destination(mac(*j));
                    requests.push(filter(1 + *j as u16, matches, std::slice::from_ref(to)));
                }
            }
            requests.push(filter(ALL, Match::All, &ports));
        }
    }
    fabric.route.batch(&requests)?;
    for (i, node) in nodes.iter_mut().enumerate() {
        let [v4, v6] = addresses(i);
        let lo = link::set(LOOPBACK).up().request();
        node.route.batch(&[lo, v4, v6])?;
    }
    for (i, node) in nodes.iter_mut().enumerate() {
        assert!(link::get(&mut fabric.route, port(i))?.carrier);
        node.ready(i)?;
    }
    nodes.push(fabric);
    Ok(nodes)
}

/// Sends a byte in each direction. Returns how long `connect` took.
pub(super) fn exchange(client: &Namespace, server: &Namespace, ip: IpAddr) -> Duration {
    let bind = || TcpListener::bind(SocketAddr::new(ip, 7000)).unwrap();
    let listener = server.enter(bind).unwrap();
    let to = SocketAddr::new(ip, 7000);
    let start = Instant::now();
    let connect = || TcpStream::connect_timeout(&to, Duration::from_secs(5)).unwrap();
    let mut near = client.enter(connect).unwrap();
    let took = start.elapsed();
    let (mut far, _) = listener.accept().unwrap();
    let mut byte = [0];
    near.write_all(&[7]).unwrap();
    far.read_exact(&mut byte).unwrap();
    far.write_all(&byte).unwrap();
    near.read_exact(&mut byte).unwrap();
    assert_eq!(byte, [7]);
    took
}

/// From the first node to each other one, with IPv4 and IPv6. Returns the time of the slowest `connect`.
pub(super) fn exchange_all(nodes: &[TestNode]) -> Duration {
    let (first, others) = nodes.split_first().unwrap();
    let times = others.iter().enumerate().flat_map(|(i, other)| {
        [ipv4(i + 1), ipv6(i + 1)].map(|ip| exchange(&first.ns, &other.ns, ip))
    });
    times.max().unwrap()
}

/// The default route through a gateway.
pub(super) fn default_via(gateway: IpAddr) -> Route {
    let any = match gateway {
        IpAddr::V4(_) => Prefix::new(Ipv4Addr::UNSPECIFIED, 0),
        IpAddr::V6(_) => Prefix::new(Ipv6Addr::UNSPECIFIED, 0),
    };
    Route::to(any, RouteTarget::Via { gateway: Some(gateway), device: None })
}
