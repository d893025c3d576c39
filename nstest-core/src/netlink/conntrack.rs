//! The table of connection tracking.
//!
//! The trap: the kernel chooses the translation of a connection once. Changed rules apply only
//! to connections that are not in the table. See
//! include/uapi/linux/netfilter/nfnetlink_conntrack.h.

use std::net::{IpAddr, SocketAddr};

use nix::libc;

use super::attr::attributes;
use super::message::{Mode, Request};
use super::nftables::L4Proto;
use super::socket::Socket;
use crate::error::Result;

const SUBSYSTEM: u16 = libc::NFNL_SUBSYS_CTNETLINK as u16;
const IPCTNL_MSG_CT_GET: u16 = 1;
const IPCTNL_MSG_CT_DELETE: u16 = 2;

/// Deletes all connections of the namespace, of both IP versions. For a socket of
/// [`super::NetlinkFamily::Netfilter`].
pub(crate) fn flush() -> Request {
    let family = libc::AF_UNSPEC as u8;
    Request::raw(
        SUBSYSTEM << 8 | IPCTNL_MSG_CT_DELETE,
        Mode::Existing,
        vec![family, 0, 0, 0],
        "flush the connection tracking table".to_owned(),
    )
}

/// A connection of TCP or UDP. If its addresses are not translated, its reply is its original
/// direction turned around.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TrackedConnection {
    pub(crate) protocol: L4Proto,
    /// Of the packets of the side that sent first.
    pub(crate) original: Endpoints,
    /// Of the packets of the other side.
    pub(crate) reply: Endpoints,
}

/// The source and the destination of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Endpoints {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
}

/// All connections of TCP and UDP. For a socket of [`super::NetlinkFamily::Netfilter`].
pub(crate) fn list(socket: &mut Socket) -> Result<Vec<TrackedConnection>> {
    let request = Request::raw(
        SUBSYSTEM << 8 | IPCTNL_MSG_CT_GET,
        Mode::Existing,
        vec![libc::AF_UNSPEC as u8, 0, 0, 0],
        "list the connections of connection tracking".to_owned(),
    );
    socket.dump(&request, |bytes| Ok(parse(bytes)))
}

/// Parses the attributes after `struct nfgenmsg`. `None` for other protocols.
fn parse(bytes: &[u8]) -> Option<TrackedConnection> {
    const CTA_TUPLE_ORIG: u16 = 1;
    const CTA_TUPLE_REPLY: u16 = 2;
    let bytes = bytes.get(4..)?;
    let (protocol, original) = endpoints(find(bytes, CTA_TUPLE_ORIG)?)?;
    let (_, reply) = endpoints(find(bytes, CTA_TUPLE_REPLY)?)?;
    Some(TrackedConnection { protocol, original, reply })
}

/// Parses a tuple: numbers and addresses are in network byte order.
fn endpoints(tuple: &[u8]) -> Option<(L4Proto, Endpoints)> {
    const CTA_TUPLE_IP: u16 = 1;
    const CTA_TUPLE_PROTO: u16 = 2;
    // CTA_IP_V4_SRC, _V4_DST, _V6_SRC, _V6_DST
    const ADDRESSES: [(u16, u16); 2] = [(1, 2), (3, 4)];
    const CTA_PROTO_NUM: u16 = 1;
    const CTA_PROTO_SRC_PORT: u16 = 2;
    const CTA_PROTO_DST_PORT: u16 = 3;
    let (ip, transport) = (find(tuple, CTA_TUPLE_IP)?, find(tuple, CTA_TUPLE_PROTO)?);
    let protocol = match i32::from(*find(transport, CTA_PROTO_NUM)?.first()?) {
        libc::IPPROTO_TCP => L4Proto::Tcp,
        libc::IPPROTO_UDP => L4Proto::Udp,
        _ => return None,
    };
    let port = |kind| Some(u16::from_be_bytes(find(transport, kind)?.try_into().ok()?));
    let address = |kind| address(find(ip, kind)?);
    let (source, destination) =
        ADDRESSES.iter().find_map(|(from, to)| Some((address(*from)?, address(*to)?)))?;
    let source = SocketAddr::new(source, port(CTA_PROTO_SRC_PORT)?);
    let destination = SocketAddr::new(destination, port(CTA_PROTO_DST_PORT)?);
    Some((protocol, Endpoints { source, destination }))
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let four = || Some(IpAddr::from(<[u8; 4]>::try_from(octets).ok()?));
    four().or_else(|| Some(IpAddr::from(<[u8; 16]>::try_from(octets).ok()?)))
}

fn find(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes).find_map(|(kind, value)| (kind == wanted).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::super::attr::AttributeBuilder;
    use super::*;

    #[test]
    fn both_directions_of_a_connection_are_read() {
        let tuple = |body: &mut AttributeBuilder, kind, from: [u8; 4], to: [u8; 4], number: u8| {
            body.nest(kind, |tuple| {
                tuple.nest(1, |ip| {
                    ip.put(1, &from).put(2, &to);
                });
                tuple.nest(2, |transport| {
                    transport.put_u8(1, number);
                    transport.put(2, &[0x13, 0x88]).put(3, &[0, 53]);
                });
            });
        };
        let bytes = |number| {
            let mut body = AttributeBuilder::after(&[2, 0, 0, 0]);
            tuple(&mut body, 1, [192, 168, 1, 2], [203, 0, 113, 9], number);
            tuple(&mut body, 2, [203, 0, 113, 9], [203, 0, 113, 1], number);
            body.into_bytes()
        };
        let connection = parse(&bytes(17)).unwrap();
        assert_eq!(connection.protocol, L4Proto::Udp);
        assert_eq!(connection.original.source, "192.168.1.2:5000".parse().unwrap());
        assert_eq!(connection.original.destination, "203.0.113.9:53".parse().unwrap());
        assert_eq!(connection.reply.destination, "203.0.113.1:53".parse().unwrap());
        assert_eq!(parse(&bytes(1)), None, "an ICMP echo");
    }
}
