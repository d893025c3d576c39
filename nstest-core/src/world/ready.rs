//! Waiting for something to become true, with a deadline and without guessing.
//!
//! The kernel tells nobody when a port is listened on, so these look again and
//! again, at short intervals; what is returned is what was seen, not a hope.

use std::error::Error as StdError;
use std::fmt;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

use super::Node;
use crate::error::{Code, Error, Result};
use crate::netlink::sock_diag::{self, States, Transport, Version};
use crate::netlink::{Protocol, Socket};

/// How long the waits of a node take at most.
const PATIENCE: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_micros(200);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// What a look can say: yes and what was seen, or not yet and perhaps why.
pub trait Outcome {
    /// What is returned in the end.
    type Seen;

    /// # Errors
    /// Why it is not true yet.
    fn outcome(self) -> std::result::Result<Self::Seen, Box<dyn StdError + Send + Sync>>;
}

impl Outcome for bool {
    type Seen = ();

    fn outcome(self) -> std::result::Result<(), Box<dyn StdError + Send + Sync>> {
        if self { Ok(()) } else { Err("it was not true".into()) }
    }
}

impl<T> Outcome for Option<T> {
    type Seen = T;

    fn outcome(self) -> std::result::Result<T, Box<dyn StdError + Send + Sync>> {
        self.ok_or_else(|| "there was none".into())
    }
}

impl<T, E: Into<Box<dyn StdError + Send + Sync>>> Outcome for std::result::Result<T, E> {
    type Seen = T;

    fn outcome(self) -> std::result::Result<T, Box<dyn StdError + Send + Sync>> {
        self.map_err(Into::into)
    }
}

/// Looks again and again until the answer is yes, at the latest when `deadline`
/// has passed: `true`, `Some`, or `Ok`.
///
/// ```
/// use std::net::{TcpListener, TcpStream};
/// use std::time::Duration;
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let addr = listener.local_addr()?;
/// let client = nstest_core::eventually(Duration::from_secs(5), || TcpStream::connect(addr))?;
/// # drop(client);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// `deadline`, with the last answer as its cause.
#[track_caller]
pub fn eventually<O: Outcome>(deadline: Duration, look: impl FnMut() -> O) -> Result<O::Seen> {
    let caller = std::panic::Location::caller();
    wait(deadline, &format_args!("what is looked for at {caller}"), look)
}

fn wait<O: Outcome>(
    deadline: Duration,
    what: &dyn fmt::Display,
    mut look: impl FnMut() -> O,
) -> Result<O::Seen> {
    let end = Instant::now() + deadline;
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match look().outcome() {
            Ok(seen) => return Ok(seen),
            Err(error) => error,
        };
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(
                Error::new(Code::Deadline, format!("wait {deadline:?} for {what}")).source(error)
            );
        }
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

impl Node {
    /// Waits until a TCP socket listens on this port in the node, for 10 s at
    /// most. It blocks the thread: in a test that hosts the server on the same
    /// one, use [`wait_listening_async`](Self::wait_listening_async).
    ///
    /// # Errors
    /// `deadline`, with the ports that are listened on.
    pub fn wait_listening(&self, port: u16) -> Result<()> {
        let mut socket =
            self.run(|| Socket::open(Protocol::SockDiag, format!("node {}", self.name())))?;
        let what =
            format_args!("a listener on TCP port {port} in node {}", self.name()).to_string();
        wait(PATIENCE, &what, || -> std::result::Result<(), Box<dyn StdError + Send + Sync>> {
            let ports = listening(&mut socket)?;
            match ports.as_slice() {
                ports if ports.contains(&port) => Ok(()),
                [] => Err("no TCP port is listened on there".into()),
                ports => Err(format!("the TCP ports listened on there are {ports:?}").into()),
            }
        })
    }

    /// Waits until the node gets an answer to a ping (ICMP echo) from this
    /// address, for 10 s at most.
    ///
    /// # Errors
    /// `deadline`, with what the last attempt met.
    pub fn wait_reachable(&self, ip: impl Into<IpAddr>) -> Result<()> {
        let ip = ip.into();
        let what = format!("an answer to a ping from node {} to {ip}", self.name());
        wait(PATIENCE, &what, || self.run(|| ping(ip)))
    }
}

fn listening(socket: &mut Socket) -> Result<Vec<u16>> {
    let mut ports = Vec::new();
    for version in [Version::V4, Version::V6] {
        let sockets = sock_diag::list(socket, Transport::Tcp, version, States::LISTEN)?;
        ports.extend(sockets.iter().map(|socket| socket.local.port()));
    }
    ports.sort_unstable();
    ports.dedup();
    Ok(ports)
}

/// One echo request (RFC 792, RFC 4443), and a short wait for its answer.
fn ping(ip: IpAddr) -> std::io::Result<()> {
    const PAUSE: Duration = Duration::from_millis(50);
    let (family, protocol, request, reply) = match ip {
        IpAddr::V4(_) => (AddressFamily::Inet, SockProtocol::Icmp, 8u8, 0u8),
        IpAddr::V6(_) => (AddressFamily::Inet6, SockProtocol::IcmpV6, 128, 129),
    };
    let raw = socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
    let socket = UdpSocket::from(raw);
    socket.set_read_timeout(Some(PAUSE))?;
    let id = std::process::id().to_be_bytes();
    let mut message = [request, 0, 0, 0, id[2], id[3], 0, 1];
    if ip.is_ipv4() {
        // The kernel does this for ICMPv6 (RFC 3542 section 3.1), not for ICMP.
        let sum = checksum(&message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    socket.send_to(&message, SocketAddr::new(ip, 0))?;
    let end = Instant::now() + PAUSE;
    let mut buffer = [0; 1500];
    while Instant::now() < end {
        let (length, from) = socket.recv_from(&mut buffer)?;
        let header = if ip.is_ipv4() { usize::from(buffer[0] & 0xf) * 4 } else { 0 };
        let answer = buffer.get(header..length).unwrap_or_default();
        if from.ip() == ip && answer.first() == Some(&reply) && answer.get(4..6) == Some(&id[2..4])
        {
            return Ok(());
        }
    }
    Err(std::io::ErrorKind::TimedOut.into())
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let words =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let sum: u32 = words.sum();
    let folded = (sum >> 16) + (sum & 0xffff);
    !(folded as u16)
}
