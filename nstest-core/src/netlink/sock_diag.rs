//! Sockets: which exist, in which state; and their end.
//!
//! The traps: a dump walks the hash tables without a lock over all of it, so it
//! may miss a socket that moves between them (listening sockets do not move);
//! and an IPv6 socket that accepts IPv4 as well is listed once, as IPv6. See
//! sock_diag(7) and include/uapi/linux/inet_diag.h.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use nix::libc;

use super::attr::{u16_at, u32_at};
use super::message::{Mode, Request};
use super::nftables::L4Proto;
use super::socket::Socket;
use crate::addr::Family;
use crate::error::Result;

/// A set of states (of RFC 9293; UDP uses ESTABLISHED and CLOSE).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct States(u32);

impl States {
    pub(crate) const ALL: Self = Self(!0);
    pub(crate) const ESTABLISHED: Self = Self(1 << 1);
    pub(crate) const LISTEN: Self = Self(1 << 10);
}

/// A socket as the kernel shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inet {
    /// As in tcp_states.h.
    pub(crate) state: u8,
    pub(crate) local: SocketAddr,
    /// All zeroes where it is not connected.
    pub(crate) remote: SocketAddr,
    /// Bytes not yet read, or connections not yet accepted.
    pub(crate) receive_queue: u32,
    /// Bytes not yet acknowledged, or the limit of the backlog.
    pub(crate) send_queue: u32,
    pub(crate) uid: u32,
    /// As in the links of /proc/PID/fd.
    pub(crate) inode: u32,
    /// `struct inet_diag_sockid`, cookie included: this very socket and no later
    /// one with its addresses.
    id: [u8; ID],
}

/// The sockets in these states, of a [`super::NetlinkFamily::SockDiag`] socket's namespace.
pub(crate) fn list(
    socket: &mut Socket,
    protocol: L4Proto,
    version: Family,
    states: States,
) -> Result<Vec<Inet>> {
    let request = Request::raw(
        SOCK_DIAG_BY_FAMILY,
        Mode::Existing,
        body(protocol, version, states, [0; ID]),
        format!("list the {protocol:?} sockets of {version}"),
    );
    socket.dump(&request, |bytes| Ok(parse(bytes)))
}

/// Ends a TCP connection as if the administrator had: its owner sees
/// ECONNABORTED, the other end an RST (`tcp_abort`, net/ipv4/tcp.c; the kernel
/// needs CONFIG_INET_DIAG_DESTROY).
pub(crate) fn destroy(connection: &Inet, version: Family) -> Request {
    let Inet { local, remote, .. } = connection;
    Request::raw(
        SOCK_DESTROY,
        Mode::Existing,
        body(L4Proto::Tcp, version, States::ALL, connection.id),
        format!("end the connection from {local} to {remote}"),
    )
}

/// struct inet_diag_req_v2: family, protocol, extensions, pad, states, and an
/// identity that a dump leaves empty.
fn body(protocol: L4Proto, version: Family, states: States, id: [u8; ID]) -> Vec<u8> {
    let address_family = match version {
        Family::V4 => libc::AF_INET,
        Family::V6 => libc::AF_INET6,
    };
    let number = match protocol {
        L4Proto::Tcp => libc::IPPROTO_TCP,
        L4Proto::Udp => libc::IPPROTO_UDP,
    };
    let head = [address_family as u8, number as u8, 0, 0];
    [&head[..], &states.0.to_ne_bytes(), &id].concat()
}

/// Reads `struct inet_diag_msg`; its ports and addresses are in network order.
fn parse(bytes: &[u8]) -> Option<Inet> {
    let six = i32::from(*bytes.first()?) == libc::AF_INET6;
    let ip = |at: usize| -> Option<IpAddr> {
        Some(if six {
            let octets: [u8; 16] = bytes.get(at..at + 16)?.try_into().ok()?;
            Ipv6Addr::from(octets).into()
        } else {
            let octets: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
            Ipv4Addr::from(octets).into()
        })
    };
    let port = |at| u16_at(bytes, at).map(u16::from_be);
    Some(Inet {
        state: *bytes.get(1)?,
        local: SocketAddr::new(ip(8)?, port(4)?),
        remote: SocketAddr::new(ip(24)?, port(6)?),
        receive_queue: u32_at(bytes, 56)?,
        send_queue: u32_at(bytes, 60)?,
        uid: u32_at(bytes, 64)?,
        inode: u32_at(bytes, 68)?,
        id: bytes.get(4..4 + ID)?.try_into().ok()?,
    })
}

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const SOCK_DESTROY: u16 = 21;
const ID: usize = 48;
