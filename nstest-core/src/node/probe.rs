//! Trying a TCP connection, and finding out which host refused it.
//!
//! - A socket with IP_RECVERR keeps the ICMP message that ended its handshake, with its sender
//!   (ip(7); `tcp_v4_err` in net/ipv4/tcp_ipv4.c, since Linux 5.8). An RST leaves no such
//!   message. The trap: the message wakes a waiting thread before the socket's error is set,
//!   so a socket may have the one without the other.
//! - How far packets get is found out as traceroute(8) does it: with a SYN for each hop limit.
//!   The router at which a SYN expires reports that (RFC 792, time exceeded).
//! - A router reports that it has no route five times, and then once a second for each source
//!   address (`ip_error` in net/ipv4/route.c; no sysctl changes that). So a SYN may get no
//!   report, and one that is sent a second later does.

use std::io::{self, ErrorKind, IoSliceMut, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, SockaddrIn, SockaddrIn6,
    SockaddrStorage, connect, getsockopt, recvmsg, setsockopt, socket, sockopt,
};

use super::connect_outcome::ConnectOutcome;
use super::executor::NodeExecutor;
use crate::error::{Error, ErrorCode, Result};

/// The largest hop limit that is tried. Networks of tests have fewer hops.
const HOPS: u8 = 16;

impl NodeExecutor {
    /// Tries to connect to `to`. If that succeeds and `bytes` is not empty, sends them and
    /// waits for a reply. Each step waits for at most `patience`.
    pub(crate) fn probe(
        &self,
        to: SocketAddr,
        bytes: &[u8],
        patience: Duration,
    ) -> Result<ConnectOutcome> {
        self.run(|| attempt(to, bytes, patience)).map_err(|error| {
            Error::new(
                ErrorCode::Namespace,
                format!("try to connect to {to} from node {}", self.name()),
            )
            .source(error)
        })
    }
}

fn attempt(to: SocketAddr, bytes: &[u8], patience: Duration) -> io::Result<ConnectOutcome> {
    let handshake = Handshake::begin(to, None)?;
    let deadline = Instant::now() + patience;
    let Some(outcome) = handshake.outcome(deadline)? else {
        return trace(to, patience, &handshake);
    };
    match (outcome.errno, outcome.message) {
        // The node's own message if no neighbour answers (ipv4_link_failure).
        (_, Some(message)) if message.local => Ok(ConnectOutcome::Silence { last: None }),
        (_, Some(message)) => Ok(message.rejection()),
        (None, None) => converse(handshake.into_stream(), bytes, patience),
        (Some(Errno::ECONNREFUSED), None) => Ok(ConnectOutcome::Refused),
        (Some(Errno::ECONNRESET), None) => Ok(ConnectOutcome::Reset),
        (Some(Errno::ENETUNREACH), None) => Ok(ConnectOutcome::NoRoute),
        (Some(Errno::EHOSTUNREACH | Errno::ETIMEDOUT), None) => {
            Ok(ConnectOutcome::Silence { last: None })
        }
        (Some(errno), None) => Err(errno.into()),
    }
}

/// Sends `bytes` on a connection and waits for a reply.
fn converse(mut stream: TcpStream, bytes: &[u8], patience: Duration) -> io::Result<ConnectOutcome> {
    if bytes.is_empty() {
        return Ok(ConnectOutcome::Connected);
    }
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(patience.max(Duration::from_millis(1))))?;
    let reply = stream.write_all(bytes).and_then(|()| stream.read(&mut [0]));
    match reply {
        Ok(_) => Ok(ConnectOutcome::Connected),
        Err(error) => match error.kind() {
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
                Ok(ConnectOutcome::Reset)
            }
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                Ok(ConnectOutcome::Silence { last: None })
            }
            _ => Err(error),
        },
    }
}

/// How far packets to this address get, after a handshake that had no answer. It is
/// rejected if a router says so now.
fn trace(to: SocketAddr, patience: Duration, handshake: &Handshake) -> io::Result<ConnectOutcome> {
    let attempts: Vec<Handshake> =
        (1..=HOPS).map(|hops| Handshake::begin(to, Some(hops))).collect::<io::Result<_>>()?;
    let deadline = Instant::now() + patience;
    let mut last = None;
    for attempt in &attempts {
        match attempt.outcome(deadline)?.and_then(|outcome| outcome.message) {
            Some(message) if message.time_exceeded => last = Some(message.from),
            Some(message) if !message.local => return Ok(message.rejection()),
            // No router after this one answers, so do not wait for each of them.
            _ => break,
        }
    }
    // The kernel has sent the first SYN again, and the one report may be about that.
    match handshake.message()? {
        Some(message) if !message.local => Ok(message.rejection()),
        _ => Ok(ConnectOutcome::Silence { last }),
    }
}

