//! hickory-resolver, and name servers that fail.

use std::net::Ipv4Addr;

use hickory_resolver::config::ServerOrderingStrategy;
use hickory_resolver::{ResolveError, TokioResolver};
use nstest::dns::{Answer, Record, Transport};
use nstest::{Net, Node, TestResult, netns_test};

/// Your code: the address of the shop. It asks the servers of /etc/resolv.conf one after the other.
async fn shop() -> Result<Ipv4Addr, ResolveError> {
    let mut resolver = TokioResolver::builder_tokio()?;
    resolver.options_mut().num_concurrent_reqs = 1;
    resolver.options_mut().server_ordering_strategy = ServerOrderingStrategy::UserProvidedOrder;
    let found = resolver.build().ipv4_lookup("shop.example.").await?;
    Ok(found.iter().next().expect("a look-up without an address fails").0)
}

#[netns_test]
async fn a_name_is_looked_up_while_one_of_two_servers_is_out_of_order(
    first: Node,
    second: Node,
    net: Net,
) -> TestResult {
    let address = Ipv4Addr::new(192, 0, 2, 7);
    let (broken, works) = (first.serve_dns()?, second.serve_dns()?);
    works.answer("shop.example", Record::cname("www.shop.example"))?;
    works.answer("www.shop.example", address)?;

    // It answers that it cannot answer.
    let failure = broken.answer("shop.example", Answer::SERVFAIL)?;
    assert_eq!(shop().await?, address);
    assert!(failure.count() > 0);

    // It does not answer at all.
    let silence = broken.answer("shop.example", Answer::SILENT)?;
    assert_eq!(shop().await?, address);
    assert!(silence.count() > 0);

    // It is not there.
    net.isolate(&first)?;
    assert_eq!(shop().await?, address);
    Ok(())
}

#[netns_test]
async fn an_answer_that_is_too_long_for_udp_comes_over_tcp(dns: Node) -> TestResult {
    let address = Ipv4Addr::new(192, 0, 2, 7);
    let server = dns.serve_dns()?;
    server.answer("shop.example", Answer::truncated([address]))?;
    assert_eq!(shop().await?, address);
    let transports: Vec<_> = server.queries().iter().map(|query| query.transport).collect();
    assert_eq!(transports, [Transport::Udp, Transport::Tcp]);
    Ok(())
}
