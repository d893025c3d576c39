//! What cannot be: each error names the objects, and says what to do.

use super::*;
use crate::addr::Family;
use crate::error::{Error, ErrorCode};
use crate::topology::spec::DefaultVia;

/// Checks the code, the words that must be in the report, and that there is a next step.
fn says(error: &Error, code: ErrorCode, words: &[&str]) {
    let text = format!("{error:?}");
    assert_eq!(error.code(), code, "{text}");
    assert!(error.next_step().is_some(), "{text}");
    for word in words {
        assert!(text.contains(word), "`{word}` is not in:\n{text}");
    }
}

pub(super) fn refused<T>(
    net: &mut Net,
    edit: impl FnOnce(&mut Spec) -> Result<T>,
    code: ErrorCode,
    words: &[&str],
) {
    let before = net.now.state().clone();
    match net.change(edit) {
        Ok(_) => panic!("accepted; it should say {words:?}"),
        Err(error) => says(&error, code, words),
    }
    assert_eq!(*net.now.state(), before, "a refused change changes nothing");
}

fn at(lan: SegmentId, addr: &str) -> Join<'static> {
    Join { addrs: vec![ip(addr)], ..Join::of(lan) }
}

#[test]
fn names() {
    let mut net = Net::with_peers(&["a_b", "c"]);
    for (name, code, words) in [
        ("a_b", ErrorCode::NameTaken, ["`a_b`", "another node has this name"]),
        ("a-b", ErrorCode::NameTaken, ["`a-b`", "node `a_b`"]),
        ("C", ErrorCode::NameTaken, ["as a hostname it is `c`", "node `c`"]),
        ("test", ErrorCode::NameTaken, ["`test`", "test's own node"]),
        ("a b", ErrorCode::Name, ["`a b`", "leave it out"]),
    ] {
        refused(&mut net, |s| s.add_node(&NewNode { name, ..NewNode::default() }), code, &words);
    }
    refused(
        &mut net,
        |s| s.add_lan(&lan("peers")),
        ErrorCode::NameTaken,
        &["`peers`", "`Node` parameters"],
    );
    net.lan("home", &[]);
    refused(&mut net, |s| s.add_lan(&lan("home")), ErrorCode::NameTaken, &["`home`"]);
    says(
        &net.now.spec().find_node("d").unwrap_err(),
        ErrorCode::NotFound,
        &["node `d`", "`a_b`, `c`"],
    );
    says(
        &net.now.spec().find_segment("d").unwrap_err(),
        ErrorCode::NotFound,
        &["LAN `d`", "`home`"],
    );
    for twice in [["x", "_x"], ["test", "y"], ["peer1", "x"]] {
        let nodes = twice.iter().map(ToString::to_string).collect();
        let parameters = Parameters { nodes, anonymous: 1, ..Parameters::default() };
        says(
            &Spec::of_parameters(&parameters).unwrap_err(),
            ErrorCode::NameTaken,
            &["choose another"],
        );
    }
}

#[test]
fn a_node_has_256_interfaces_at_most() {
    let mut spec = Spec::new().unwrap();
    let mut join = |nth: u32| {
        let lan = spec.add_lan(&lan(&format!("lan{nth}")))?;
        spec.join(NodeId::TEST, &Join::of(lan))
    };
    for nth in 0..256 {
        join(nth).unwrap();
    }
    let error = join(256).unwrap_err();
    assert_eq!(error.code(), ErrorCode::TooMany, "{error:?}");
}

#[test]
fn interfaces() {
    let mut net = Net::with_peers(&["a"]);
    let home = net.lan("home", &[]);
    let a = net.now.spec().find_node("a").unwrap();
    let named = |interface| Join { interface: Some(interface), ..Join::of(home) };
    refused(
        &mut net,
        |s| s.join(a, &named("an-interface-too-long")),
        ErrorCode::Name,
        &["`an-interface-too-long`", "21 bytes"],
    );
    refused(&mut net, |s| s.join(a, &named("eth0")), ErrorCode::NameTaken, &["node `a`", "`eth0`"]);
    let group = Join { mac: Some("01:00:5e:00:00:01".parse().unwrap()), ..Join::of(home) };
    refused(
        &mut net,
        |s| s.join(a, &group),
        ErrorCode::Address,
        &["01:00:5e:00:00:01", "single interface"],
    );
    let same = Join { mac: Some("02:00:00:00:00:01".parse().unwrap()), ..Join::of(home) };
    net.change(|s| s.join(a, &same)).unwrap();
    refused(
        &mut net,
        |s| s.join(NodeId::TEST, &same),
        ErrorCode::Address,
        &["LAN `home`", "node `a` has it"],
    );
    refused(
        &mut net,
        |s| s.join(a, &Join::of(home)),
        ErrorCode::InUse,
        &["node `a`", "LAN `home`"],
    );
    refused(&mut net, |s| s.connect(a, a, &lan("")), ErrorCode::Config, &["node `a` to itself"]);
}

