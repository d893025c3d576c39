//! Partitions while clients write.

use std::sync::Arc;

use nstest::{Injection, Net, Node, TestResult, netns_test};

use super::cluster::{Cluster, Member};
use super::history::{History, REGISTER};

/// A leader and its two followers.
struct Roles {
    leader: Node,
    one: Node,
    two: Node,
}

impl Roles {
    async fn of(cluster: &Cluster) -> TestResult<Self> {
        let leader = cluster.leader().await?;
        let [one, two] = <[Member; 2]>::try_from(cluster.without(&leader))
            .map_err(|others| format!("{} others", others.len()))?;
        Ok(Self { leader: leader.node, one: one.node, two: two.node })
    }
}

/// Partitions and heals the network while clients write. Then all members must agree, and the
/// history must be linearizable.
async fn survives(
    nodes: [Node; 3],
    net: Net,
    falls: impl Fn(&Net, &Roles) -> nstest::Result<Injection>,
) -> TestResult {
    let cluster = Cluster::start(nodes).await?;
    let history = Arc::new(History::default());
    let mut clients = tokio::task::JoinSet::new();
    for n in 0..3 {
        let mut members = cluster.0.clone();
        members.rotate_left(n);
        clients.spawn(Arc::clone(&history).write(members));
    }
    history.goes_on(100).await;
    let apart = falls(&net, &Roles::of(&cluster).await?)?;
    // Two of three are connected, so there can be a leader.
    history.goes_on(100).await;
    assert!(apart.affected() > 0, "{apart}");
    net.heal()?;
    history.goes_on(100).await;
    clients.shutdown().await;
    let leader = cluster.leader().await?;
    leader.write("after", "all three").await?;
    let state = cluster.agreed(&leader).await?;
    println!("{} writes", history.check(state[REGISTER].parse()?));
    Ok(())
}

#[netns_test]
async fn the_leader_alone(a: Node, b: Node, c: Node, net: Net) -> TestResult {
    survives([a, b, c], net, |net, roles| {
        net.partition(&[&[&roles.leader], &[&roles.one, &roles.two]])
    })
    .await
}

#[netns_test]
async fn a_follower_alone(a: Node, b: Node, c: Node, net: Net) -> TestResult {
    survives([a, b, c], net, |net, roles| net.isolate(&roles.one)).await
}

#[netns_test]
async fn a_leader_that_cannot_send(a: Node, b: Node, c: Node, net: Net) -> TestResult {
    survives([a, b, c], net, |net, roles| {
        net.partition_one_way(&[&roles.leader], &[&roles.one, &roles.two])
    })
    .await
}

#[netns_test]
async fn a_leader_that_cannot_receive(a: Node, b: Node, c: Node, net: Net) -> TestResult {
    survives([a, b, c], net, |net, roles| {
        net.partition_one_way(&[&roles.one, &roles.two], &[&roles.leader])
    })
    .await
}

/// The requests of the leader arrive, the answers of the follower do not.
#[netns_test]
async fn a_follower_that_cannot_send(a: Node, b: Node, c: Node, net: Net) -> TestResult {
    survives([a, b, c], net, |net, roles| net.partition_one_way(&[&roles.one], &[&roles.leader]))
        .await
}

/// The leader reaches a majority, and one follower reaches both others.
#[netns_test]
async fn a_leader_with_a_follower_between_it_and_the_other(
    a: Node,
    b: Node,
    c: Node,
    net: Net,
) -> TestResult {
    survives([a, b, c], net, |net, roles| {
        net.partition(&[&[&roles.leader, &roles.one], &[&roles.one, &roles.two]])
    })
    .await
}
