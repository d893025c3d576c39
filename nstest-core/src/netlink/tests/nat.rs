//! A router on the real kernel: forwarding, translation, filtering.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::installed;
use super::networks::{ETH0, TestNode, default_via};
use crate::addr::{Family, Prefix};
use crate::netlink::link::{self, NewLink};
use crate::netlink::nftables::{
    Chain, CtMatch, Field, FieldValue, HookKind, HookPoint, L4Proto, NftHook, NftRule,
    Statement as S, Table, TableName, Transaction,
};
use crate::netlink::route::{self, Route};
use crate::netlink::{Mode, NetlinkFamily, Socket, addr, conntrack, refusal};
use crate::sysctl;
use crate::testing::isolated;

const ETH1: u32 = ETH0 + 1;
const INSIDE: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 1);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 254);
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 254);
const SERVER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);

/// How long `connect` waits before a test assumes that its packets are dropped.
const DROPPED: Duration = Duration::from_millis(500);

const POST: NftHook = NftHook { kind: HookKind::Nat, point: HookPoint::Postrouting, priority: 100 };
const FORWARD: NftHook = NftHook { kind: HookKind::Filter, point: HookPoint::Forward, priority: 0 };

/// client — router — server.
struct Network {
    client: TestNode,
    _router: TestNode,
    server: TestNode,
    netfilter: Socket,
}

impl Network {
    fn build() -> Self {
        let mut client = TestNode::node("client").unwrap();
        let mut router = TestNode::node("router").unwrap();
        let mut server = TestNode::node("server").unwrap();
        let netfilter = router
            .ns
            .enter(|| {
                sysctl::write("ipv4/ip_forward", "1").unwrap();
                Socket::open(NetlinkFamily::Netfilter, "node router").unwrap()
            })
            .unwrap();
        let of_router = |name, index| NewLink { index: Some(index), ..NewLink::named(name) };
        let of_node = |node: &TestNode| {
            link::veth(
                &NewLink {
                    index: Some(ETH0),
                    netns: Some(node.ns.as_fd()),
                    ..NewLink::named("eth0")
                },
                &of_router(
                    if node.ns.name() == "client" { "eth0" } else { "eth1" },
                    if node.ns.name() == "client" { ETH0 } else { ETH1 },
                ),
            )
        };
        let on = |ip: Ipv4Addr| Prefix::new(ip, 24);
        router
            .route
            .batch(&[
                of_node(&client),
                of_node(&server),
                link::set(ETH0).up().request(),
                link::set(ETH1).up().request(),
                addr::add(ETH0, on(GATEWAY), Mode::Create),
                addr::add(ETH1, on(OUTSIDE), Mode::Create),
            ])
            .unwrap();
        let default = default_via(IpAddr::V4(GATEWAY));
        client
            .route
            .batch(&[addr::add(ETH0, on(INSIDE), Mode::Create), route::add(&default, Mode::Create)])
            .unwrap();
        server.route.request(&addr::add(ETH0, on(SERVER), Mode::Create)).unwrap();
        for node in [&mut client, &mut server] {
            assert!(link::get(&mut node.route, ETH0).unwrap().operational);
        }
        for index in [ETH0, ETH1] {
            assert!(link::get(&mut router.route, index).unwrap().operational);
        }
        Self { client, _router: router, server, netfilter }
    }

    fn commit(&mut self, table: &Table) {
        let batch = Transaction::new().remove(table.id()).add(table);
        batch.commit(&mut self.netfilter).unwrap();
        self.netfilter.request(&conntrack::flush()).unwrap();
    }

    /// The client's address as the server sees it, and how long `connect` took.
    fn connect(&self) -> std::io::Result<(SocketAddr, Duration)> {
        self.connect_within(Duration::from_secs(2))
    }

    fn connect_within(&self, limit: Duration) -> std::io::Result<(SocketAddr, Duration)> {
        let to = SocketAddr::from((SERVER, 80));
        let listener = self.server.ns.enter(|| TcpListener::bind(to)).unwrap()?;
        let start = Instant::now();
        let connect = || TcpStream::connect_timeout(&to, limit);
        let near = self.client.ns.enter(connect).unwrap()?;
        let took = start.elapsed();
        let (_far, seen) = listener.accept()?;
        drop(near);
        Ok((seen, took))
    }
}

fn rule(statements: &[S]) -> NftRule {
    NftRule(statements.to_vec())
}

fn table(family: Family, name: &'static str, hook: NftHook, rules: Vec<NftRule>) -> Table {
    Table {
        family,
        name: "nstest".into(),
        owned: false,
        sets: vec![],
        chains: vec![Chain { name, hook: Some(hook), rules }],
    }
}

#[test]
fn the_first_packet_is_translated() {
    isolated(|| {
        let snat = S::SnatTo { addr: OUTSIDE.into(), ports: None, random: false };
        let rules = vec![rule(&[S::OutInterface("eth1".into()), S::Is(L4Proto::Tcp), snat])];
        let post = table(Family::V4, "post", POST, rules);
        let mut slowest = Duration::ZERO;
        for _ in 0..50 {
            let mut network = Network::build();
            network.commit(&post);
            let (seen, took) = network.connect().unwrap();
            assert_eq!(seen.ip(), OUTSIDE);
            slowest = slowest.max(took);
        }
        println!("NAT router: slowest first connect of 50: {slowest:?}");
        assert!(slowest < Duration::from_millis(500), "{slowest:?}");
    });
}

