//! Queries travel over the network of the test.

use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use nix::libc;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::TimeValLike;
use nstest::dns::Answer;
use nstest::{Nat, Net, Node, TestResult, netns_test};

use crate::look_up;

const V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);

#[netns_test]
fn a_router_translates_queries(net: Net) -> TestResult {
    let internet = net.add_lan("internet").subnet("203.0.113.0/24").build()?;
    let home = net.add_lan("home").subnet("192.168.1.0/24").build()?;
    let outside = Ipv4Addr::new(203, 0, 113, 50);
    let router = net.add_router("router").lan(&home).wan(&internet).ip(outside);
    router.nat(Nat::PORT_RESTRICTED).build()?;
    let laptop = net.add_node("laptop").join(&home).build()?;
    let dns = net.add_node("dns").join(&internet).build()?.serve_dns()?;
    dns.answer("db.example", V4)?;
    assert_eq!(laptop.run(|| look_up("db.example")), Ok(vec![V4.into()]));
    assert!(dns.queries().iter().all(|query| query.from.ip() == outside));
    Ok(())
}

#[netns_test]
fn while_its_link_is_down_a_resolver_does_not_answer(dns: Node) -> TestResult {
    let link = dns.link();
    let dns = dns.serve_dns()?;
    dns.answer("db.example", V4)?;
    assert!(look_up("db.example").is_ok());
    link.down()?;
    assert!(look_up("db.example").is_err());
    link.up()?;
    // The kernel resolves the neighbour once a second, and glibc waits one second.
    nstest::eventually(Duration::from_secs(30), || look_up("db.example"))?;
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

/// An ordinary user can bind port 53 in a test.
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

/// The test has no other node.
#[netns_test]
fn a_test_that_is_alone_serves_itself(net: Net) -> TestResult {
    let dns = net.local().serve_dns()?;
    dns.answer("db.example", V4)?;
    assert_eq!(look_up("db.example"), Ok(vec![V4.into()]));
    Ok(())
}

/// A client that has gone while its response is pending costs no processor time.
#[netns_test]
fn a_resolver_that_waits_is_idle(dns: Node) -> TestResult {
    let addr = (dns.ip(), 53);
    let dns = dns.serve_dns()?;
    dns.answer("late.example", Answer::from(V4).after(Duration::from_secs(3600)))?;
    dns.answer("silent.example", Answer::SILENT)?;
    let mut client = TcpStream::connect(addr)?;
    let message = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x04late\x07example\0\0\x01\0\x01";
    client.write_all(&[&[0, message.len() as u8], &message[..]].concat())?;
    nstest::eventually(Duration::from_secs(10), || !dns.queries().is_empty())?;
    // Closed by a reset, not by a FIN: socket(7).
    setsockopt(&client, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 })?;
    drop(client);
    let before = processor_time()?;
    assert!(look_up("silent.example").is_err());
    let spent = processor_time()? - before;
    assert!(spent < Duration::from_millis(50), "{spent:?}");
    Ok(())
}

fn processor_time() -> TestResult<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let time = usage.user_time() + usage.system_time();
    Ok(Duration::from_micros(time.num_microseconds().try_into()?))
}
