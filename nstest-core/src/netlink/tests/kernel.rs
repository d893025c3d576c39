//! Networks of the real kernel: no first packet is lost, and requests have their effects.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use nix::errno::Errno;

use super::installed;
use super::networks::{
    ETH0, Join, TestNode, default_via, direct_pair, exchange, exchange_all, ipv4, ipv6, lan,
};
use crate::addr::{Family, MacAddr, Prefix};
use crate::netlink::link::{self, LOOPBACK, NewLink};
use crate::netlink::nftables::L4Proto;
use crate::netlink::route::{self, Route, RouteTarget};
use crate::netlink::sock_diag::{self, DetailedSocket, States};
use crate::netlink::{Mode, NetlinkFamily, Socket, addr, neigh, refusal, u32_filter};
use crate::testing::isolated;

/// Less than the second after which a lost first packet is repeated.
const RETRY: Duration = Duration::from_millis(500);
const REPETITIONS: usize = 50;

#[track_caller]
fn never_slow(what: &str, mut build: impl FnMut() -> Duration) {
    let slowest = (0..REPETITIONS).map(|_| build()).max().unwrap();
    println!("{what}: slowest first connect of {REPETITIONS}: {slowest:?}");
    assert!(slowest < RETRY, "{what}: a first packet was lost ({slowest:?})");
}

#[test]
fn a_direct_pair_loses_no_first_packet() {
    isolated(|| never_slow("direct pair", || exchange_all(&direct_pair().unwrap())));
}

#[test]
fn a_pair_through_the_fabric_loses_no_first_packet() {
    isolated(|| {
        never_slow("pair through the fabric", || exchange_all(&lan(2, Join::Hub).unwrap()[..2]));
    });
}

#[test]
fn a_hub_of_three_loses_no_first_packet() {
    isolated(|| {
        never_slow("hub of 3", || exchange_all(&lan(3, Join::Hub).unwrap()[..3]));
    });
}

#[test]
fn a_hub_of_ten_loses_no_first_packet() {
    isolated(|| {
        never_slow("hub of 10", || exchange_all(&lan(10, Join::Hub).unwrap()[..10]));
    });
}

#[test]
fn a_bridge_of_three_loses_no_first_packet() {
    isolated(|| {
        never_slow("bridge of 3", || exchange_all(&lan(3, Join::Bridge).unwrap()[..3]));
    });
}

#[test]
fn setting_the_far_end_down_keeps_addresses_and_routes() {
    isolated(|| {
        let mut nodes = lan(2, Join::Hub).unwrap();
        let [node, peer, fabric] = &mut nodes[..] else { unreachable!() };
        let addresses = addr::list(&mut node.route).unwrap();
        let routes = route::list(&mut node.route).unwrap();
        let down = link::set(ETH0).down().request();
        fabric.route.request(&down).unwrap();
        let seen = link::get(&mut node.route, ETH0).unwrap();
        assert!(seen.up && !seen.carrier && !seen.operational, "{seen:?}");
        assert_eq!(addr::list(&mut node.route).unwrap(), addresses);
        assert_eq!(route::list(&mut node.route).unwrap(), routes);
        fabric.route.request(&link::set(ETH0).up().request()).unwrap();
        assert!(link::get(&mut fabric.route, ETH0).unwrap().carrier);
        assert!(link::get(&mut node.route, ETH0).unwrap().operational);
        let took = exchange(&node.ns, &peer.ns, ipv4(1));
        assert!(took < RETRY, "{took:?}");
        let took = exchange(&node.ns, &peer.ns, ipv6(1));
        assert!(took < RETRY, "{took:?}");
    });
}

