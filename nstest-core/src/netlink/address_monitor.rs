//! When an IPv6 address has arrived: it is in force, and answers.
//!
//! The trap: an address that was added, be it with IFA_F_NODAD or with
//! `accept_dad = 0`, is not there yet. The kernel joins its solicited-node
//! group (RFC 4861 §2.3) in a *work item*, `addrconf_dad_begin`, that runs some
//! time after the request was acknowledged; a neighbour solicitation that comes
//! sooner is dropped unheard, and is repeated after a second. No flag of the
//! address tells (IFA_F_TENTATIVE was never set), but the work item ends in
//! `addrconf_dad_completed`, which announces the address with RTM_NEWADDR, for
//! the first time. See net/ipv6/addrconf.c.
//!
//! So: open a watch before the addresses are added, do the other work, wait last.

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
use super::socket::split;
use crate::error::{Error, ErrorCode, Result};

/// Hears of every IPv6 address that comes into force in one namespace.
#[derive(Debug)]
pub(crate) struct AddressMonitor {
    fd: OwnedFd,
    place: String,
}

impl AddressMonitor {
    /// Begins to listen, in the calling thread's network namespace.
    pub(crate) fn open(place: impl Into<String>) -> Result<Self> {
        let place = place.into();
        let listen = || {
            let fd = socket(
                AddressFamily::Netlink,
                SockType::Raw,
                SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
                SockProtocol::NetlinkRoute,
            )?;
            let groups = libc::RTMGRP_IPV6_IFADDR as u32;
            bind(fd.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
            Ok(fd)
        };
        match listen() {
            Ok(fd) => Ok(Self { fd, place }),
            Err(errno) => Err(failed(&format!("watch the addresses of {place}"), errno)),
        }
    }

    /// Forgets what was seen up to now: nobody reads between two waits, and what a
    /// test does in its node may have filled the queue (ENOBUFS, netlink(7)).
    pub(crate) fn clear(&self) {
        let mut buffer = [0; 4096];
        let mut unread = || recv(self.fd.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT);
        while matches!(unread(), Ok(_) | Err(Errno::EINTR | Errno::ENOBUFS)) {}
    }

    /// Returns when each of these addresses of devices has been announced.
    ///
    /// # Errors
    /// Names those that have not within `limit`.
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
                    // Rounded up, lest the last millisecond be a busy loop.
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
        format!("wait for {} to come into force in {}", ips.join(", "), self.place)
    }
}

/// Strikes out the addresses that a datagram announces.
fn arrived(mut datagram: &[u8], missing: &mut Vec<(u32, Ipv6Addr)>) -> Result<()> {
    while let Some((answer, rest)) = split(datagram) {
        datagram = rest;
        if answer.kind != libc::RTM_NEWADDR {
            continue;
        }
        if let Some(address) = addr::parse(answer.payload)? {
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
