//! Whether a node is ready: its listening TCP ports, its programs that have ended, and ICMP echo to
//! other hosts.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use super::executor::NodeExecutor;
use crate::addr::Family;
use crate::error::Result;
use crate::frame::checksum::Sum;
use crate::netlink::nftables::L4Proto;
use crate::netlink::sock_diag::{self, States};
use crate::netlink::{NetlinkFamily, Socket};

impl NodeExecutor {
    /// The TCP ports on which a socket of the node listens.
    pub(crate) fn listening(&self) -> Result<Vec<u16>> {
        let node = format!("node {}", self.name());
        let mut socket = self.run(|| Socket::open(NetlinkFamily::SockDiag, node))?;
        let mut ports = Vec::new();
        for version in Family::BOTH {
            let sockets = sock_diag::list(&mut socket, L4Proto::Tcp, version, States::LISTEN)?;
            ports.extend(sockets.iter().map(|socket| socket.local.port()));
        }
        ports.sort_unstable();
        ports.dedup();
        Ok(ports)
    }

    /// The programs that were started in the node, have ended, and were not waited for:
    /// `redis-server has ended: exit status 1`.
    pub(crate) fn ended_programs(&self) -> Vec<String> {
        let states = self.programs().look(|program| {
            let pid = Pid::from_raw(program.pid.try_into().ok()?);
            // The test can still wait for it.
            let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
            let how = match waitid(Id::Pid(pid), flags).ok()? {
                WaitStatus::Exited(_, status) => format!("exit status {status}"),
                WaitStatus::Signaled(_, signal, _) => format!("killed by {signal}"),
                _ => return Some(None),
            };
            Some(Some(format!("{} has ended: {how}", program.name)))
        });
        states.into_iter().flatten().collect()
    }

    /// Sends one ICMP echo request from the node, and waits briefly for the reply.
    pub(crate) fn ping(&self, ip: IpAddr) -> io::Result<()> {
        self.run(|| ping(ip))
    }
}

/// Sends one echo request (RFC 792, RFC 4443) and waits briefly for the reply.
fn ping(ip: IpAddr) -> io::Result<()> {
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
        // The kernel computes the checksum for ICMPv6 (RFC 3542, section 3.1), not for ICMP.
        let sum = Sum::default().add(&message).finish();
        message[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    socket.send_to(&message, SocketAddr::new(ip, 0))?;
    let end = Instant::now() + PAUSE;
    let mut buffer = [0; 1500];
    while Instant::now() < end {
        let (length, from) = match socket.recv_from(&mut buffer) {
            // The read timeout (socket(7)).
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            received => received?,
        };
        let header = if ip.is_ipv4() { usize::from(buffer[0] & 0xf) * 4 } else { 0 };
        let answer = buffer.get(header..length).unwrap_or_default();
        if from.ip() == ip && answer.first() == Some(&reply) && answer.get(4..6) == Some(&id[2..4])
        {
            return Ok(());
        }
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "no reply within 50 ms"))
}
