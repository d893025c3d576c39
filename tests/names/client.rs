//! What hickory-resolver sees. It has a cache, repeats queries, and needs an async runtime.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::name_server::TokioConnectionProvider;
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RecordType;
use hickory_resolver::proto::xfer::Protocol;
use hickory_resolver::{ResolveError, TokioResolver};
use nstest::dns::{Answer, QueryType, Record, Transport};
use nstest::{Net, Node, TestResult, netns_test};

const V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);

/// A client that is configured by /etc/resolv.conf.
fn client() -> TestResult<TokioResolver> {
    Ok(TokioResolver::builder_tokio()?.build())
}

fn addrs(found: hickory_resolver::lookup::Ipv4Lookup) -> Vec<Ipv4Addr> {
    found.iter().map(|addr| addr.0).collect()
}

/// The response code in the client's error. `None`: there was no response.
fn code(error: &ResolveError) -> Option<ResponseCode> {
    use hickory_resolver::proto::ProtoErrorKind;
    match error.proto()?.kind() {
        ProtoErrorKind::NoRecordsFound { response_code, .. } => Some(*response_code),
        _ => None,
    }
}

#[netns_test]
async fn every_kind_of_record_is_found(dns: Node) -> TestResult {
    let dns = dns.serve_dns()?;
    dns.answer("db.example", Record::from(V4).ttl(Duration::from_secs(60)))?;
    dns.answer("www.example", Record::cname("db.example"))?;
    dns.answer("example", [Record::mx(10, "mx.example"), Record::txt("v=spf1 -all")])?;
    dns.answer("_db._tcp.example", Record::srv(1, 2, 5432, "db.example"))?;
    dns.answer("7.2.0.192.in-addr.arpa", Record::ptr("db.example"))?;
    let client = client()?;
    assert_eq!(addrs(client.ipv4_lookup("www.example.").await?), [V4]);
    let mail = client.mx_lookup("example.").await?;
    let mail: Vec<_> = mail.iter().map(|mx| (mx.preference(), mx.exchange().to_ascii())).collect();
    assert_eq!(mail, [(10, "mx.example.".to_owned())]);
    let text = client.txt_lookup("example.").await?;
    assert_eq!(text.iter().map(ToString::to_string).collect::<Vec<_>>(), ["v=spf1 -all"]);
    let service = client.srv_lookup("_db._tcp.example.").await?;
    let service: Vec<_> = service.iter().map(|srv| (srv.priority(), srv.port())).collect();
    assert_eq!(service, [(1, 5432)]);
    let name = client.reverse_lookup(V4.into()).await?;
    assert_eq!(name.iter().map(ToString::to_string).collect::<Vec<_>>(), ["db.example."]);
    Ok(())
}

#[netns_test]
async fn each_failure_gives_its_own_error(dns: Node) -> TestResult {
    let dns = dns.serve_dns()?;
    for (name, answer, expected) in [
        ("nxdomain.example.", Answer::NXDOMAIN, Some(ResponseCode::NXDomain)),
        ("nodata.example.", Answer::NODATA, Some(ResponseCode::NoError)),
        ("servfail.example.", Answer::SERVFAIL, Some(ResponseCode::ServFail)),
        ("refused.example.", Answer::REFUSED, Some(ResponseCode::Refused)),
    ] {
        let scripted = dns.answer(name, answer)?;
        let error = client()?.ipv4_lookup(name).await.map(addrs).unwrap_err();
        assert_eq!(code(&error), expected, "{name}: {error:?}");
        assert!(scripted.count() > 0);
    }
    for (name, answer) in [
        ("silent.example.", Answer::SILENT),
        ("id.example.", Answer::wrong_id([V4])),
        ("late.example.", Answer::from(V4).after(Duration::from_secs(60))),
    ] {
        let scripted = dns.answer(name, answer)?;
        let start = Instant::now();
        let error = client()?.ipv4_lookup(name).await.map(addrs).unwrap_err();
        assert_eq!(code(&error), None, "{name}: {error:?}");
        assert!(start.elapsed() >= Duration::from_millis(950), "{name}: {:?}", start.elapsed());
        assert!(scripted.count() > 0);
    }
    Ok(())
}

