//! What programs see that call getaddrinfo(3) of musl.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nstest::dns::{Answer, QueryType, Transport};
use nstest::{Node, TestResult, netns_test};

use crate::{asked, look_up};

const V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);
const V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7);

#[netns_test]
fn records_are_found_in_every_node(dns: Node, peer: Node) -> TestResult {
    let dns = dns.serve_dns()?;
    dns.answer("both.example", [IpAddr::from(V4), V6.into()])?;
    dns.answer("one.example", V4)?;
    let both = Ok(vec![V4.into(), V6.into()]);
    assert_eq!(look_up("both.example"), both);
    assert_eq!(peer.run(|| look_up("both.example")), both);
    assert_eq!(look_up("one.example"), Ok(vec![V4.into()]));
    assert!(look_up("peer")?.contains(&peer.ip()));
    Ok(())
}

#[netns_test]
fn failures_are_errors(dns: Node) -> TestResult {
    let dns = dns.serve_dns()?;
    dns.answer("nodata.example", Answer::NODATA)?;
    dns.answer("servfail.example", Answer::SERVFAIL)?;
    for name in ["missing.example", "nodata.example", "servfail.example"] {
        assert!(look_up(name).is_err(), "{name}");
    }
    Ok(())
}

/// A name with an answer for one type exists for the other, too: musl asks for both, and one
/// that does not exist is an error for it.
#[netns_test]
fn an_answer_for_one_type_is_enough(dns: Node) -> TestResult {
    let dns = dns.serve_dns()?;
    dns.answer("one.example", Answer::from(V4).only(QueryType::A))?;
    dns.answer("other.example", Answer::from(V6).only(QueryType::AAAA))?;
    assert_eq!(look_up("one.example"), Ok(vec![V4.into()]));
    assert_eq!(look_up("other.example"), Ok(vec![V6.into()]));
    Ok(())
}

/// Since musl 1.2.4.
#[netns_test]
fn a_truncated_answer_is_fetched_over_tcp(dns: Node) -> TestResult {
    let dns = dns.serve_dns()?;
    let truncated = dns.answer("cut.example", Answer::truncated([V4]).only(QueryType::A))?;
    assert_eq!(look_up("cut.example"), Ok(vec![V4.into()]));
    assert_eq!(truncated.count(), 2);
    let queries = dns.queries();
    let of_a: Vec<_> = asked(&queries).into_iter().filter(|q| q.1 == QueryType::A).collect();
    let over = |transport| ("cut.example.", QueryType::A, transport);
    assert_eq!(of_a, [over(Transport::Udp), over(Transport::Tcp)]);
    Ok(())
}