#[test]
fn rules_are_replaced_and_removed() {
    isolated(|| {
        let mut network = Network::build();
        let snat = |first, last| S::SnatTo {
            addr: OUTSIDE.into(),
            ports: Some((first, last)),
            random: true,
        };
        let post = |snat| table(Family::V4, "post", POST, vec![rule(&[S::HasPorts, snat])]);
        let of_4000 = post(snat(4000, 4009));
        network.commit(&of_4000);
        let (seen, _) = network.connect().unwrap();
        assert!((4000..=4009).contains(&seen.port()), "{seen}");
        let rules = installed::rules(&mut network.netfilter, of_4000.id(), "post").unwrap();
        assert_eq!(rules.len(), 1, "{rules:?}");

        // The rules change while the router runs.
        network.commit(&post(snat(5000, 5001)));
        let (seen, _) = network.connect().unwrap();
        assert!((5000..=5001).contains(&seen.port()), "{seen}");
        for _ in 0..2 {
            // Removing a table that does not exist has no effect.
            Transaction::new().remove(of_4000.id()).commit(&mut network.netfilter).unwrap();
            let gone = installed::rules(&mut network.netfilter, of_4000.id(), "post").unwrap();
            assert_eq!(gone, []);
        }
    });
}

#[test]
fn a_stateful_filter_lets_answers_in_and_drops_the_rest() {
    isolated(|| {
        let mut network = Network::build();
        let filter = |last| {
            let known = rule(&[S::Ct(CtMatch::EstablishedOrRelated), S::Accept]);
            table(Family::V4, "forward", FORWARD, vec![known, last])
        };
        // The server has a route to the client, so that only the filter can stop packets.
        let back = Route::to(
            Prefix::new(Ipv4Addr::new(10, 0, 2, 0), 24),
            route::RouteTarget::Via { gateway: Some(OUTSIDE.into()), device: None },
        );
        network.server.route.request(&route::add(&back, Mode::Create)).unwrap();
        let from_server = S::InInterface("eth1".into());
        network.commit(&filter(rule(&[from_server, S::Drop])));
        let (seen, _) = network.connect().unwrap();
        assert_eq!(seen.ip(), INSIDE);

        let http = S::Equals(Field::DestPort, FieldValue::Port(80));
        network.commit(&filter(rule(&[S::Is(L4Proto::Tcp), http, S::Drop])));
        let dropped = network.connect_within(DROPPED).unwrap_err();
        assert_eq!(dropped.kind(), ErrorKind::TimedOut);

        network.commit(&filter(rule(&[S::InInterface("eth0".into()), S::Drop])));
        let dropped = network.connect_within(DROPPED).unwrap_err();
        assert_eq!(dropped.kind(), ErrorKind::TimedOut);
    });
}

#[test]
fn ipv6_is_filtered_where_it_leaves() {
    isolated(|| {
        let mut node = TestNode::node("node").unwrap();
        let up = link::set(link::LOOPBACK).up().request();
        node.route.request(&up).unwrap();
        let open = || Socket::open(NetlinkFamily::Netfilter, "node node").unwrap();
        let mut netfilter = node.ns.enter(open).unwrap();
        let subnet = Prefix::new(Ipv6Addr::LOCALHOST, 127); // ::0 and ::1
        let http = S::Equals(Field::DestPort, FieldValue::Port(80));
        let requests = rule(&[
            S::In(Field::SourceAddr(Family::V6), subnet),
            S::In(Field::DestAddr(Family::V6), subnet),
            S::Is(L4Proto::Tcp),
            http,
            S::Drop,
        ]);
        let hook = NftHook { point: HookPoint::Input, ..FORWARD };
        let answers = S::Equals(Field::SourcePort, FieldValue::Port(82));
        let answers = rule(&[S::Is(L4Proto::Tcp), answers, S::Drop]);
        let table = table(Family::V6, "in", hook, vec![requests, answers]);
        Transaction::new().add(&table).commit(&mut netfilter).unwrap();
        let connect = |port| {
            let to = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
            let _listener = TcpListener::bind(to).unwrap();
            TcpStream::connect_timeout(&to, DROPPED).map(drop)
        };
        node.ns
            .enter(|| {
                for port in [80, 82] {
                    let error = connect(port).unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::TimedOut, "port {port}");
                }
                connect(81).unwrap();
            })
            .unwrap();
    });
}

#[test]
fn a_transaction_is_all_or_nothing() {
    isolated(|| {
        let mut network = Network::build();
        let good = table(Family::V4, "forward", FORWARD, vec![]);
        let lost = TableName { family: Family::V4, name: "lost" };
        let error = Transaction::new()
            .add(&good)
            .rule(lost, "forward", &rule(&[S::Accept]))
            .commit(&mut network.netfilter)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "add a rule to chain forward of nftables table ip lost in node router"
        );
        assert_eq!(refusal(&error), Some(Errno::ENOENT));
        let error = Transaction::new()
            .rule(good.id(), "forward", &rule(&[S::Accept]))
            .commit(&mut network.netfilter)
            .unwrap_err();
        assert_eq!(refusal(&error), Some(Errno::ENOENT), "no table was left");
        Transaction::new().commit(&mut network.netfilter).unwrap();
    });
}
