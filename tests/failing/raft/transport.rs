//! The transport that openraft leaves to its user: requests to other members and answers to
//! theirs, over TCP. A message is its length and JSON.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use openraft::error::{InstallSnapshotError, NetworkError, RPCError, RaftError, RemoteError};
use openraft::network::{Backoff, RPCOption, RaftNetwork, RaftNetworkFactory};
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

#[derive(Serialize, Deserialize)]
enum Request {
    Append(AppendEntriesRequest<TypeConfig>),
    Vote(VoteRequest<u64>),
    Snapshot(InstallSnapshotRequest<TypeConfig>),
}

async fn send(stream: &mut TcpStream, message: &impl Serialize) -> io::Result<()> {
    let body = serde_json::to_vec(message)?;
    let mut frame = u32::try_from(body.len()).map_err(io::Error::other)?.to_be_bytes().to_vec();
    frame.extend(body);
    stream.write_all(&frame).await
}

async fn receive<T: DeserializeOwned>(stream: &mut TcpStream) -> io::Result<T> {
    let mut body = vec![0; stream.read_u32().await?.try_into().map_err(io::Error::other)?];
    stream.read_exact(&mut body).await?;
    Ok(serde_json::from_slice(&body)?)
}

/// Answers the other members, until the runtime ends.
pub(super) async fn serve(listener: TcpListener, raft: Raft) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        // Ends when the other end closes the connection, at the latest at its timeout.
        tokio::spawn(answer(stream, raft.clone()));
    }
}

async fn answer(mut stream: TcpStream, raft: Raft) -> io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        match receive(&mut stream).await? {
            Request::Append(request) => {
                send(&mut stream, &raft.append_entries(request).await).await?;
            }
            Request::Vote(request) => send(&mut stream, &raft.vote(request).await).await?,
            Request::Snapshot(request) => {
                send(&mut stream, &raft.install_snapshot(request).await).await?;
            }
        }
    }
}

/// The addresses of the members, by their numbers from 1.
#[derive(Clone)]
pub(super) struct Addresses(pub(super) Vec<SocketAddr>);

/// A connection to another member.
pub(super) struct Remote {
    id: u64,
    addr: SocketAddr,
    /// `None` during a request: openraft drops the future of a slow one, and its late answer
    /// must not be taken for the answer to the next request.
    idle: Option<TcpStream>,
}

impl RaftNetworkFactory<TypeConfig> for Addresses {
    type Network = Remote;

    async fn new_client(&mut self, target: u64, (): &()) -> Remote {
        let index = usize::try_from(target).expect("three of them") - 1;
        Remote { id: target, addr: self.0[index], idle: None }
    }
}

type Answer<T, E = openraft::error::Infallible> = Result<T, RPCError<u64, (), RaftError<u64, E>>>;

impl Remote {
    async fn exchange<T: DeserializeOwned>(&mut self, request: &Request) -> io::Result<T> {
        let mut stream = match self.idle.take() {
            Some(stream) => stream,
            None => TcpStream::connect(self.addr).await?,
        };
        stream.set_nodelay(true)?;
        send(&mut stream, request).await?;
        let answer = receive(&mut stream).await?;
        self.idle = Some(stream);
        Ok(answer)
    }

    async fn ask<T, E>(&mut self, request: &Request) -> Answer<T, E>
    where
        T: DeserializeOwned,
        E: DeserializeOwned + std::error::Error,
    {
        let answer: Result<T, RaftError<u64, E>> =
            self.exchange(request).await.map_err(|error| NetworkError::new(&error))?;
        answer.map_err(|error| RemoteError::new(self.id, error).into())
    }
}

impl RaftNetwork<TypeConfig> for Remote {
    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<TypeConfig>,
        _: RPCOption,
    ) -> Answer<AppendEntriesResponse<u64>> {
        self.ask(&Request::Append(request)).await
    }

    async fn install_snapshot(
        &mut self,
        request: InstallSnapshotRequest<TypeConfig>,
        _: RPCOption,
    ) -> Answer<InstallSnapshotResponse<u64>, InstallSnapshotError> {
        self.ask(&Request::Snapshot(request)).await
    }

    async fn vote(&mut self, request: VoteRequest<u64>, _: RPCOption) -> Answer<VoteResponse<u64>> {
        self.ask(&Request::Vote(request)).await
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(std::iter::repeat(Duration::from_millis(100)))
    }
}
