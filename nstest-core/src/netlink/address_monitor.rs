//! Waits until IPv6 addresses are usable.
//!
//! The trap: a new address does not answer at once, also with IFA_F_NODAD or `accept_dad = 0`.
//! The kernel joins its solicited-node multicast group (RFC 4861, section 2.3) in a *work item*,
//! `addrconf_dad_begin`, some time after it acknowledged the request. It drops a neighbour
//! solicitation that arrives earlier, and the sender repeats it after a second. No flag of the
//! address shows this, as IFA_F_TENTATIVE is never set. But the work item ends in
//! `addrconf_dad_completed`, which sends the first RTM_NEWADDR for the address
//! (net/ipv6/addrconf.c).
//!
//! So: open a monitor before you add the addresses, and wait for it last. Close it then: it is a
//! descriptor for each node, and a notification of any network namespace takes the kernel
//! longer, the more sockets of all namespaces there are that receive some
//! (netlink_broadcast_filtered).

use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};

use super::addr;
use super::socket::split_message;
use crate::error::{Error, ErrorCode, Result};

/// The groups of notifications that are received.
const GROUPS: u32 = libc::RTMGRP_IPV6_IFADDR as u32;

/// Receives the notifications about IPv6 addresses of one network namespace.
#[derive(Debug)]
pub(crate) struct AddressMonitor {
    fd: OwnedFd,
    /// As [`super::Socket::open`] has it.
    owner: String,
}

impl AddressMonitor {
    /// Starts receiving, in the calling thread's network namespace.
    pub(crate) fn open(owner: impl Into<String>) -> Result<Self> {
        let owner = owner.into();
        let listen = || {
            let fd = socket(
                AddressFamily::Netlink,
                SockType::Raw,
                SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
                SockProtocol::NetlinkRoute,
            )?;
            bind(fd.as_raw_fd(), &NetlinkAddr::new(0, GROUPS))?;
            Ok(fd)
        };
        match listen() {
            Ok(fd) => Ok(Self { fd, owner }),
            Err(errno) => Err(failed(&format!("monitor the addresses of {owner}"), errno)),
        }
    }

    /// Waits until the kernel has announced each of these addresses, given with the index of
    /// their interface.
    ///
    /// # Errors
    /// Names the addresses that were not announced within `limit`.
    pub(crate) fn wait(&self, addresses: &[(u32, Ipv6Addr)], limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        let mut missing = addresses.to_vec();
        let mut buffer = [0; 4096];
        while !missing.is_empty() {
            match recv(self.fd.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Ok(length) => arrived(&buffer[..length], &mut missing)?,
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(failed(&self.what(&missing), Errno::ETIMEDOUT));
                    }
                    // Rounded up, so that the last millisecond is not a busy loop.
                    let left = u16::try_from(left.as_millis() + 1).unwrap_or(u16::MAX);
                    let mut fds = [PollFd::new(self.fd.as_fd(), PollFlags::POLLIN)];
                    match poll(&mut fds, PollTimeout::from(left)) {
                        Ok(_) | Err(Errno::EINTR) => {}
                        Err(errno) => return Err(failed(&self.what(&missing), errno)),
                    }
                }
                Err(errno) => return Err(failed(&self.what(&missing), errno)),
            }
        }
        Ok(())
    }

    fn what(&self, missing: &[(u32, Ipv6Addr)]) -> String {
        let ips: Vec<_> = missing.iter().map(|(_, ip)| ip.to_string()).collect();
        format!("wait until {} can be used in {}", ips.join(", "), self.owner)
    }
}

/// Removes the addresses that a datagram announces from `missing`.
fn arrived(mut datagram: &[u8], missing: &mut Vec<(u32, Ipv6Addr)>) -> Result<()> {
    while let Some((reply, rest)) = split_message(datagram) {
        datagram = rest;
        if reply.kind != libc::RTM_NEWADDR {
            continue;
        }
        if let Some(address) = addr::parse(reply.payload)? {
            missing.retain(|(index, ip)| {
                (*index, IpAddr::V6(*ip)) != (address.index, address.prefix.ip)
            });
        }
    }
    Ok(())
}

fn failed(what: &str, errno: Errno) -> Error {
    Error::new(ErrorCode::Netlink, what).source(io::Error::from(errno))
}