#[test]
fn filters_count_and_are_replaced_and_deleted() {
    isolated(|| {
        let mut nodes = lan(3, Join::Hub).unwrap();
        exchange(&nodes[0].ns, &nodes[1].ns, ipv4(1));
        let fabric = &mut nodes[3].route;
        let filters = installed::filters(fabric, ETH0).unwrap();
        assert_eq!(filters.iter().map(|f| f.number).collect::<Vec<_>>(), [2, 3, 0xfff]);
        let [to_second] = filters[0].actions[..] else { panic!("{filters:?}") };
        assert!(to_second.redirects && to_second.device == ETH0 + 1);
        assert!(to_second.packets >= 4 && to_second.bytes > 200, "{to_second:?}");
        let to_third = filters[1].actions[0];
        assert_eq!((to_third.packets, to_third.bytes), (0, 0));
        let [mirror, redirect] = filters[2].actions[..] else { panic!("{filters:?}") };
        assert!(!mirror.redirects && redirect.redirects);
        assert!(mirror.packets >= 1, "the ARP request: {mirror:?}");

        // Send what was for the second node to the third instead.
        let replaced = u32_filter::U32Filter {
            device: ETH0,
            number: 2,
            matches: u32_filter::Match::Destination(MacAddr::new([2, 0, 10, 0, 2, 2])),
            to: &[ETH0 + 2],
        };
        fabric.request(&u32_filter::add(&replaced, Mode::Replace)).unwrap();
        let filters = installed::filters(fabric, ETH0).unwrap();
        assert_eq!(filters.len(), 3);
        assert_eq!(filters[0].actions[0].device, ETH0 + 2);
        fabric.request(&u32_filter::delete(ETH0, 3)).unwrap();
        assert_eq!(installed::filters(fabric, ETH0).unwrap().len(), 2);
    });
}

#[test]
fn links_are_read_changed_and_deleted() {
    isolated(|| {
        let mut node = TestNode::node("a").unwrap();
        let mac = MacAddr::new([2, 0, 0, 0, 0, 9]);
        let near =
            NewLink { index: Some(20), mac: Some(mac), mtu: Some(1400), ..NewLink::named("near") };
        let far = NewLink { index: Some(21), ..NewLink::named("far") };
        let socket = &mut node.route;
        socket.request(&link::veth(&near, &far)).unwrap();
        let link = link::get_by_name(socket, "near").unwrap();
        assert_eq!((link.index, link.mac, link.mtu), (20, Some(mac), 1400));
        assert!(link.up && !link.carrier);

        socket.request(&link::set(21).mtu(9000).up().request()).unwrap();
        let link = link::get(socket, 21).unwrap();
        assert_eq!((&*link.name, link.mtu), ("far", 9000));
        assert!(link.carrier && link.operational && link.controller.is_none());
        assert_eq!(link::list(socket).unwrap().len(), 3);

        socket.request(&link::delete(20)).unwrap();
        assert_eq!(link::list(socket).unwrap().len(), 1);
        socket.request(&link::delete(21)).unwrap(); // gone with the other end
        let error = socket.request(&link::set(21).up().request()).unwrap_err();
        assert_eq!(refusal(&error), Some(Errno::ENODEV));
    });
}

