//! Sockets: listing them, and closing TCP connections.
//!
//! The traps:
//! - A dump does not lock the whole hash table. It can miss a socket whose state changes during
//!   the dump. A listening socket does not change.
//! - An IPv6 socket that also accepts IPv4 is listed once, as IPv6.
//!
//! See sock_diag(7) and include/uapi/linux/inet_diag.h.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use nix::libc;

use super::attr::{attributes, u16_at, u32_at};
use super::message::{Mode, Request};
use super::nftables::L4Proto;
use super::socket::Socket;
use crate::addr::Family;
use crate::error::Result;

/// A set of states of TCP (RFC 9293). UDP sockets are in ESTABLISHED or CLOSE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct States(u32);

impl States {
    pub(crate) const ALL: Self = Self(!0);
    pub(crate) const ESTABLISHED: Self = Self(1 << 1);
    pub(crate) const LISTEN: Self = Self(1 << 10);
}

/// A socket, as the kernel reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InetSocket {
    /// As in tcp_states.h.
    pub(crate) state: u8,
    pub(crate) local: SocketAddr,
    /// All zeros if it is not connected.
    pub(crate) remote: SocketAddr,
    /// Unread bytes. For a listening socket: connections that are not accepted yet.
    pub(crate) receive_queue: u32,
    /// Unacknowledged bytes. For a listening socket: the limit of the backlog.
    pub(crate) send_queue: u32,
    pub(crate) uid: u32,
    /// As in the links of /proc/PID/fd.
    pub(crate) inode: u32,
    /// `struct inet_diag_sockid`. Its cookie distinguishes this socket from a later one with the
    /// same addresses.
    id: [u8; ID],
}

/// A socket, and how its connection fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DetailedSocket {
    pub(crate) socket: InetSocket,
    /// Retransmissions of the oldest segment that was not acknowledged.
    pub(crate) retransmissions: u8,
    pub(crate) tcp: Option<TcpInfo>,
    /// Packets that arrived for it and that the kernel dropped, for instance since its receive
    /// buffer was full.
    pub(crate) dropped: u32,
}

/// What `struct tcp_info` (include/uapi/linux/tcp.h) has in all kernels since Linux 4.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TcpInfo {
    /// All retransmissions of the connection.
    pub(crate) total_retransmissions: u32,
    /// Bytes that were never sent.
    pub(crate) unsent: u32,
}

/// The sockets in these states. `socket` must be of [`super::NetlinkFamily::SockDiag`].
pub(crate) fn list(
    socket: &mut Socket,
    protocol: L4Proto,
    version: Family,
    states: States,
) -> Result<Vec<InetSocket>> {
    let request = listing(protocol, version, states, 0);
    socket.dump(&request, |bytes| Ok(parse(bytes)))
}

/// All sockets of this protocol, with details. The sockets of TCP, of both versions of IP, come
/// from one request of an older form (`inet_diag_dump_compat`): the kernel goes through its
/// table of connections, which has the same size in every namespace, for each request.
pub(crate) fn list_detailed(socket: &mut Socket, protocol: L4Proto) -> Result<Vec<DetailedSocket>> {
    let details = 1 << (INET_DIAG_INFO - 1) | 1 << (INET_DIAG_SKMEMINFO - 1);
    let requests = match protocol {
        // `struct inet_diag_req`: family, prefix lengths, extensions, a socket id, states, and a
        // field that is not used.
        L4Proto::Tcp => vec![Request::raw(
            TCPDIAG_GETSOCK,
            Mode::Existing,
            [&[0, 0, 0, details][..], &[0; ID], &States::ALL.0.to_ne_bytes(), &[0; 4]].concat(),
            "list the TCP sockets".to_owned(),
        )],
        L4Proto::Udp => {
            Family::BOTH.map(|version| listing(protocol, version, States::ALL, details)).into()
        }
    };
    let mut all = Vec::new();
    for request in requests {
        all.extend(socket.dump(&request, |bytes| Ok(parse_detailed(bytes)))?);
    }
    Ok(all)
}

fn listing(protocol: L4Proto, version: Family, states: States, extensions: u8) -> Request {
    Request::raw(
        SOCK_DIAG_BY_FAMILY,
        Mode::Existing,
        body(protocol, version, extensions, states, [0; ID]),
        format!("list the {protocol:?} sockets of {version}"),
    )
}

/// Aborts a TCP connection, as `ss --kill` does. Its owner gets ECONNABORTED, the peer an RST
/// (`tcp_abort`, net/ipv4/tcp.c). The kernel needs CONFIG_INET_DIAG_DESTROY.
pub(crate) fn destroy(connection: &InetSocket, version: Family) -> Request {
    let InetSocket { local, remote, .. } = connection;
    Request::raw(
        SOCK_DESTROY,
        Mode::Existing,
        body(L4Proto::Tcp, version, 0, States::ALL, connection.id),
        format!("kill the connection from {local} to {remote}"),
    )
}

/// `struct inet_diag_req_v2`: family, protocol, extensions, padding, states, and a socket id,
/// which is empty for a dump.
fn body(
    protocol: L4Proto,
    version: Family,
    extensions: u8,
    states: States,
    id: [u8; ID],
) -> Vec<u8> {
    let address_family = match version {
        Family::V4 => libc::AF_INET,
        Family::V6 => libc::AF_INET6,
    };
    let number = match protocol {
        L4Proto::Tcp => libc::IPPROTO_TCP,
        L4Proto::Udp => libc::IPPROTO_UDP,
    };
    let head = [address_family as u8, number as u8, extensions, 0];
    [&head[..], &states.0.to_ne_bytes(), &id].concat()
}

/// Parses `struct inet_diag_msg`. Its ports and addresses are in network byte order.
fn parse(bytes: &[u8]) -> Option<InetSocket> {
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
    Some(InetSocket {
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

/// Parses `struct inet_diag_msg` and the attributes after it.
fn parse_detailed(bytes: &[u8]) -> Option<DetailedSocket> {
    let socket = parse(bytes)?;
    let details = bytes.get(MESSAGE..).unwrap_or_default();
    let info = attributes(details).find(|(kind, _)| *kind == INET_DIAG_INFO);
    // A listening UDP socket has the attribute, without contents.
    let tcp = info.and_then(|(_, info)| {
        let (total_retransmissions, unsent) = (u32_at(info, 100)?, u32_at(info, 144)?);
        Some(TcpInfo { total_retransmissions, unsent })
    });
    let memory = attributes(details).find(|(kind, _)| *kind == INET_DIAG_SKMEMINFO);
    let dropped = memory.and_then(|(_, memory)| u32_at(memory, 4 * SK_MEMINFO_DROPS));
    let dropped = dropped.unwrap_or(0);
    Some(DetailedSocket { socket, retransmissions: *bytes.get(3)?, tcp, dropped })
}

const INET_DIAG_INFO: u16 = 2;
const INET_DIAG_SKMEMINFO: u16 = 7;
/// The index of a number (include/uapi/linux/sock_diag.h).
const SK_MEMINFO_DROPS: usize = 8;
const MESSAGE: usize = 72;
const TCPDIAG_GETSOCK: u16 = 18;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const SOCK_DESTROY: u16 = 21;
const ID: usize = 48;