/// A TCP handshake in progress.
struct Handshake {
    fd: OwnedFd,
    refused: Option<Errno>,
}

struct HandshakeResult {
    errno: Option<Errno>,
    message: Option<IcmpError>,
}

/// An ICMP message about the handshake.
struct IcmpError {
    from: IpAddr,
    errno: Errno,
    time_exceeded: bool,
    /// Whether this node itself sent it.
    local: bool,
}

impl IcmpError {
    fn rejection(&self) -> ConnectOutcome {
        ConnectOutcome::Rejected { by: self.from, errno: self.errno.into() }
    }
}

impl Handshake {
    fn begin(to: SocketAddr, hops: Option<u8>) -> io::Result<Self> {
        let family = if to.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let fd = socket(family, SockType::Stream, flags, None)?;
        let hops = hops.map(i32::from);
        match to {
            SocketAddr::V4(_) => {
                setsockopt(&fd, sockopt::Ipv4RecvErr, &true)?;
                hops.map_or(Ok(()), |hops| setsockopt(&fd, sockopt::Ipv4Ttl, &hops))?;
            }
            SocketAddr::V6(_) => {
                setsockopt(&fd, sockopt::Ipv6RecvErr, &true)?;
                hops.map_or(Ok(()), |hops| setsockopt(&fd, sockopt::Ipv6Ttl, &hops))?;
            }
        }
        let begun = match to {
            SocketAddr::V4(to) => connect(fd.as_raw_fd(), &SockaddrIn::from(to)),
            SocketAddr::V6(to) => connect(fd.as_raw_fd(), &SockaddrIn6::from(to)),
        };
        let refused = begun.err().filter(|errno| *errno != Errno::EINPROGRESS);
        Ok(Self { fd, refused })
    }

    /// How the handshake ended. `None`: it had not ended at the deadline.
    fn outcome(&self, deadline: Instant) -> io::Result<Option<HandshakeResult>> {
        if let Some(errno) = self.refused {
            return Ok(Some(HandshakeResult { errno: Some(errno), message: None }));
        }
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // Rounded up, so that the last millisecond is not a busy loop.
            let wait = u16::try_from(left.as_millis() + 1).unwrap_or(u16::MAX);
            let mut fds = [PollFd::new(self.fd.as_fd(), PollFlags::POLLOUT)];
            match poll(&mut fds, PollTimeout::from(wait)) {
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
                Ok(0) if left.is_zero() => return Ok(None),
                Ok(0) => {}
                Ok(_) => break,
            }
        }
        // Before the error: reading that empties the error queue too.
        let message = self.message()?;
        let errno = getsockopt(&self.fd, sockopt::SocketError)?;
        let errno = (errno != 0).then(|| Errno::from_raw(errno));
        Ok(Some(HandshakeResult { errno, message }))
    }

    fn message(&self) -> io::Result<Option<IcmpError>> {
        let mut space = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
        let mut payload = [0; 64];
        let mut slices = [IoSliceMut::new(&mut payload)];
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let fd = self.fd.as_raw_fd();
        let received = match recvmsg::<SockaddrStorage>(fd, &mut slices, Some(&mut space), flags) {
            Ok(received) => received,
            Err(Errno::EAGAIN) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
        let message = |error: libc::sock_extended_err, from: IpAddr, own: bool| {
            let exceeded = match from {
                IpAddr::V4(_) => error.ee_type == 11, // RFC 792
                IpAddr::V6(_) => error.ee_type == 3,  // RFC 4443
            };
            let errno = Errno::from_raw(i32::try_from(error.ee_errno).unwrap_or_default());
            IcmpError { from, errno, time_exceeded: exceeded, local: own }
        };
        for control in received.cmsgs()? {
            match control {
                ControlMessageOwned::Ipv4RecvErr(error, Some(from)) => {
                    let from = Ipv4Addr::from(u32::from_be(from.sin_addr.s_addr));
                    return Ok(Some(message(error, from.into(), self.is_own(from.into()))));
                }
                ControlMessageOwned::Ipv6RecvErr(error, Some(from)) => {
                    let from = Ipv6Addr::from(from.sin6_addr.s6_addr);
                    return Ok(Some(message(error, from.into(), self.is_own(from.into()))));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// Whether the address belongs to this node: only then can it be bound.
    fn is_own(&self, ip: IpAddr) -> bool {
        std::net::UdpSocket::bind((ip, 0)).is_ok()
    }

    fn into_stream(self) -> TcpStream {
        TcpStream::from(self.fd)
    }
}
