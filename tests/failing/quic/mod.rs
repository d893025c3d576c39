//! QUIC, by quinn.

use std::time::Duration;

use nstest::{Node, TestResult, netns_test};

use pair::Pair;

mod addresses;
mod conditions;
mod pair;

#[netns_test]
async fn bytes_arrive_whole_and_in_order(client: Node, server: Node) -> TestResult {
    let pair = Pair::connect(&client, &server, server.ip()).await?;
    assert!(client.ips().contains(&pair.seen().ip()));
    pair.transfer(1 << 20).await?;
    Ok(())
}

#[netns_test]
async fn data_sent_while_the_link_is_down_arrives_later(client: Node, server: Node) -> TestResult {
    let pair = Pair::connect(&client, &server, server.ip()).await?;
    let mut stream = pair.stream().await?;
    let sent = pair.near.stats().udp_tx.datagrams;
    server.link().down()?;
    let exchange = client.spawn_async(async move { stream.exchange(b"patience").await });
    // It was sent, and retransmitted without an acknowledgement.
    nstest::eventually(Duration::from_secs(10), || pair.near.stats().udp_tx.datagrams > sent + 1)?;
    assert!(!exchange.is_finished());
    server.link().up()?;
    exchange.await?
}
