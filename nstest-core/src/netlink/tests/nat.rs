//! A router on the real kernel: forwarding, translation, filtering.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;

use super::worlds::{ETH0, Place};
use crate::netlink::link::{self, End};
use crate::netlink::nftables::{
    self, Batch, Chain, Family, Hook, Kind, Ports, Reject, Rule, State, Table,
};
use crate::netlink::route::{self, Route};
use crate::netlink::{Mode, Prefix, Protocol, Socket, addr, conntrack, refusal};
use crate::sysctl;
use crate::testing::isolated;

const TABLE: Table<'_> = Table { family: Family::Inet, name: "nstest" };
const ETH1: u32 = ETH0 + 1;
const INSIDE: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 1);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 254);
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 254);
const SERVER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);

const PRE: Chain<'_> =
    Chain { name: "pre", kind: Kind::Nat, hook: Hook::Prerouting, priority: -100, accepts: true };
const POST: Chain<'_> =
    Chain { name: "post", kind: Kind::Nat, hook: Hook::Postrouting, priority: 100, accepts: true };
const FORWARD: Chain<'_> =
    Chain { name: "forward", kind: Kind::Filter, hook: Hook::Forward, priority: 0, accepts: false };

/// client — router — server.
struct World {
    client: Place,
    router: Place,
    server: Place,
    netfilter: Socket,
}

impl World {
    fn build() -> Self {
        let mut client = Place::node("client").unwrap();
        let mut router = Place::node("router").unwrap();
        let mut server = Place::node("server").unwrap();
        let netfilter = router
            .ns
            .enter(|| {
                sysctl::write("ipv4/ip_forward", "1").unwrap();
                Socket::open(Protocol::Netfilter, "node router").unwrap()
            })
            .unwrap();
        let of_router = |name, index| End { index: Some(index), ..End::named(name) };
        let of_node = |place: &Place| {
            link::veth(
                &End { index: Some(ETH0), netns: Some(place.ns.as_fd()), ..End::named("eth0") },
                &of_router(
                    if place.ns.name() == "client" { "eth0" } else { "eth1" },
                    if place.ns.name() == "client" { ETH0 } else { ETH1 },
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
                addr::add(ETH0, on(GATEWAY)),
                addr::add(ETH1, on(OUTSIDE)),
            ])
            .unwrap();
        let default = Route::default_via(IpAddr::V4(GATEWAY));
        client
            .route
            .batch(&[addr::add(ETH0, on(INSIDE)), route::add(&default, Mode::Create)])
            .unwrap();
        server.route.request(&addr::add(ETH0, on(SERVER))).unwrap();
        for place in [&mut client, &mut server] {
            assert!(link::get(&mut place.route, ETH0).unwrap().operational);
        }
        for index in [ETH0, ETH1] {
            assert!(link::get(&mut router.route, index).unwrap().operational);
        }
        Self { client, router, server, netfilter }
    }

    fn masquerade(&mut self, ports: &Ports) {
        let rule = Rule::new(Family::Inet)
            .output("eth1")
            .transport(libc::IPPROTO_TCP)
            .counter()
            .masquerade(ports)
            .comment("nat");
        Batch::new()
            .table(TABLE)
            .chain(TABLE, &POST)
            .flush(TABLE, "post")
            .rule(TABLE, "post", &rule)
            .commit(&mut self.netfilter)
            .unwrap();
        self.netfilter.request(&conntrack::flush()).unwrap();
    }

    /// Whom the server sees, and how long `connect` took.
    fn connect(&self) -> std::io::Result<(SocketAddr, Duration)> {
        let to = SocketAddr::from((SERVER, 80));
        let listener = self.server.ns.enter(|| TcpListener::bind(to)).unwrap()?;
        let start = Instant::now();
        let limit = Duration::from_secs(2);
        let connect = || TcpStream::connect_timeout(&to, limit);
        let near = self.client.ns.enter(connect).unwrap()?;
        let took = start.elapsed();
        let (_far, seen) = listener.accept()?;
        drop(near);
        Ok((seen, took))
    }
}

#[test]
fn masquerade_shows_the_routers_address_at_the_first_packet() {
    isolated(|| {
        let mut slowest = Duration::ZERO;
        for _ in 0..50 {
            let mut world = World::build();
            world.masquerade(&Ports::Preserve);
            let (seen, took) = world.connect().unwrap();
            assert_eq!(seen.ip(), OUTSIDE);
            slowest = slowest.max(took);
        }
        println!("NAT router: slowest first connect of 50: {slowest:?}");
        assert!(slowest < Duration::from_millis(500), "{slowest:?}");
    });
}

#[test]
fn rules_translate_ports_count_and_go() {
    isolated(|| {
        let mut world = World::build();
        world.masquerade(&Ports::Random(4000..=4009));
        let (seen, _) = world.connect().unwrap();
        assert!((4000..=4009).contains(&seen.port()), "{seen}");
        let outside = link::get(&mut world.router.route, ETH1).unwrap().stats;
        assert!(outside.tx_packets > 0 && outside.tx_dropped == 0, "{outside:?}");
        let rules = nftables::rules(&mut world.netfilter, TABLE, "post").unwrap();
        let [rule] = &rules[..] else { panic!("{rules:?}") };
        assert_eq!(rule.comment.as_deref(), Some("nat"));
        assert_eq!(rule.counter, Some((1, 60)), "a SYN");

        // Changed while running: a fixed address and other ports.
        let snat = Rule::new(Family::Inet)
            .source(Prefix::new(Ipv4Addr::new(10, 0, 0, 0), 14))
            .destination(Prefix::new(SERVER, 32))
            .transport(libc::IPPROTO_TCP)
            .translate_source(OUTSIDE.into(), &Ports::Range(5000..=5001));
        Batch::new()
            .delete_rule(TABLE, "post", rule.handle)
            .rule(TABLE, "post", &snat)
            .commit(&mut world.netfilter)
            .unwrap();
        let (seen, _) = world.connect().unwrap();
        assert!((5000..=5001).contains(&seen.port()), "{seen}");
        Batch::new().delete_table(TABLE).commit(&mut world.netfilter).unwrap();
        let gone = nftables::rules(&mut world.netfilter, TABLE, "post").unwrap();
        assert_eq!(gone, []);
    });
}

#[test]
fn a_port_is_forwarded_inwards() {
    isolated(|| {
        let mut world = World::build();
        let dnat = Rule::new(Family::Inet)
            .input("eth1")
            .transport(libc::IPPROTO_TCP)
            .destination_port(80)
            .translate_destination(INSIDE.into(), Some(8080));
        Batch::new()
            .table(TABLE)
            .chain(TABLE, &PRE)
            .rule(TABLE, "pre", &dnat)
            .commit(&mut world.netfilter)
            .unwrap();
        // The client's own answers leave by its default route.
        let bind = || TcpListener::bind((INSIDE, 8080)).unwrap();
        let listener = world.client.ns.enter(bind).unwrap();
        let connect = || TcpStream::connect((OUTSIDE, 80)).unwrap();
        let near = world.server.ns.enter(connect).unwrap();
        let (_far, seen) = listener.accept().unwrap();
        assert_eq!(seen.ip(), SERVER);
        assert_eq!(near.peer_addr().unwrap(), (OUTSIDE, 80).into());
    });
}

#[test]
fn a_stateful_filter_lets_answers_in_and_turns_the_rest_away() {
    isolated(|| {
        let mut world = World::build();
        let rule = || Rule::new(Family::Inet);
        let batch = |last: Rule| {
            Batch::new()
                .table(TABLE)
                .chain(TABLE, &FORWARD)
                .flush(TABLE, "forward")
                .rule(TABLE, "forward", &rule().state(State::ESTABLISHED | State::RELATED).accept())
                .rule(TABLE, "forward", &rule().state(State::INVALID).drop())
                .rule(TABLE, "forward", &last)
        };
        let open = rule().input("eth0").state(State::NEW).accept();
        batch(open).commit(&mut world.netfilter).unwrap();
        // The server needs a way to the client, so that only the filter is in it.
        let back = Route::to(
            Prefix::new(Ipv4Addr::new(10, 0, 2, 0), 24),
            route::Target::Via { gateway: Some(OUTSIDE.into()), device: None },
        );
        world.server.route.request(&route::add(&back, Mode::Create)).unwrap();
        let (seen, _) = world.connect().unwrap();
        assert_eq!(seen.ip(), INSIDE);

        let reset =
            rule().transport(libc::IPPROTO_TCP).destination_port(80).reject(Reject::TcpReset);
        batch(reset).commit(&mut world.netfilter).unwrap();
        let refused = world.connect().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);

        let unreachable = rule().input("eth0").reject(Reject::Icmp(1));
        batch(unreachable).commit(&mut world.netfilter).unwrap();
        let refused = world.connect().unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::EHOSTUNREACH));
    });
}