#[test]
fn subnets_and_addresses() {
    let mut net = Net::with_peers(&["a", "b"]);
    let home = net.lan("home", &["192.168.1.0/24"]);
    let subnet = |name, text: &str| NewLan { subnets: vec![text.parse().unwrap()], ..lan(name) };
    refused(
        &mut net,
        |s| s.add_lan(&subnet("x", "192.168.0.0/16")),
        ErrorCode::SubnetOverlap,
        &["`x`", "192.168.0.0/16", "LAN `home`", "192.168.1.0/24"],
    );
    refused(
        &mut net,
        |s| s.add_lan(&subnet("x", "10.0.2.0/24")),
        ErrorCode::SubnetOverlap,
        &["`x`", "LAN `peers`"],
    );
    refused(
        &mut net,
        |s| s.add_lan(&subnet("x", "127.0.0.0/8")),
        ErrorCode::Subnet,
        &["`x`", "loopback"],
    );
    refused(
        &mut net,
        |s| {
            s.add_lan(&NewLan {
                subnets: vec!["10.1.0.0/24".parse().unwrap(), "10.2.0.0/24".parse().unwrap()],
                ..lan("x")
            })
        },
        ErrorCode::Subnet,
        &["at most one of IPv4"],
    );
    refused(
        &mut net,
        |s| s.add_lan(&NewLan { without_ipv4: true, without_ipv6: true, ..lan("x") }),
        ErrorCode::Subnet,
        &["both IPv4 and IPv6 are switched off"],
    );
    refused(
        &mut net,
        |s| s.add_lan(&NewLan { without_ipv4: true, ..subnet("x", "10.1.0.0/24") }),
        ErrorCode::Subnet,
        &["this LAN has no IPv4"],
    );
    refused(
        &mut net,
        |s| s.add_lan(&NewLan { mtu: Some(1279), ..lan("x") }),
        ErrorCode::Config,
        &["1279", "IPv6 needs 1280"],
    );
    refused(
        &mut net,
        |s| s.add_lan(&NewLan { mtu: Some(67), ..lan("x") }),
        ErrorCode::Config,
        &["between 68 and 65535"],
    );
    let a = net.now.spec().find_node("a").unwrap();
    net.change(|s| s.join(NodeId::TEST, &at(home, "192.168.1.9"))).unwrap();
    for (addr, words) in [
        (
            "192.168.2.1",
            ["node `a`", "LAN `home` has 192.168.1.0/24, and the address is not in it"],
        ),
        ("192.168.1.0", ["192.168.1.0", "the address of the network"]),
        ("192.168.1.255", ["192.168.1.255", "broadcast"]),
        ("192.168.1.9", ["LAN `home`", "node `test` has it"]),
        ("fd99::1", ["fd99::1", "not in it"]),
    ] {
        refused(&mut net, |s| s.join(a, &at(home, addr)), ErrorCode::Address, &words);
    }
    let two = Join { addrs: vec![ip("192.168.1.5"), ip("192.168.1.6")], ..Join::of(home) };
    refused(&mut net, |s| s.join(a, &two), ErrorCode::Address, &["192.168.1.5 and 192.168.1.6"]);
}

#[test]
fn three_hundred_nodes_on_a_24() {
    let parameters = Parameters { anonymous: 300, ..Parameters::default() };
    let error = Spec::of_parameters(&parameters).unwrap_err();
    says(
        &error,
        ErrorCode::SubnetFull,
        &["LAN `peers`", "node `peer254`", "10.0.2.0/24 has room for 254", "10.1.0.0/16"],
    );
    let subnets = vec!["10.1.0.0/16".parse().unwrap()];
    Spec::of_parameters(&Parameters { subnets, ..parameters }).unwrap();
}

#[test]
fn an_address_where_there_is_none() {
    let nodes = vec!["a".to_owned()];
    let mut net = Net::of(&Parameters { nodes, without_ipv6: true, ..Parameters::default() });
    let b = net.node("b", &[]);
    let spec = net.now.spec();
    says(
        &spec.address_of(b, None).unwrap_err(),
        ErrorCode::NoAddress,
        &["node `b`", "on no network"],
    );
    says(
        &spec.address_of(NodeId::TEST, Some(Family::V6)).unwrap_err(),
        ErrorCode::NoAddress,
        &["IPv6 address of node `test`"],
    );
    assert_eq!(spec.address_of(NodeId::TEST, None).unwrap(), ip("10.0.2.1"));
    let v6 = NewLan { subnets: vec!["fd01::/64".parse().unwrap()], ..lan("x") };
    refused(&mut net, |s| s.add_lan(&v6), ErrorCode::Subnet, &["this test has no IPv6"]);
}

#[test]
fn what_is_in_use_stays() {
    let mut net = Net::with_peers(&["a"]);
    let a = net.now.spec().find_node("a").unwrap();
    let link = net.now.spec().find_segment("test-a").unwrap();
    refused(&mut net, |s| s.remove_node(NodeId::TEST), ErrorCode::InUse, &["node `test`"]);
    refused(&mut net, |s| s.remove_node(a), ErrorCode::InUse, &["node `a`", "link `test-a`"]);
    refused(&mut net, |s| s.leave(a, link), ErrorCode::InUse, &["link `test-a`"]);
    let [home, internet] = ["home", "internet"].map(|name| net.lan(name, &[]));
    let laptop = net.node("laptop", &[home]);
    refused(&mut net, |s| s.remove_segment(home), ErrorCode::InUse, &["LAN `home`", "`laptop`"]);
    refused(
        &mut net,
        |s| s.leave(laptop, internet),
        ErrorCode::NotFound,
        &["node `laptop`", "LAN `internet`"],
    );
    refused(
        &mut net,
        |s| s.roam(a, home, &Join::of(internet)),
        ErrorCode::NotFound,
        &["node `a`", "LAN `home`"],
    );
    let r = net.router(router("r"), &[home], internet);
    net.change(|s| s.set_default(laptop, DefaultVia::Router(r))).unwrap();
    refused(&mut net, |s| s.remove_node(r), ErrorCode::InUse, &["router `r`", "node `laptop`"]);
    net.change(|s| s.set_default(laptop, DefaultVia::Auto)).unwrap();
    net.change(|s| s.remove_node(r)).unwrap();
    refused(&mut net, |s| s.remove_node(r), ErrorCode::NotFound, &["removed"]);
}
