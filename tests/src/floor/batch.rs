//! Netlink messages for one system call.

use std::net::IpAddr;
use std::os::fd::AsRawFd;

use nix::libc;

use super::{BRIDGE, ETH0, Namespace, port};

/// Messages for one system call.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) bytes: Vec<u8>,
    last: usize,
}

impl Batch {
    pub(super) fn message(
        &mut self,
        kind: u16,
        flags: libc::c_int,
        header: &[u8],
        attributes: impl FnOnce(&mut Self),
    ) {
        let start = self.bytes.len();
        self.last = start;
        self.bytes.extend([0; 4]);
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(((flags | libc::NLM_F_REQUEST) as u16).to_ne_bytes());
        self.bytes.extend([0; 8]);
        self.bytes.extend(header);
        attributes(self);
        let length = (self.bytes.len() - start) as u32;
        self.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
    }

    /// Makes the bridge.
    pub(super) fn bridge(&mut self) {
        let (create, up) = (libc::NLM_F_CREATE | libc::NLM_F_EXCL, libc::IFF_UP as u32);
        self.message(libc::RTM_NEWLINK, create, &link(BRIDGE, up, up), |batch| {
            batch.attribute(libc::IFLA_IFNAME, b"lan\0");
            batch.nested(libc::IFLA_LINKINFO, |batch| {
                batch.attribute(libc::IFLA_INFO_KIND, b"bridge");
            });
        });
    }

    /// Makes the port of the nth node on the bridge, and the node's interface.
    pub(super) fn port(&mut self, nth: usize, node: &Namespace) {
        let controller = BRIDGE.to_ne_bytes();
        let master = [(libc::IFLA_MASTER, &controller[..])];
        self.veth((&format!("p{nth}"), port(nth)), libc::IFF_UP as u32, &master, node);
    }

    /// Sets a node's interface up.
    pub(super) fn link_up(&mut self) {
        let up = libc::IFF_UP as u32;
        self.message(libc::RTM_NEWLINK, 0, &link(ETH0, up, up), |_| {});
    }

    /// Makes the last message ask for an acknowledgement.
    pub(super) fn acknowledged(&mut self) {
        self.bytes[self.last + 6] |= libc::NLM_F_ACK as u8;
    }

    pub(super) fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.nested(kind, |batch| batch.bytes.extend(value));
    }

    pub(super) fn nested(&mut self, kind: u16, value: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.bytes.extend([0; 2]);
        self.bytes.extend(kind.to_ne_bytes());
        value(self);
        let length = (self.bytes.len() - start) as u16;
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// Adds a veth pair. The kernel makes its other end as `eth0` of a node.
    pub(super) fn veth(
        &mut self,
        near: (&str, u32),
        flags: u32,
        more: &[(u16, &[u8])],
        node: &Namespace,
    ) {
        const VETH_INFO_PEER: u16 = 1; // linux/veth.h
        let (name, index) = near;
        let create = libc::NLM_F_CREATE | libc::NLM_F_EXCL;
        self.message(libc::RTM_NEWLINK, create, &link(index, flags, flags), |batch| {
            batch.attribute(libc::IFLA_IFNAME, format!("{name}\0").as_bytes());
            for (kind, value) in more {
                batch.attribute(*kind, value);
            }
            batch.nested(libc::IFLA_LINKINFO, |batch| {
                batch.attribute(libc::IFLA_INFO_KIND, b"veth");
                batch.nested(libc::IFLA_INFO_DATA, |batch| {
                    batch.nested(VETH_INFO_PEER, |batch| {
                        batch.bytes.extend(link(ETH0, 0, 0));
                        batch.attribute(libc::IFLA_IFNAME, b"eth0\0");
                        let fd = node.namespace.as_raw_fd().to_ne_bytes();
                        batch.attribute(libc::IFLA_NET_NS_FD, &fd);
                    });
                });
            });
        });
    }

    pub(super) fn address(&mut self, ip: IpAddr, length: u8, flags: libc::c_int) {
        let (family, octets) = match ip {
            IpAddr::V4(ip) => (libc::AF_INET, ip.octets().to_vec()),
            IpAddr::V6(ip) => (libc::AF_INET6, ip.octets().to_vec()),
        };
        // struct ifaddrmsg: family, prefix length, flags, scope, index.
        let mut header = vec![family as u8, length, libc::IFA_F_NODAD as u8, 0];
        header.extend(ETH0.to_ne_bytes());
        let flags = flags | libc::NLM_F_CREATE | libc::NLM_F_EXCL;
        self.message(libc::RTM_NEWADDR, flags, &header, |batch| {
            batch.attribute(libc::IFA_LOCAL, &octets);
            batch.attribute(libc::IFA_ADDRESS, &octets);
        });
    }
}

/// struct ifinfomsg: family, type, index, flags, and the mask of flags to change.
pub(super) fn link(index: u32, flags: u32, change: u32) -> Vec<u8> {
    [0, index, flags, change].map(u32::to_ne_bytes).concat()
}
