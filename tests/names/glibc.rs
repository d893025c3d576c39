//! What programs see that call getaddrinfo(3).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use nstest::dns::{Answer, QueryType, Record, Transport};
use nstest::{Net, Node, TestResult, netns_test};

use crate::{asked, getent, look_up, timed};

const V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);
const V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7);

const NXDOMAIN: &str = "Name or service not known";
const NODATA: &str = "No address associated with hostname";
const AGAIN: &str = "Temporary failure in name resolution";

/// How long glibc waits at least: one second by /etc/resolv.conf, minus its rounding.
const TIMEOUT: Duration = Duration::from_millis(950);
/// How much longer it may take on a busy machine.
const GRACE: Duration = Duration::from_secs(10);

#[netns_test]
fn records_are_found_in_every_node(dns: Node, peer: Node, net: Net) -> TestResult {
    let dns = dns.serve_dns()?;
    dns.answer("both.example", [IpAddr::from(V4), V6.into()])?;
    dns.answer("alias.example", Record::cname("both.example"))?;
    dns.answer("one.example.", V4)?;
    // The names of nodes come first: /etc/nsswitch.conf has `files` before `dns`.
    dns.answer("peer", V4)?;
    let both = Ok(vec![V4.into(), V6.into()]);
    for name in ["both.example", "BOTH.example", "alias.example", "both.example."] {
        assert_eq!(look_up(name), both, "{name}");
        assert_eq!(peer.run(|| look_up(name)), both, "{name}");
        assert_eq!(peer.spawn(move || look_up(name)).join().expect("no panic"), both, "{name}");
        let (shown, status) = getent(&peer, name);
        assert_eq!(status, Some(0));
        assert!(shown.contains("192.0.2.7 ") && shown.contains("2001:db8::7 "), "{shown}");
    }
    assert_eq!(look_up("one.example"), Ok(vec![V4.into()]));
    let known = look_up("peer")?;
    assert!(known.contains(&peer.ip()) && !known.contains(&V4.into()), "{known:?}");
    assert!(dns.queries().iter().all(|query| query.name != "peer."));
    let from: Vec<IpAddr> = dns.queries().iter().map(|query| query.from.ip()).collect();
    assert!(from.contains(&net.local().ip()) && from.contains(&peer.ip()), "{from:?}");
    Ok(())
}

#[netns_test]
fn each_failure_gives_its_own_error(dns: Node, peer: Node) -> TestResult {
    let dns = dns.serve_dns()?;
    dns.answer("nodata.example", Answer::NODATA)?;
    dns.answer("nxdomain.example", Answer::NXDOMAIN)?;
    dns.answer("servfail.example", Answer::SERVFAIL)?;
    dns.answer("refused.example", Answer::REFUSED)?;
    dns.answer("dangling.example", Record::cname("missing.example"))?;
    dns.answer("mail.example", Record::mx(10, "mx.example"))?;
    for (name, error, status) in [
        ("nxdomain.example", NXDOMAIN, 2),
        ("missing.example", NXDOMAIN, 2),
        ("dangling.example", NXDOMAIN, 2),
        ("nodata.example", NODATA, 2),
        ("mail.example", NODATA, 2),
        ("servfail.example", AGAIN, 2),
        ("refused.example", AGAIN, 2),
    ] {
        let (found, took) = timed(name);
        let found = found.unwrap_err();
        assert!(found.ends_with(error), "{name}: {found}");
        assert!(took < GRACE, "{name}: {took:?}");
        assert_eq!(getent(&peer, name), (String::new(), Some(status)), "{name}");
    }
    Ok(())
}

/// A correct resolver accepts none of these as an answer.
#[netns_test]
fn without_an_answer_a_look_up_times_out(dns: Node) -> TestResult {
    let dns = dns.serve_dns()?;
    dns.answer("silent.example", Answer::SILENT)?;
    dns.answer("id.example", Answer::wrong_id([V4]))?;
    dns.answer("question.example", Answer::wrong_question([V4]))?;
    dns.answer("late.example", Answer::from(V4).after(TIMEOUT * 20))?;
    for name in ["silent.example", "id.example", "question.example", "late.example"] {
        let (found, took) = timed(name);
        let error = found.unwrap_err();
        assert!(error.ends_with(AGAIN), "{name}: {error}");
        assert!(took >= TIMEOUT && took < TIMEOUT + GRACE, "{name}: {took:?}");
        let queries = dns.queries();
        let times = queries.iter().filter(|q| q.name == format!("{name}.")).count();
        assert_eq!(times, 2, "{name}: {queries:?}");
    }
    Ok(())
}

