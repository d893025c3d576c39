//! A cluster of three members, each in a node.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use nstest::{Node, TestResult};
use openraft::storage::Adaptor;
use openraft::{Config, RaftMetrics};
use openraft_memstore::{ClientRequest, ClientResponse, MemStore};
use tokio::net::TcpListener;

use super::transport::{Addresses, Raft, serve};

/// Much longer than any election, so that only an event that never happens takes so long.
const PATIENCE: Duration = Duration::from_secs(30);
const PORT: u16 = 7000;

pub(super) type Refused =
    openraft::error::RaftError<u64, openraft::error::ClientWriteError<u64, ()>>;

/// A member. The test uses its handles directly, like an operator at the console of the
/// machine. Members reach each other over the network only.
#[derive(Clone)]
pub(super) struct Member {
    pub(super) id: u64,
    pub(super) node: Node,
    pub(super) raft: Raft,
    store: Arc<MemStore>,
}

impl Member {
    async fn start(id: u64, node: Node, members: Addresses) -> TestResult<Self> {
        let store = MemStore::new_async().await;
        let (log, machine) = Adaptor::new(Arc::clone(&store));
        let config = Arc::new(
            Config {
                heartbeat_interval: 100,
                election_timeout_min: 400,
                election_timeout_max: 800,
                ..Config::default()
            }
            .validate()?,
        );
        let raft = node
            .spawn_async(async move {
                let listener = TcpListener::bind(("::", PORT)).await?;
                let raft = Raft::new(id, config, members, log, machine).await?;
                tokio::spawn(serve(listener, raft.clone()));
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(raft)
            })
            .await??;
        Ok(Self { id, node, raft, store })
    }

    /// Writes, and waits for the commit.
    pub(super) async fn write(&self, key: &str, value: &str) -> Result<ClientResponse, Refused> {
        let (client, status) = (key.to_owned(), value.to_owned());
        let request = ClientRequest { client, serial: 0, status };
        self.raft.client_write(request).await.map(|response| response.data)
    }

    /// Writes a value that is unique for this key, and waits for the commit. Returns its index
    /// in the log, and the previous value.
    pub(super) async fn replace(
        &self,
        key: &str,
        value: u64,
    ) -> Result<(u64, Option<u64>), Refused> {
        // The store takes a request with the serial of the last one for a repetition.
        let request =
            ClientRequest { client: key.to_owned(), serial: value, status: value.to_string() };
        let done = self.raft.client_write(request).await?;
        let before = done.data.0.map(|before| before.parse().expect("a number was written"));
        Ok((done.log_id.index, before))
    }

    /// Its state.
    pub(super) async fn state(&self) -> HashMap<String, String> {
        self.store.get_state_machine().await.client_status
    }

    pub(super) async fn wait(
        &self,
        what: &str,
        until: impl Fn(&RaftMetrics<u64, ()>) -> bool + Send,
    ) -> TestResult<RaftMetrics<u64, ()>> {
        Ok(self.raft.wait(Some(PATIENCE)).metrics(until, what).await?)
    }

    /// The index of the last entry that it has applied, from the store: metrics are updated
    /// after the answer to a write.
    pub(super) async fn applied(&self) -> u64 {
        let last = self.store.get_state_machine().await.last_applied_log;
        last.map_or(0, |id| id.index)
    }

    pub(super) fn term(&self) -> u64 {
        self.raft.metrics().borrow().current_term
    }
}

pub(super) struct Cluster(pub(super) Vec<Member>);

impl Cluster {
    /// Starts three members, and waits for the first leader.
    pub(super) async fn start(nodes: [Node; 3]) -> TestResult<Self> {
        let addrs = nodes.iter().map(|node| SocketAddr::from((node.ip(), PORT))).collect();
        let addrs = Addresses(addrs);
        let mut members = Vec::new();
        for (id, node) in (1..).zip(nodes) {
            members.push(Member::start(id, node, addrs.clone()).await?);
        }
        members[0].raft.initialize(BTreeSet::from([1, 2, 3])).await?;
        Ok(Self(members))
    }

    /// The leader on which these members agree, if it is one of them.
    pub(super) async fn leader_among(members: &[Member]) -> TestResult<Member> {
        loop {
            let seen = members[0]
                .wait("a leader among the members", |metrics| {
                    members.iter().any(|member| metrics.current_leader == Some(member.id))
                })
                .await?;
            let leader = members.iter().find(|member| seen.current_leader == Some(member.id));
            let leader = leader.expect("it was waited for").clone();
            // It leads only if a majority answers.
            if leader.raft.ensure_linearizable().await.is_ok() {
                return Ok(leader);
            }
        }
    }

    pub(super) async fn leader(&self) -> TestResult<Member> {
        Self::leader_among(&self.0).await
    }

    /// All members except this one.
    pub(super) fn without(&self, one: &Member) -> Vec<Member> {
        self.0.iter().filter(|member| member.id != one.id).cloned().collect()
    }

    /// Waits until all members have applied as much as this one, and returns their common
    /// state.
    pub(super) async fn agreed(&self, with: &Member) -> TestResult<HashMap<String, String>> {
        let (index, state) = (with.applied().await, with.state().await);
        for member in &self.0 {
            let what = format!("entry {index} at member {}", member.id);
            member
                .wait(&what, |metrics| metrics.last_applied.is_some_and(|id| id.index >= index))
                .await?;
            assert_eq!(member.state().await, state, "member {}", member.id);
        }
        Ok(state)
    }
}
