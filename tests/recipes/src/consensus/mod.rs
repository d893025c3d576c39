//! openraft: a leader that is separated from its followers.

mod transport;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use nstest::{Net, Node, TestResult, netns_test};
use openraft::storage::Adaptor;
use openraft::{Config, RaftMetrics};
use openraft_memstore::{ClientRequest, MemStore};
use tokio::net::TcpListener;
use transport::{Addresses, Raft, serve};

/// A member. The test uses these handles; members reach each other over the network only.
struct Member {
    id: u64,
    raft: Raft,
    store: Arc<MemStore>,
}

async fn start(id: u64, node: &Node, addresses: Addresses) -> TestResult<Member> {
    let store = MemStore::new_async().await;
    let (log, machine) = Adaptor::new(Arc::clone(&store));
    let config = Config {
        heartbeat_interval: 100,
        election_timeout_min: 400,
        election_timeout_max: 800,
        ..Config::default()
    };
    let raft = node.spawn_async(async move {
        let listener = TcpListener::bind(addresses.0[id as usize]).await?;
        let raft = Raft::new(id, Arc::new(config), addresses, log, machine).await?;
        tokio::spawn(serve(listener, raft.clone()));
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(raft)
    });
    Ok(Member { id, raft: raft.await??, store })
}

/// Waits for something that a member learns.
async fn wait<F>(member: &Member, what: &str, until: F) -> TestResult<RaftMetrics<u64, ()>>
where
    F: Fn(&RaftMetrics<u64, ()>) -> bool + Send,
{
    Ok(member.raft.wait(Some(Duration::from_secs(30))).metrics(until, what).await?)
}

/// The store takes a request with the serial of the last one for a repetition.
fn color(serial: u64, status: &str) -> ClientRequest {
    ClientRequest { client: "color".to_owned(), serial, status: status.to_owned() }
}

/// Writes, once one of these members is the leader. Returns it and the index of the entry.
async fn write<'m>(
    members: &[&'m Member],
    request: ClientRequest,
) -> TestResult<(&'m Member, u64)> {
    loop {
        let leads = |id| members.iter().find(|member| Some(member.id) == id);
        let seen = wait(members[0], "a leader", |it| leads(it.current_leader).is_some()).await?;
        let leader = leads(seen.current_leader).ok_or("it was waited for")?;
        if let Ok(done) = leader.raft.client_write(request.clone()).await {
            return Ok((leader, done.log_id.index));
        }
    }
}

#[netns_test]
async fn a_leader_that_is_separated_is_replaced(nodes: [Node; 3], net: Net) -> TestResult {
    let addresses = nodes.iter().map(|node| SocketAddr::from((node.ip(), 7000)));
    let addresses = Addresses(addresses.collect());
    let mut members = Vec::new();
    for (id, node) in (0..).zip(&nodes) {
        members.push(start(id, node, addresses.clone()).await?);
    }
    members[0].raft.initialize(BTreeSet::from([0, 1, 2])).await?;
    let (old, _) = write(&members.iter().collect::<Vec<_>>(), color(1, "red")).await?;

    // The leader alone cannot commit. The other two elect a leader, which can.
    net.isolate(&nodes[old.id as usize])?;
    let raft = old.raft.clone();
    let lost = tokio::spawn(async move { raft.client_write(color(2, "green")).await });
    let others: Vec<_> = members.iter().filter(|member| member.id != old.id).collect();
    let (_, index) = write(&others, color(3, "blue")).await?;

    // The old leader learns of its successor, and all members agree.
    net.heal()?;
    assert!(lost.await?.is_err());
    for member in &members {
        let applied = |metrics: &RaftMetrics<u64, ()>| metrics.last_applied.map(|id| id.index);
        wait(member, "the last write", |metrics| applied(metrics) >= Some(index)).await?;
        assert_eq!(member.store.get_state_machine().await.client_status["color"], "blue");
    }
    Ok(())
}