#[netns_test]
fn a_slow_answer_does_not_delay_others(dns: Node) -> TestResult {
    let dns = dns.serve_dns()?;
    let slow = Duration::from_millis(400);
    dns.answer("slow.example", Answer::from(V4).after(slow))?;
    dns.answer("fast.example", V4)?;
    let (found, took) = timed("slow.example");
    assert_eq!(found, Ok(vec![V4.into()]));
    assert!(took >= slow, "{took:?}");

    // The resolver answers other queries while a response is pending.
    dns.answer("silent.example", Answer::from(V4).after(Duration::from_secs(3600)))?;
    let waiting = std::thread::spawn(|| look_up("silent.example"));
    nstest::eventually(GRACE, || dns.queries().iter().any(|q| q.name == "silent.example."))?;
    assert_eq!(look_up("fast.example"), Ok(vec![V4.into()]));
    assert!(waiting.join().expect("no panic").is_err());
    Ok(())
}

#[netns_test]
fn a_truncated_answer_is_fetched_over_tcp(dns: Node, peer: Node) -> TestResult {
    let dns = dns.serve_dns()?;
    let truncated = dns.answer("cut.example", Answer::truncated([V4]).only(QueryType::A))?;
    assert!(look_up("cut.example").is_ok());
    assert_eq!(truncated.count(), 2);
    let queries = dns.queries();
    let of_a: Vec<_> = asked(&queries).into_iter().filter(|q| q.1 == QueryType::A).collect();
    let over = |transport| ("cut.example.", QueryType::A, transport);
    assert_eq!(of_a, [over(Transport::Udp), over(Transport::Tcp)]);

    // An answer that is truncated because of its length is no failure.
    let many: Vec<Ipv4Addr> = (1..=100).map(|last| Ipv4Addr::new(192, 0, 2, last)).collect();
    dns.answer("long.example", many)?;
    assert_eq!(look_up("long.example").map(|addrs| addrs.len()), Ok(100));
    assert_eq!(peer.run(|| look_up("long.example")).map(|addrs| addrs.len()), Ok(100));
    Ok(())
}

#[netns_test]
fn answers_change_while_the_test_runs(dns: Node) -> TestResult {
    let dns = dns.serve_dns()?;
    let new = Ipv4Addr::new(192, 0, 2, 8);
    let (old, changed) = (Ok(vec![V4.into()]), Ok(vec![new.into()]));
    dns.answer("db.example", V4)?;
    assert_eq!(look_up("db.example"), old);
    // Each look-up takes two queries.
    let failing = dns.answer("db.example", Answer::SERVFAIL.times(4))?;
    let failed = |found: Result<_, String>| found.unwrap_err().ends_with(AGAIN);
    assert!(failed(look_up("db.example")) && failed(look_up("db.example")));
    assert_eq!(failing.count(), 4);
    assert_eq!(look_up("db.example"), old);
    let stale = dns.answer("db.example", Answer::from(new).stale(Duration::from_secs(3600)))?;
    assert_eq!(look_up("db.example"), old);
    assert_eq!(stale.count(), 2);
    dns.answer("db.example", new)?;
    assert_eq!(look_up("db.example"), changed);
    let soon = Answer::from(V4).stale(Duration::from_millis(100)).optional();
    dns.answer("db.example", soon)?;
    nstest::eventually(GRACE, || look_up("db.example") == old)?;
    Ok(())
}

/// The query for the other IP version is answered at once, but the program still waits.
#[netns_test]
fn one_ip_version_can_fail_alone(dns: Node) -> TestResult {
    let dns = dns.serve_dns()?;
    dns.answer("db.example", [IpAddr::from(V4), V6.into()])?;
    dns.answer("db.example", Answer::NODATA.only(QueryType::AAAA))?;
    assert_eq!(look_up("db.example"), Ok(vec![V4.into()]));
    dns.answer("db.example", Answer::SILENT.only(QueryType::AAAA))?;
    let (_, took) = timed("db.example");
    assert!(took >= TIMEOUT, "{took:?}");
    Ok(())
}
