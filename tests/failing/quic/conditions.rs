//! QUIC streams are correct over paths that lose, reorder, duplicate and corrupt packets.

use std::time::Duration;

use nstest::{Condition, Injection, Node, Percent, TestResult, netns_test};

use super::pair::Pair;

const BYTES: usize = 1 << 19;

/// The packets that QUIC considers lost, of both ends.
fn lost(pair: &Pair) -> u64 {
    [&pair.near, &pair.far].iter().map(|side| side.stats().path.lost_packets).sum()
}

/// A transfer in both directions, with this condition of the server's link.
async fn under(
    client: &Node,
    server: &Node,
    condition: Condition,
) -> TestResult<(Pair, Injection)> {
    let pair = Pair::connect(client, server, server.ip()).await?;
    let condition = server.link().condition(condition)?;
    pair.transfer(BYTES).await?;
    println!("{condition:?}, {} lost", lost(&pair));
    assert!(condition.affected() > 0);
    Ok((pair, condition))
}

#[netns_test]
async fn lost_packets_are_retransmitted(client: Node, server: Node) -> TestResult {
    for percent in [5.0, 10.0] {
        let loss = Condition::new().loss(Percent::new(percent));
        let (pair, lossy) = under(&client, &server, loss).await?;
        assert!(lost(&pair) > 0, "{lossy:?}");
        lossy.end()?;
        pair.transfer(BYTES).await?;
    }
    Ok(())
}

#[netns_test]
async fn a_connection_is_established_over_a_lossy_path(client: Node, server: Node) -> TestResult {
    let lossy = server.link().condition(Condition::new().loss(Percent::new(10.0)))?;
    for _ in 0..5 {
        let pair = Pair::connect(&client, &server, server.ip()).await?;
        pair.transfer(BYTES / 8).await?;
    }
    assert!(lossy.affected() > 0);
    Ok(())
}

#[netns_test]
async fn reordered_data_is_delivered_in_order(client: Node, server: Node) -> TestResult {
    let delay = Duration::from_millis(5);
    let reorders = Condition::new().delay(delay).reorder(Percent::new(25.0));
    let (pair, _) = under(&client, &server, reorders).await?;
    assert!(pair.near.rtt() >= delay, "{:?}", pair.near.rtt());
    Ok(())
}

#[netns_test]
async fn duplicates_are_delivered_once(client: Node, server: Node) -> TestResult {
    let (pair, twice) =
        under(&client, &server, Condition::new().duplicate(Percent::new(20.0))).await?;
    // One at a time, because a full socket drops duplicates.
    let before = datagrams(&pair);
    let mut stream = pair.stream().await?;
    for _ in 0..200 {
        stream.exchange(b"once").await?;
    }
    let after = datagrams(&pair);
    let (sent, received) = (after.0 - before.0, after.1 - before.1);
    assert!(received > sent, "{received} of {sent}, {twice:?}");
    Ok(())
}

/// The numbers of datagrams sent and received, of both ends.
fn datagrams(pair: &Pair) -> (u64, u64) {
    let stats = [pair.near.stats(), pair.far.stats()];
    let sent = stats.iter().map(|side| side.udp_tx.datagrams).sum();
    (sent, stats.iter().map(|side| side.udp_rx.datagrams).sum())
}

/// The checksum of UDP or the authentication tag of the packet (RFC 9001 §5.3) reveals an
/// inverted bit, and the packet is dropped.
#[netns_test]
async fn corrupt_packets_count_as_lost(client: Node, server: Node) -> TestResult {
    let corrupt = Condition::new().corrupt(Percent::new(5.0));
    let (pair, corrupt) = under(&client, &server, corrupt).await?;
    assert!(lost(&pair) > 0, "{corrupt:?}");
    Ok(())
}

#[netns_test]
async fn all_conditions_together_are_handled(client: Node, server: Node) -> TestResult {
    let all = Condition::new()
        .delay(Duration::from_millis(2))
        .reorder(Percent::new(10.0))
        .loss(Percent::new(3.0))
        .duplicate(Percent::new(5.0))
        .corrupt(Percent::new(2.0));
    let (pair, _) = under(&client, &server, all).await?;
    assert!(lost(&pair) > 0);
    Ok(())
}
