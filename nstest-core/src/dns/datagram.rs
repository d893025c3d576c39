//! A datagram socket that answers from the address that it was asked at.
//!
//! A node has several addresses; the kernel would choose the source of an answer
//! by the route, and clients take an answer from where they asked only (RFC 5452,
//! section 9.1). See `IP_PKTINFO` in ip(7), `IPV6_PKTINFO` in ipv6(7).

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

/// Who asked, and at which of our addresses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker {
    peer: SockaddrStorage,
    pub(super) addr: SocketAddr,
    at: At,
}

#[derive(Debug, Clone, Copy)]
enum At {
    V4(libc::in_pktinfo),
    V6(libc::in6_pktinfo),
}

impl Datagrams {
    /// Takes a socket that is bound to every address there is.
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
            // The last is an ICMP error about an answer of ours: its asker has gone.
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNREFUSED) => return Ok(None),
            Err(errno) => return Err(errno),
        };
        let at = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                Some(At::V4(libc::in_pktinfo { ipi_ifindex: 0, ..info }))
            }
            ControlMessageOwned::Ipv6PacketInfo(info) => Some(At::V6(source(info))),
            _ => None,
        });
        let peer = message.address;
        let asker = peer.as_ref().and_then(address).zip(at).zip(peer);
        let length = message.bytes;
        Ok(asker.map(|((addr, at), peer)| (length, Asker { peer, addr, at })))
    }

    /// Sends an answer. What cannot be sent is lost, as on any network: the node
    /// may have left it since.
    pub(super) fn send(&self, bytes: &[u8], to: &Asker) {
        let control = match &to.at {
            At::V4(info) => ControlMessage::Ipv4PacketInfo(info),
            At::V6(info) => ControlMessage::Ipv6PacketInfo(info),
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

/// Only a link-local address says nothing without its interface.
fn source(info: libc::in6_pktinfo) -> libc::in6_pktinfo {
    let link_local = std::net::Ipv6Addr::from(info.ipi6_addr.s6_addr).is_unicast_link_local();
    let ipi6_ifindex = if link_local { info.ipi6_ifindex } else { 0 };
    libc::in6_pktinfo { ipi6_ifindex, ..info }
}

/// An IPv4 address as such, also where the socket is one of both families.
fn address(peer: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(peer) = peer.as_sockaddr_in() {
        return Some((peer.ip(), peer.port()).into());
    }
    let peer = peer.as_sockaddr_in6()?;
    Some(SocketAddr::new(peer.ip().to_canonical(), peer.port()))
}
