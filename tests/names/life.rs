//! Resolvers that start, get another address and are removed, and what is reported about them.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nstest::dns::Answer;
use nstest::{ErrorCode, Net, Node, TestResult, netns_test};
use nstest_tests::driver::Run;

use crate::look_up;

const V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);

fn resolv_conf() -> String {
    std::fs::read_to_string("/etc/resolv.conf").expect("read /etc/resolv.conf")
}

/// The name servers in /etc/resolv.conf.
fn name_servers() -> Vec<String> {
    let text = resolv_conf();
    let servers = text.lines().filter_map(|line| line.strip_prefix("nameserver "));
    servers.map(str::to_owned).collect()
}

#[netns_test]
fn resolv_conf_names_the_resolvers_that_exist(net: Net) -> TestResult {
    let before = resolv_conf();
    let lan = net.add_lan("lan").subnet("10.9.0.0/24").without_ipv6().build()?;
    net.local().join(&lan)?;
    let first = net.add_node("first").join(&lan).build()?;
    let second = net.add_node("second").join(&lan).build()?;
    assert_eq!(resolv_conf(), before);
    first.serve_dns()?.answer("db.example", Answer::SERVFAIL)?;
    assert_eq!(name_servers(), ["10.9.0.2"]);
    assert!(resolv_conf().ends_with("options timeout:1 attempts:1\n"));
    assert!(look_up("db.example").is_err());

    // If the first resolver fails, the second is asked.
    second.serve_dns()?.answer("db.example", V4)?;
    assert_eq!(name_servers(), ["10.9.0.2", "10.9.0.3"]);
    assert_eq!(look_up("db.example"), Ok(vec![V4.into()]));

    // The file has the same size as before. glibc reads it again all the same.
    first.remove()?;
    second.set_address(&lan, Ipv4Addr::new(10, 9, 0, 4).into())?;
    assert_eq!(name_servers(), ["10.9.0.4"]);
    for last in [5, 6, 7, 8] {
        let addr = Ipv4Addr::new(10, 9, 0, last);
        second.set_address(&lan, addr.into())?;
        assert_eq!(name_servers(), [addr.to_string()]);
        assert_eq!(look_up("db.example"), Ok(vec![V4.into()]), "{addr}");
    }
    second.leave(&lan)?;
    assert_eq!(resolv_conf().trim_end(), before.trim_end());
    second.join(&lan)?;
    assert_eq!(name_servers(), [second.ip().to_string()]);
    second.remove()?;
    assert_eq!(resolv_conf().trim_end(), before.trim_end());
    assert!(look_up("db.example").is_err());
    Ok(())
}

/// A program that reads the file while it changes always finds a name server in it.
#[netns_test]
fn resolv_conf_is_replaced_atomically(net: Net) -> TestResult {
    let lan = net.add_lan("lan").subnet("10.9.0.0/24").build()?;
    let dns = net.add_node("dns").join(&lan).build()?;
    dns.serve_dns()?;
    let over = Arc::new(AtomicBool::new(false));
    let done = Arc::clone(&over);
    let reader = std::thread::spawn(move || {
        while !done.load(Ordering::Relaxed) {
            assert_ne!(name_servers(), [""; 0]);
        }
    });
    for last in (100..200).map(|last| Ipv4Addr::new(10, 9, 0, last)) {
        dns.set_address(&lan, last.into())?;
    }
    over.store(true, Ordering::Relaxed);
    reader.join().expect("no panic");
    Ok(())
}

#[netns_test]
fn invalid_requests_are_errors(dns: Node, net: Net) -> TestResult {
    let island = net.add_node("island").build()?;
    let error = island.serve_dns().unwrap_err();
    assert_eq!(error.code(), ErrorCode::NoAddress, "{error:?}");
    // No socket was left open.
    island.run(|| TcpListener::bind("[::]:53"))?;

    let udp = dns.run(|| UdpSocket::bind("0.0.0.0:53"))?;
    assert_eq!(dns.serve_dns().unwrap_err().code(), ErrorCode::InUse);
    drop(udp);
    let tcp = dns.run(|| TcpListener::bind("[::]:53"))?;
    assert_eq!(dns.serve_dns().unwrap_err().code(), ErrorCode::InUse);
    drop(tcp);
    assert!(resolv_conf().contains("no name server"));

    let resolver = dns.serve_dns()?;
    let error = dns.serve_dns().unwrap_err();
    assert_eq!(error.code(), ErrorCode::InUse);
    assert!(format!("{error:?}").contains("port 53 of node dns"), "{error:?}");
    assert_eq!(resolver.answer("a..b", V4).unwrap_err().code(), ErrorCode::Name);
    assert_eq!(
        resolver.answer("a", Answer::SILENT.times(0)).unwrap_err().code(),
        ErrorCode::Config
    );

    let lan = net.add_lan("lan").build()?;
    for nth in 2..=3 {
        net.add_node(&format!("dns{nth}")).join(&lan).build()?.serve_dns()?;
    }
    let fourth = net.add_node("dns4").join(&lan).build()?;
    let error = fourth.serve_dns().unwrap_err();
    assert_eq!(error.code(), ErrorCode::TooMany, "{error:?}");
    assert_eq!(name_servers().len(), 3);
    Ok(())
}

#[netns_test]
#[ignore = "fixture of another test"]
fn has_a_failure_that_no_query_gets(dns: Node) -> TestResult {
    let dns = dns.serve_dns()?;
    dns.answer("db.example", V4)?;
    dns.answer("api.example", Answer::SERVFAIL)?;
    dns.answer("www.example", Answer::SILENT.optional())?;
    look_up("db.example")?;
    Ok(())
}

#[test]
fn a_failure_that_no_query_gets_fails_the_test() {
    let outcome = Run::of(&["life::has_a_failure_that_no_query_gets"]).run();
    let text = outcome.text();
    assert!(!outcome.status.success(), "{text}");
    assert!(
        text.contains(
            "resolver in node dns: no query got the answer `SERVFAIL` for api.example.; its queries were for db.example.\n  help: "
        ),
        "{text}"
    );
    assert!(!text.contains("www.example"), "{text}");
}
