//! The server on port 53 of a node.
//!
//! One thread in the node serves all sockets. It waits in poll(2) for queries, for the time
//! at which a delayed response is due, and for the end. So it needs no async runtime, and a
//! delayed response does not delay others.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::datagram::{Asker, Datagrams};
use super::message::respond;
use super::query::Transport;
use super::script::Script;
use crate::error::{Error, ErrorCode, Result};
use crate::node::NodeExecutor;
use crate::sync::lock;
use crate::sysctl;

const PORT: u16 = 53;

/// A thread that answers queries from a script. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct DnsServer {
    _end: UnixStream,
}

impl DnsServer {
    /// Starts the thread. The ports are bound when this returns.
    pub(crate) fn start(executor: &NodeExecutor, script: &Arc<Mutex<Script>>) -> Result<Self> {
        let refused = |error: io::Error| {
            let what = format!("listen on UDP and TCP port {PORT} of node {}", executor.name());
            let taken = error.kind() == io::ErrorKind::AddrInUse;
            let error =
                Error::new(if taken { ErrorCode::InUse } else { ErrorCode::Namespace }, what)
                    .source(error);
            if taken {
                error.help("stop the server that uses the port, or serve DNS in another node")
            } else {
                error
            }
        };
        let (udp, tcp) = executor.namespace().enter(bind)?.map_err(refused)?;
        let (end, ended) = UnixStream::pair().map_err(refused)?;
        let server = ServerLoop {
            script: Arc::clone(script),
            udp,
            tcp,
            connections: BTreeMap::new(),
            due: BTreeMap::new(),
            next: 0,
        };
        executor.spawn(move || server.run(&ended))?;
        Ok(Self { _end: end })
    }
}

/// Binds one socket for both IP versions, or for IPv4 if the kernel has no IPv6.
fn bind() -> io::Result<(Datagrams, TcpListener)> {
    let any: IpAddr = if sysctl::has_ipv6() {
        Ipv6Addr::UNSPECIFIED.into()
    } else {
        Ipv4Addr::UNSPECIFIED.into()
    };
    let udp = Datagrams::new(UdpSocket::bind((any, PORT))?)?;
    let tcp = TcpListener::bind((any, PORT))?;
    tcp.set_nonblocking(true)?;
    Ok((udp, tcp))
}

struct ServerLoop {
    script: Arc<Mutex<Script>>,
    udp: Datagrams,
    tcp: TcpListener,
    connections: BTreeMap<u64, Connection>,
    /// Responses to be sent, ordered by due time and then by the order of their queries.
    due: BTreeMap<(Instant, u64), (ReplyTo, Vec<u8>)>,
    next: u64,
}

#[derive(Debug, Clone, Copy)]
enum ReplyTo {
    Datagram(Asker),
    Connection(u64),
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    from: SocketAddr,
    input: Vec<u8>,
    output: Vec<u8>,
    /// The number of responses that are due later.
    pending: usize,
    /// Whether the client has closed its side, or the connection failed.
    input_ended: bool,
}

/// The sockets on which an operation would not block.
struct Ready {
    ended: bool,
    udp: bool,
    tcp: bool,
    connections: Vec<u64>,
    /// Connections that were reset.
    gone: Vec<u64>,
}

impl ServerLoop {
    fn run(mut self, ended: &UnixStream) {
        loop {
            let ready = match self.wait(ended) {
                Ok(ready) => ready,
                Err(Errno::EINTR) => continue,
                Err(errno) => panic!("the resolver cannot wait for queries: {errno}"),
            };
            if ready.ended {
                return;
            }
            if ready.udp {
                self.receive();
            }
            if ready.tcp {
                self.accept();
            }
            for id in ready.connections {
                self.read(id);
            }
            self.connections.retain(|id, _| !ready.gone.contains(id));
            self.send_due(Instant::now());
            self.connections.retain(|_, connection| connection.write());
        }
    }

