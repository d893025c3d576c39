//! What a path does to its packets is mended below the streams.

use std::time::Duration;

use nstest::{Condition, Injection, Node, Percent, TestResult, netns_test};

use super::pair::Pair;

const BYTES: usize = 1 << 19;

/// Packets that QUIC took for lost, of both sides.
fn lost(pair: &Pair) -> u64 {
    [&pair.near, &pair.far].iter().map(|side| side.stats().path.lost_packets).sum()
}

/// A transfer there and back, with the server's link like this.
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
async fn what_is_lost_is_sent_again(client: Node, server: Node) -> TestResult {
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
async fn a_connection_is_made_on_a_path_that_loses(client: Node, server: Node) -> TestResult {
    let lossy = server.link().condition(Condition::new().loss(Percent::new(10.0)))?;
    for _ in 0..5 {
        let pair = Pair::connect(&client, &server, server.ip()).await?;
        pair.transfer(BYTES / 8).await?;
    }
    assert!(lossy.affected() > 0);
    Ok(())
}

#[netns_test]
async fn what_overtakes_waits_for_what_was_before(client: Node, server: Node) -> TestResult {
    let delay = Duration::from_millis(5);
    let reorders = Condition::new().delay(delay).reorder(Percent::new(25.0));
    let (pair, _) = under(&client, &server, reorders).await?;
    assert!(pair.near.rtt() >= delay, "{:?}", pair.near.rtt());
    Ok(())
}

#[netns_test]
async fn what_comes_twice_counts_once(client: Node, server: Node) -> TestResult {
    let (pair, twice) =
        under(&client, &server, Condition::new().duplicate(Percent::new(20.0))).await?;
    // One at a time, since a socket that is full loses what comes more than once, too.
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

/// Datagrams that were sent, and that arrived, of both sides.
fn datagrams(pair: &Pair) -> (u64, u64) {
    let stats = [pair.near.stats(), pair.far.stats()];
    let sent = stats.iter().map(|side| side.udp_tx.datagrams).sum();
    (sent, stats.iter().map(|side| side.udp_rx.datagrams).sum())
}

/// To the checksum of UDP, or to the seal of the packet (RFC 9001 §5.3), a packet
/// with a wrong bit is none.
#[netns_test]
async fn what_is_corrupt_is_as_lost(client: Node, server: Node) -> TestResult {
    let corrupt = Condition::new().corrupt(Percent::new(5.0));
    let (pair, corrupt) = under(&client, &server, corrupt).await?;
    assert!(lost(&pair) > 0, "{corrupt:?}");
    Ok(())
}

#[netns_test]
async fn all_of_it_at_once_is_mended(client: Node, server: Node) -> TestResult {
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
