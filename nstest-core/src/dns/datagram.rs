//! A UDP socket whose responses come from the address to which the query was sent.
//!
//! A node can have several addresses. The kernel would choose the source address of a
//! response by the route, and clients ignore a response from another address than the one
//! that they asked (RFC 5452, section 9.1). See `IP_PKTINFO` in ip(7) and `IPV6_PKTINFO` in
//! ipv6(7).

use std::io::{IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::cmsg_space;
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt,
    sockopt,
};

#[derive(Debug)]
pub(super) struct Datagrams(UdpSocket);

/// The sender of a query, and the local address to which it was sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker {
    peer: SockaddrStorage,
    pub(super) addr: SocketAddr,
    local: LocalAddress,
}

#[derive(Debug, Clone, Copy)]
enum LocalAddress {
    V4(libc::in_pktinfo),
    V6(libc::in6_pktinfo),
}

impl Datagrams {
    /// `socket` must be bound to the unspecified address.
    pub(super) fn new(socket: UdpSocket) -> std::io::Result<Self> {
        socket.set_nonblocking(true)?;
        if socket.local_addr()?.is_ipv6() {
            setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        } else {
            setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        }
        Ok(Self(socket))
    }

    /// The next datagram, if there is one.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> nix::Result<Option<(usize, Asker)>> {
        let mut space = cmsg_space!(libc::in6_pktinfo);
        let mut parts = [IoSliceMut::new(buffer)];
        let fd = self.0.as_raw_fd();
        let flags = MsgFlags::MSG_DONTWAIT;
        let message = match recvmsg::<SockaddrStorage>(fd, &mut parts, Some(&mut space), flags) {
            Ok(message) => message,
            // ECONNREFUSED is an ICMP error about an earlier response: its client is gone.
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNREFUSED) => return Ok(None),
            Err(errno) => return Err(errno),
        };
        let local = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                Some(LocalAddress::V4(libc::in_pktinfo { ipi_ifindex: 0, ..info }))
            }
            ControlMessageOwned::Ipv6PacketInfo(info) => Some(LocalAddress::V6(source(info))),
            _ => None,
        });
        let peer = message.address;
        let asker = peer.as_ref().and_then(address).zip(local).zip(peer);
        let length = message.bytes;
        Ok(asker.map(|((addr, local), peer)| (length, Asker { peer, addr, local })))
    }

    /// Sends a response. A response that cannot be sent is lost, as on any network: the node
    /// may have left the network since the query.
    pub(super) fn send(&self, bytes: &[u8], to: &Asker) {
        let control = match &to.local {
            LocalAddress::V4(info) => ControlMessage::Ipv4PacketInfo(info),
            LocalAddress::V6(info) => ControlMessage::Ipv6PacketInfo(info),
        };
        let (fd, parts) = (self.0.as_raw_fd(), [IoSlice::new(bytes)]);
        let _ = sendmsg(fd, &parts, &[control], MsgFlags::MSG_DONTWAIT, Some(&to.peer));
    }
}

impl AsFd for Datagrams {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Only a link-local address needs its interface.
fn source(info: libc::in6_pktinfo) -> libc::in6_pktinfo {
    let link_local = std::net::Ipv6Addr::from(info.ipi6_addr.s6_addr).is_unicast_link_local();
    let ipi6_ifindex = if link_local { info.ipi6_ifindex } else { 0 };
    libc::in6_pktinfo { ipi6_ifindex, ..info }
}

/// The address of a peer: IPv4, also if the socket serves both IP versions.
fn address(peer: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(peer) = peer.as_sockaddr_in() {
        return Some((peer.ip(), peer.port()).into());
    }
    let peer = peer.as_sockaddr_in6()?;
    Some(SocketAddr::new(peer.ip().to_canonical(), peer.port()))
}
