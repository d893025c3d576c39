//! Elections, commits, and the state after them.

use nstest::{Node, TestResult, netns_test};
use openraft::error::{CheckIsLeaderError, RaftError};

use super::cluster::{Cluster, Refused};

#[netns_test]
async fn all_members_apply_a_commit(a: Node, b: Node, c: Node) -> TestResult {
    let cluster = Cluster::start([a, b, c]).await?;
    let leader = cluster.leader().await?;
    for n in 0..20 {
        leader.write(&format!("key {n}"), "value").await?;
    }
    assert_eq!(cluster.agreed(&leader).await?.len(), 20);
    let follower = &cluster.without(&leader)[0];
    let told = follower.write("key", "value").await.unwrap_err();
    assert_eq!(forwarded(&told), Some(leader.id), "{told}");
    Ok(())
}

/// The member to which another one forwards a client.
fn forwarded(error: &Refused) -> Option<u64> {
    error.forward_to_leader().and_then(|forward| forward.leader_id)
}

#[netns_test]
async fn a_leader_that_is_cut_off_is_replaced(a: Node, b: Node, c: Node) -> TestResult {
    let cluster = Cluster::start([a, b, c]).await?;
    let old = cluster.leader().await?;
    old.write("before", "all three").await?;
    cluster.agreed(&old).await?;
    let before = old.applied().await;

    old.node.link().down()?;
    let writer = old.clone();
    let lost = tokio::spawn(async move { writer.write("during", "the minority").await });
    let majority = cluster.without(&old);
    let new = Cluster::leader_among(&majority).await?;
    new.write("during", "the majority").await?;

    // It considers itself the leader, but cannot commit.
    let asked = old.raft.ensure_linearizable().await.unwrap_err();
    let alone = matches!(asked, RaftError::APIError(CheckIsLeaderError::QuorumNotEnough(_)));
    assert!(alone, "{asked}");
    assert!(!lost.is_finished() && old.applied().await == before);

    old.node.link().up()?;
    let told = lost.await?.unwrap_err();
    assert!(told.forward_to_leader().is_some(), "{told}");
    let leader = cluster.leader().await?;
    leader.write("after", "all three").await?;
    let state = cluster.agreed(&leader).await?;
    assert_eq!(state["during"], "the majority");
    assert_eq!(state.len(), 3);
    Ok(())
}

#[netns_test]
async fn a_follower_that_is_cut_off_catches_up(a: Node, b: Node, c: Node) -> TestResult {
    let cluster = Cluster::start([a, b, c]).await?;
    let leader = cluster.leader().await?;
    let away = cluster.without(&leader).remove(0);
    away.node.link().down()?;
    for n in 0..20 {
        leader.write(&format!("key {n}"), "value").await?;
    }
    assert!(away.state().await.is_empty());
    away.node.link().up()?;
    // It was a candidate the whole time, so another member may lead afterwards.
    let leader = cluster.leader().await?;
    assert_eq!(cluster.agreed(&leader).await?.len(), 20);
    Ok(())
}

#[netns_test]
async fn without_a_majority_nothing_is_committed(a: Node, b: Node, c: Node) -> TestResult {
    let cluster = Cluster::start([a, b, c]).await?;
    let leader = cluster.leader().await?;
    leader.write("before", "all three").await?;
    cluster.agreed(&leader).await?;
    let (before, term) = (leader.applied().await, leader.term());
    let others = cluster.without(&leader);
    for other in &others {
        other.node.link().down()?;
    }
    let writer = leader.clone();
    let pending = tokio::spawn(async move { writer.write("during", "nobody").await });
    assert!(leader.raft.ensure_linearizable().await.is_err());
    for other in &others {
        // Each is a candidate in a term of its own, and gets only its own vote.
        let what = "a second candidacy";
        other.wait(what, |metrics| metrics.current_term > term + 1).await?;
        assert_ne!(other.raft.metrics().borrow().current_leader, Some(other.id));
        assert_eq!(other.state().await.len(), 1);
    }
    assert!(!pending.is_finished() && leader.applied().await == before);
    for other in &others {
        other.node.link().up()?;
    }
    // Whether it is committed depends on the election; all members agree.
    let counts = pending.await?.is_ok();
    let leader = cluster.leader().await?;
    leader.write("after", "all three").await?;
    let state = cluster.agreed(&leader).await?;
    assert_eq!(state.contains_key("during"), counts);
    Ok(())
}