#[netns_test]
async fn a_truncated_answer_is_fetched_over_tcp(dns: Node) -> TestResult {
    let dns = dns.serve_dns()?;
    dns.answer("cut.example", Answer::truncated([V4]))?;
    assert_eq!(addrs(client()?.ipv4_lookup("cut.example.").await?), [V4]);
    let over: Vec<_> = dns.queries().iter().map(|query| query.transport).collect();
    assert_eq!(over, [Transport::Udp, Transport::Tcp]);
    Ok(())
}

/// The client caches the old address for its time to live.
#[netns_test]
async fn a_cache_keeps_a_record_for_its_time_to_live(dns: Node) -> TestResult {
    let dns = dns.serve_dns()?;
    let new = Ipv4Addr::new(192, 0, 2, 8);
    dns.answer("kept.example", Record::from(V4).ttl(Duration::from_secs(3600)))?;
    dns.answer("fresh.example", V4)?;
    let client = client()?;
    for name in ["kept.example.", "fresh.example."] {
        assert_eq!(addrs(client.ipv4_lookup(name).await?), [V4]);
        dns.answer(name, new)?;
    }
    assert_eq!(addrs(client.ipv4_lookup("kept.example.").await?), [V4]);
    assert_eq!(addrs(client.ipv4_lookup("fresh.example.").await?), [new]);
    Ok(())
}

/// The source of a response is the address that was asked, not the one that the route would
/// choose.
#[netns_test]
async fn a_response_comes_from_the_address_that_was_asked(net: Net) -> TestResult {
    let near = net.add_lan("near").subnet("10.1.0.0/24").subnet("fd01:1::/64").build()?;
    let far = net.add_lan("far").build()?;
    let gateways: [IpAddr; 2] = ["10.1.0.9".parse()?, "fd01:1::9".parse()?];
    let node = net.add_node("dns").join(&far).join(&near).ip(gateways[0]).ip(gateways[1]);
    let node = node.build()?;
    net.local().join(&near)?;
    for (subnet, gateway) in ["10.0.0.0/8", "fd00::/16"].into_iter().zip(gateways) {
        net.local().add_route(subnet, gateway)?;
    }
    let dns = node.serve_dns()?;
    dns.answer("db.example", V4)?;
    assert_eq!(node.ips().len(), 4);
    for addr in node.ips() {
        for protocol in [Protocol::Udp, Protocol::Tcp] {
            let server = NameServerConfig::new((addr, 53).into(), protocol);
            let config = ResolverConfig::from_parts(None, vec![], vec![server]);
            let client =
                TokioResolver::builder_with_config(config, TokioConnectionProvider::default());
            let found = client.build().lookup("db.example.", RecordType::A).await;
            assert_eq!(found.map(|found| found.records().len()).ok(), Some(1), "{addr} {protocol}");
            let query = dns.queries().pop().expect("it was asked");
            assert_eq!(query.kind, QueryType::A);
            assert!(net.local().ips().contains(&query.from.ip()), "{query}");
        }
    }
    let families =
        |v4| dns.queries().iter().filter(|q| IpAddr::is_ipv4(&q.from.ip()) == v4).count();
    assert_eq!((families(true), families(false)), (4, 4));
    Ok(())
}

/// The server needs no async runtime: this test blocks the only one.
#[netns_test]
async fn a_blocking_look_up_is_answered(dns: Node) -> TestResult {
    let dns = dns.serve_dns()?;
    dns.answer("db.example", V4)?;
    assert_eq!(crate::look_up("db.example"), Ok(vec![V4.into()]));
    let mut found = tokio::net::lookup_host("db.example:80").await?;
    assert_eq!(found.next(), Some((V4, 80).into()));
    Ok(())
}
