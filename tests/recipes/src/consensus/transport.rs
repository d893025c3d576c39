//! What openraft leaves to its user: requests to other members, and answers to theirs.

use std::io;
use std::net::SocketAddr;

use openraft::error::{InstallSnapshotError, NetworkError, RPCError, RaftError, RemoteError};
use openraft::network::{RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};
use openraft_memstore::TypeConfig;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(super) type Raft = openraft::Raft<TypeConfig>;
type Answer<T, E = openraft::error::Infallible> = Result<T, RPCError<u64, (), RaftError<u64, E>>>;

#[derive(Serialize, Deserialize)]
enum Request {
    Append(AppendEntriesRequest<TypeConfig>),
    Vote(VoteRequest<u64>),
    Snapshot(InstallSnapshotRequest<TypeConfig>),
}

/// Your server: each connection carries one request and its answer, in JSON.
pub(super) async fn serve(listener: TcpListener, raft: Raft) -> io::Result<()> {
    loop {
        let (mut stream, raft) = (listener.accept().await?.0, raft.clone());
        tokio::spawn(async move {
            let mut request = Vec::new();
            stream.read_to_end(&mut request).await?;
            let answer = match serde_json::from_slice(&request)? {
                Request::Append(request) => serde_json::to_vec(&raft.append_entries(request).await),
                Request::Vote(request) => serde_json::to_vec(&raft.vote(request).await),
                Request::Snapshot(it) => serde_json::to_vec(&raft.install_snapshot(it).await),
            };
            stream.write_all(&answer?).await
        });
    }
}

/// The addresses of all members.
#[derive(Clone)]
pub(super) struct Addresses(pub(super) Vec<SocketAddr>);

/// Your client: the number of another member, and its address.
pub(super) struct Remote(u64, SocketAddr);

impl Remote {
    async fn exchange<T: DeserializeOwned>(&self, request: Request) -> io::Result<T> {
        let (mut stream, mut answer) = (TcpStream::connect(self.1).await?, Vec::new());
        stream.write_all(&serde_json::to_vec(&request)?).await?;
        stream.shutdown().await?;
        stream.read_to_end(&mut answer).await?;
        Ok(serde_json::from_slice(&answer)?)
    }

    async fn ask<T, E>(&self, request: Request) -> Answer<T, E>
    where
        T: DeserializeOwned,
        E: DeserializeOwned + std::error::Error,
    {
        let answer = self.exchange::<Result<T, RaftError<u64, E>>>(request).await;
        let answer = answer.map_err(|error| NetworkError::new(&error))?;
        answer.map_err(|error| RemoteError::new(self.0, error).into())
    }
}

impl RaftNetworkFactory<TypeConfig> for Addresses {
    type Network = Remote;

    async fn new_client(&mut self, id: u64, (): &()) -> Remote {
        Remote(id, self.0[id as usize])
    }
}

#[rustfmt::skip]
impl RaftNetwork<TypeConfig> for Remote {
    async fn append_entries(
        &mut self, request: AppendEntriesRequest<TypeConfig>, _: RPCOption,
    ) -> Answer<AppendEntriesResponse<u64>> {
        self.ask(Request::Append(request)).await
    }

    async fn vote(&mut self, request: VoteRequest<u64>, _: RPCOption) -> Answer<VoteResponse<u64>> {
        self.ask(Request::Vote(request)).await
    }

    async fn install_snapshot(
        &mut self, request: InstallSnapshotRequest<TypeConfig>, _: RPCOption,
    ) -> Answer<InstallSnapshotResponse<u64>, InstallSnapshotError> {
        self.ask(Request::Snapshot(request)).await
    }
}