#[test]
fn ipv6_is_filtered_at_input_and_output() {
    isolated(|| {
        let mut node = Place::node("node").unwrap();
        let up = link::set(link::LOOPBACK).up().request();
        node.route.request(&up).unwrap();
        let open = || Socket::open(Protocol::Netfilter, "node node").unwrap();
        let mut netfilter = node.ns.enter(open).unwrap();
        let table = Table { family: Family::Ipv6, name: "nstest" };
        let chain = |name, hook| Chain { name, hook, accepts: true, ..FORWARD };
        let network = Prefix::new(Ipv6Addr::LOCALHOST, 127); // ::0 and ::1
        let tcp = || Rule::new(Family::Ipv6).transport(libc::IPPROTO_TCP);
        let refused = tcp()
            .source(network)
            .destination(network)
            .destination_port(80)
            .reject(Reject::TcpReset);
        let answers = tcp().source_port(81).counter();
        Batch::new()
            .table(table)
            .chain(table, &chain("in", Hook::Input))
            .chain(table, &chain("out", Hook::Output))
            .rule(table, "in", &refused)
            .rule(table, "out", &answers)
            .commit(&mut netfilter)
            .unwrap();
        let connect = |port| {
            let to = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
            let _listener = TcpListener::bind(to).unwrap();
            TcpStream::connect(to).map(drop)
        };
        node.ns
            .enter(|| {
                let error = connect(80).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
                connect(81).unwrap();
            })
            .unwrap();
        let rules = nftables::rules(&mut netfilter, table, "out").unwrap();
        assert!(rules[0].counter.unwrap().0 > 0, "{rules:?}");
    });
}

#[test]
fn a_transaction_is_all_or_nothing() {
    isolated(|| {
        let mut world = World::build();
        let lost = Table { family: Family::Ipv4, name: "lost" };
        let error = Batch::new()
            .table(TABLE)
            .chain(TABLE, &FORWARD)
            .rule(lost, "forward", &Rule::new(Family::Ipv4).accept())
            .commit(&mut world.netfilter)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "add a rule to chain forward of nftables table ip lost in node router"
        );
        assert_eq!(refusal(&error), Some(Errno::ENOENT));
        let error = Batch::new().flush(TABLE, "forward").commit(&mut world.netfilter).unwrap_err();
        assert_eq!(refusal(&error), Some(Errno::ENOENT), "no table was left");
        Batch::new().commit(&mut world.netfilter).unwrap();
    });
}