    fn wait(&self, ended: &UnixStream) -> nix::Result<Ready> {
        let timeout = match self.due.first_key_value() {
            Some(((time, _), _)) => {
                let left = time.saturating_duration_since(Instant::now());
                // Rounded up, so that the last part of a millisecond is not a busy loop.
                let millis = left.as_nanos().div_ceil(1_000_000);
                PollTimeout::from(u16::try_from(millis).unwrap_or(u16::MAX))
            }
            None => PollTimeout::NONE,
        };
        let mut fds = vec![
            PollFd::new(ended.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.udp.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.tcp.as_fd(), PollFlags::POLLIN),
        ];
        fds.extend(self.connections.values().map(|connection| {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::POLLIN, !connection.input_ended);
            flags.set(PollFlags::POLLOUT, !connection.output.is_empty());
            PollFd::new(connection.stream.as_fd(), flags)
        }));
        poll(&mut fds, timeout)?;
        let any = |fd: &PollFd<'_>| fd.any().unwrap_or(true);
        let reset = PollFlags::POLLERR | PollFlags::POLLHUP;
        let is_reset = |fd: &PollFd<'_>| fd.revents().is_some_and(|got| got.intersects(reset));
        let connections = || self.connections.keys().zip(&fds[3..]);
        Ok(Ready {
            ended: any(&fds[0]),
            udp: any(&fds[1]),
            tcp: any(&fds[2]),
            connections: connections().filter(|(_, fd)| any(fd)).map(|(id, _)| *id).collect(),
            gone: connections().filter(|(_, fd)| is_reset(fd)).map(|(id, _)| *id).collect(),
        })
    }

    fn receive(&mut self) {
        let mut buffer = [0; u16::MAX as usize];
        loop {
            match self.udp.receive(&mut buffer) {
                Ok(Some((length, asker))) => {
                    let to = ReplyTo::Datagram(asker);
                    self.respond(&buffer[..length], asker.addr, Transport::Udp, to);
                }
                Ok(None) => return,
                Err(errno) => panic!("the resolver cannot receive datagrams: {errno}"),
            }
        }
    }

    fn respond(&mut self, bytes: &[u8], from: SocketAddr, transport: Transport, to: ReplyTo) {
        let now = Instant::now();
        let mut script = lock(&self.script);
        let response = respond(&mut script, bytes, from, transport, now);
        drop(script);
        if let Some(response) = response {
            if let ReplyTo::Connection(id) = to {
                self.connections.entry(id).and_modify(|connection| connection.pending += 1);
            }
            self.due.insert((now + response.delay, self.next), (to, response.bytes));
            self.next += 1;
        }
    }

    fn accept(&mut self) {
        // An error means that the client is gone.
        while let Ok((stream, from)) = self.tcp.accept() {
            if stream.set_nonblocking(true).is_err() {
                continue;
            }
            let from = SocketAddr::new(from.ip().to_canonical(), from.port());
            let connection = Connection {
                stream,
                from,
                input: Vec::new(),
                output: Vec::new(),
                pending: 0,
                input_ended: false,
            };
            self.connections.insert(self.next, connection);
            self.next += 1;
        }
    }

    /// Each message is preceded by its length (RFC 1035, section 4.2.2).
    fn read(&mut self, id: u64) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.fill();
        let from = connection.from;
        let mut messages = Vec::new();
        while let Some((length, rest)) = connection.input.split_first_chunk::<2>() {
            let length = usize::from(u16::from_be_bytes(*length));
            let Some(message) = rest.get(..length) else { break };
            messages.push(message.to_vec());
            connection.input.drain(..2 + length);
        }
        for message in messages {
            self.respond(&message, from, Transport::Tcp, ReplyTo::Connection(id));
        }
    }

    fn send_due(&mut self, now: Instant) {
        while let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= now) {
            match entry.remove() {
                (ReplyTo::Datagram(asker), bytes) => self.udp.send(&bytes, &asker),
                (ReplyTo::Connection(id), bytes) => {
                    if let Some(connection) = self.connections.get_mut(&id) {
                        connection.queue(&bytes);
                    }
                }
            }
        }
    }
}

impl Connection {
    fn fill(&mut self) {
        let mut buffer = [0; 4096];
        while !self.input_ended {
            match self.stream.read(&mut buffer) {
                Ok(0) => self.input_ended = true,
                Ok(length) => self.input.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // It was reset. The next wait reports that.
                Err(_) => self.input_ended = true,
            }
        }
    }

    fn queue(&mut self, bytes: &[u8]) {
        self.pending = self.pending.saturating_sub(1);
        if let Ok(length) = u16::try_from(bytes.len()) {
            self.output.extend_from_slice(&length.to_be_bytes());
            self.output.extend_from_slice(bytes);
        }
    }

    /// Sends what can be sent. Returns whether to keep the connection.
    fn write(&mut self) -> bool {
        while !self.output.is_empty() {
            match self.stream.write(&self.output) {
                Ok(length) => drop(self.output.drain(..length)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(_) => return false,
            }
        }
        !self.input_ended || self.pending > 0
    }
}