#[test]
fn addresses_routes_and_neighbours() {
    isolated(|| {
        let mut nodes = direct_pair().unwrap();
        let socket = &mut nodes[0].route;
        let seen = addr::list(socket).unwrap();
        assert!(seen.iter().all(|a| !a.tentative && !a.duplicate), "{seen:?}");
        let ours = Prefix::new(ipv6(0), 64);
        assert!(seen.iter().any(|a| a.index == ETH0 && a.prefix == ours));
        for _ in 0..2 {
            socket.request(&addr::delete(ETH0, ours)).unwrap();
        }
        let seen = addr::list(socket).unwrap();
        assert!(!seen.iter().any(|a| a.prefix == ours), "{seen:?}");

        let default = default_via(ipv4(1));
        socket.request(&route::add(&default, Mode::Create)).unwrap();
        let network = |c| Prefix::new(Ipv4Addr::new(192, 0, c, 0), 24);
        let mut all = vec![
            Route::to(network(1), RouteTarget::Blackhole),
            Route::to(network(2), RouteTarget::Unreachable),
            Route::to(network(3), RouteTarget::Prohibit),
        ];
        all[0].metric = Some(5);
        for route in &all {
            socket.request(&route::add(route, Mode::Create)).unwrap();
        }
        let seen = route::list(socket).unwrap();
        assert!(all.iter().all(|r| seen.contains(r)), "{seen:#?}");
        let via = RouteTarget::Via { gateway: Some(ipv4(1)), device: Some(ETH0) };
        assert!(seen.contains(&Route::to(default.destination, via)), "{seen:#?}");
        let mut local = Route::to(network(2), via);
        local.source = Some(ipv4(0));
        socket.request(&route::add(&local, Mode::Replace)).unwrap();
        let seen = route::list(socket).unwrap();
        assert!(seen.contains(&local) && !seen.contains(&all[1]));
        for _ in 0..2 {
            socket.request(&route::delete(&all[0])).unwrap();
        }
        assert!(!route::list(socket).unwrap().contains(&all[0]));

        let mac = MacAddr::new([2, 0, 0, 0, 0, 42]);
        let ip = ipv4(41);
        socket.request(&neigh::add(ETH0, ip, mac)).unwrap();
        let seen = neigh::list(socket).unwrap();
        let fixed = seen.iter().find(|n| n.ip == ip).unwrap();
        assert_eq!((fixed.mac, fixed.index), (Some(mac), ETH0));
        assert!(fixed.permanent);
        for _ in 0..2 {
            socket.request(&neigh::delete(ETH0, ip)).unwrap();
        }
        // A deleted entry can remain in the state FAILED while it is referenced.
        let seen = neigh::list(socket).unwrap();
        assert!(!seen.iter().any(|n| n.ip == ip && n.permanent), "{seen:?}");
    });
}

#[test]
fn an_error_names_the_message_that_failed() {
    isolated(|| {
        let mut node = TestNode::node("server").unwrap();
        let address = Prefix::new(ipv4(0), 24);
        let error = node
            .route
            .batch(&[
                link::set(LOOPBACK).up().request(),
                addr::add(LOOPBACK, address, Mode::Create),
                addr::add((LOOPBACK, "lo"), address, Mode::Create),
                addr::add(99, address, Mode::Create),
                addr::add(LOOPBACK, Prefix::new(ipv4(1), 24), Mode::Create),
            ])
            .unwrap_err();
        assert_eq!(
            format!("{error:?}"),
            "nstest[netlink]: add address 10.0.2.1/24 to lo in node server\n  \
             cause: EEXIST: File exists (kernel: ipv4: Address already assigned)"
        );
        // The kernel continued after the failure, and the socket can be used again.
        let ips: Vec<_> =
            addr::list(&mut node.route).unwrap().iter().map(|a| a.prefix.ip).collect();
        assert!(ips.contains(&ipv4(1)), "{ips:?}");
        let error = link::get(&mut node.route, 99).unwrap_err();
        assert_eq!(refusal(&error), Some(Errno::ENODEV));
        assert_eq!(error.to_string(), "get interface #99 in node server");
    });
}

#[test]
fn a_batch_can_be_longer_than_a_datagram() {
    isolated(|| {
        let mut node = TestNode::node("a").unwrap();
        let network = |i: u16| {
            let [c, d] = i.to_be_bytes();
            Route::to(Prefix::new(Ipv4Addr::new(10, 7, c, d), 32), RouteTarget::Blackhole)
        };
        let requests: Vec<_> = (0..3000).map(|i| route::add(&network(i), Mode::Create)).collect();
        node.route.batch(&requests).unwrap();
        assert_eq!(route::list(&mut node.route).unwrap().len(), 3000);
        // If all fail, the error names the first.
        let error = node.route.batch(&requests).unwrap_err();
        assert_eq!(error.to_string(), "add the route to 10.7.0.0/32 (blackhole) in node a");
        assert_eq!(refusal(&error), Some(Errno::EEXIST));
    });
}

