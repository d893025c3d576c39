//! The way to a resolver is a network like any other.

use std::net::Ipv4Addr;

use nstest::{Nat, Net, Node, TestResult, netns_test};

use crate::look_up;

const V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);

#[netns_test]
fn questions_are_translated_by_a_router(net: Net) -> TestResult {
    let internet = net.add_lan("internet").subnet("203.0.113.0/24").build()?;
    let home = net.add_lan("home").subnet("192.168.1.0/24").build()?;
    let outside = Ipv4Addr::new(203, 0, 113, 50);
    let router = net.add_router("router").lan(&home).wan(&internet).addr(outside);
    router.nat(Nat::PORT_RESTRICTED).build()?;
    let laptop = net.add_node("laptop").join(&home).build()?;
    let dns = net.add_node("dns").join(&internet).build()?.serve_dns()?;
    dns.answer("db.example", V4)?;
    assert_eq!(laptop.run(|| look_up("db.example")), Ok(vec![V4.into()]));
    assert!(dns.queries().iter().all(|query| query.from.ip() == outside));
    Ok(())
}

#[netns_test]
fn a_cable_that_is_pulled_is_a_resolver_that_is_gone(dns: Node) -> TestResult {
    let link = dns.link();
    let dns = dns.serve_dns()?;
    dns.answer("db.example", V4)?;
    assert!(look_up("db.example").is_ok());
    link.down()?;
    assert!(look_up("db.example").is_err());
    link.up()?;
    assert_eq!(look_up("db.example"), Ok(vec![V4.into()]));
    Ok(())
}

#[netns_test(ipv6 = false)]
fn without_ipv6(dns: Node, peer: Node) -> TestResult {
    serves(&dns, &peer)
}

#[netns_test(subnet = "fd09::/64")]
fn without_ipv4(dns: Node, peer: Node) -> TestResult {
    serves(&dns, &peer)
}

/// Port 53 is free for whoever the test is.
#[netns_test(root = false)]
fn not_as_root(dns: Node, peer: Node) -> TestResult {
    serves(&dns, &peer)
}

fn serves(dns: &Node, peer: &Node) -> TestResult {
    let dns = dns.serve_dns()?;
    dns.answer("db.example", V4)?;
    assert_eq!(look_up("db.example"), Ok(vec![V4.into()]));
    assert_eq!(peer.run(|| look_up("db.example")), Ok(vec![V4.into()]));
    Ok(())
}

/// Nobody else is there: the program under test, and the names that it looks up.
#[netns_test]
fn a_test_that_is_alone_serves_itself(net: Net) -> TestResult {
    let dns = net.local().serve_dns()?;
    dns.answer("db.example", V4)?;
    assert_eq!(look_up("db.example"), Ok(vec![V4.into()]));
    Ok(())
}