#[test]
fn listening_sockets_are_listed() {
    isolated(|| {
        let node = TestNode::node("a").unwrap();
        let open = || Socket::open(NetlinkFamily::SockDiag, "node a").unwrap();
        let mut diag = node.ns.enter(open).unwrap();
        let mut ports = |version| -> Vec<u16> {
            sock_diag::list(&mut diag, L4Proto::Tcp, version, States::LISTEN)
                .unwrap()
                .iter()
                .map(|socket| socket.local.port())
                .collect()
        };
        assert_eq!(ports(Family::V4), []);
        let bind = |to: &str| node.ns.enter(|| TcpListener::bind(to)).unwrap().unwrap();
        let _v4 = bind("0.0.0.0:80");
        let _v6 = bind("[::]:81");
        assert_eq!(ports(Family::V4), [80]);
        assert_eq!(ports(Family::V6), [81]);
        let udp = || std::net::UdpSocket::bind("0.0.0.0:53").unwrap();
        let _udp = node.ns.enter(udp).unwrap();
        let seen = sock_diag::list(&mut diag, L4Proto::Udp, Family::V4, States::ALL).unwrap();
        let [udp] = &seen[..] else { panic!("{seen:?}") };
        assert_eq!(udp.local, "0.0.0.0:53".parse().unwrap());
        assert!(udp.remote.ip().is_unspecified() && udp.uid == 0 && udp.inode != 0);
        assert_eq!((udp.state, udp.receive_queue, udp.send_queue), (7, 0, 0));
        let none = sock_diag::list(&mut diag, L4Proto::Tcp, Family::V4, States::ESTABLISHED);
        assert_eq!(none.unwrap(), []);
    });
}

#[test]
fn sockets_are_listed_with_what_waits_in_them() {
    isolated(|| {
        let mut node = TestNode::node("a").unwrap();
        node.route.request(&link::set(LOOPBACK).up().request()).unwrap();
        let open = || Socket::open(NetlinkFamily::SockDiag, "node a").unwrap();
        let mut diag = node.ns.enter(open).unwrap();
        let connect = || {
            let listener = TcpListener::bind("127.0.0.1:80").unwrap();
            let _v6 = TcpListener::bind("[::1]:81").map(std::mem::forget);
            let client = TcpStream::connect("127.0.0.1:80").unwrap();
            client.set_nonblocking(true).unwrap();
            while (&client).write(&[0; 4096]).is_ok() {}
            let idle = TcpStream::connect("127.0.0.1:80").unwrap();
            (listener, client, idle)
        };
        let (_listener, client, idle) = node.ns.enter(connect).unwrap();
        let [client, idle] =
            [&client, &idle].map(|stream| stream.local_addr().unwrap().to_string());
        let all = sock_diag::list_detailed(&mut diag, L4Proto::Tcp).unwrap();
        let find = |local: &str| {
            let at = |seen: &&DetailedSocket| seen.socket.local.to_string() == local;
            all.iter().find(at).unwrap_or_else(|| panic!("{local}: {all:#?}"))
        };
        assert_eq!(all.len(), 6, "{all:#?}");
        // Not accepted yet.
        assert_eq!(find("127.0.0.1:80").socket.receive_queue, 2);
        assert_eq!(find("[::1]:81").socket.state, 10);
        let sends = find(&client);
        let tcp = sends.tcp.unwrap();
        assert!(tcp.unsent > 0 && tcp.unsent <= sends.socket.send_queue, "{sends:?}");
        // The one that sends may have to, on a busy machine.
        let idle = find(&idle);
        assert_eq!((idle.retransmissions, idle.tcp.unwrap().total_retransmissions), (0, 0));
        let bind = || std::net::UdpSocket::bind("[::]:53").unwrap();
        let udp = node.ns.enter(bind).unwrap();
        let all = sock_diag::list_detailed(&mut diag, L4Proto::Udp).unwrap();
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!((all[0].socket.state, all[0].tcp, all[0].dropped), (7, None, 0));
        for _ in 0..1_000 {
            udp.send_to(&[0; 1_400], "[::1]:53").unwrap();
        }
        let all = sock_diag::list_detailed(&mut diag, L4Proto::Udp).unwrap();
        assert!((1..1_000).contains(&all[0].dropped), "{all:?}");
    });
}
