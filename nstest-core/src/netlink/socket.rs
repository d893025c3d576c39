//! A blocking netlink socket.
//!
//! It belongs to the network namespace in which it was opened, also when its thread enters
//! another one. So there is one socket for each namespace, opened by a visit.
//!
//! The traps (net/netlink/af_netlink.c, netlink(7)):
//! - The kernel processes requests *inside* `send`, in order, and continues after a failure.
//!   Its replies wait in the receive buffer. It reports each failure, but success only with
//!   NLM_F_ACK (`netlink_rcv_skb`). So a batch requests one acknowledgement, of its last
//!   message. The receive buffer cannot overflow as long as most messages succeed.
//! - If a table changed during a dump, the kernel sets NLM_F_DUMP_INTR, and the dump must be
//!   repeated.
//! - Replies to an earlier request can still be in the buffer. So all replies are matched by
//!   their sequence numbers.

use std::fmt;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};

use super::attr::{u16_at, u32_at};
use super::message::{HEADER, KernelRefusal, Request};
use crate::error::{Error, ErrorCode, Result};
use crate::preflight;
use crate::sys::netlink::{NetlinkOption, enable};

/// The part of the kernel to which a socket sends its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NetlinkFamily {
    /// Links, addresses, routes, neighbours, traffic control.
    Route,
    /// nftables and connection tracking.
    Netfilter,
    /// Sockets.
    SockDiag,
}

/// The largest datagram of a dump (`netlink_dump`).
const RECEIVE: usize = 32 * 1024;

/// The most bytes in one datagram. The default send buffer has 208 KiB.
const SEND: usize = 32 * 1024;

/// The most messages in one datagram. If all fail, their replies, of about 1.3 KiB of kernel
/// memory each, fit into the default receive buffer. If that overflowed, the first failure
/// could not be named.
const MESSAGES: usize = 128;

/// A dump that is interrupted this often fails.
const DUMP_ATTEMPTS: u32 = 16;

/// A netlink socket.
pub(crate) struct Socket {
    fd: OwnedFd,
    /// What its network namespace belongs to, for error messages: "node server".
    owner: String,
    sequence: u32,
    outgoing: Vec<u8>,
    incoming: Box<[u8]>,
}

/// One message from the kernel.
pub(super) struct Reply<'a> {
    pub(super) kind: u16,
    flags: u16,
    sequence: u32,
    pub(super) payload: &'a [u8],
}

/// Whether more replies are expected.
enum Next {
    Continue,
    Done,
}

impl NetlinkFamily {
    /// For error messages.
    fn subject(self) -> &'static str {
        match self {
            Self::Route => "links and routes",
            Self::Netfilter => "nftables",
            Self::SockDiag => "sockets",
        }
    }
}

impl Socket {
    /// Opens a socket in the calling thread's network namespace. `owner` names the namespace in
    /// error messages: "node server".
    pub(crate) fn open(family: NetlinkFamily, owner: impl Into<String>) -> Result<Self> {
        let owner = owner.into();
        let number = match family {
            NetlinkFamily::Route => SockProtocol::NetlinkRoute,
            NetlinkFamily::Netfilter => SockProtocol::NetlinkNetFilter,
            NetlinkFamily::SockDiag => SockProtocol::NetlinkSockDiag,
        };
        let fd = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, number)
            .map_err(|errno| {
                let step = format!("open a netlink socket for {} in {owner}", family.subject());
                if let Some(error) = preflight::no_socket(&step, "socket(AF_NETLINK)", errno) {
                    return error;
                }
                let error = Error::new(ErrorCode::Netlink, step).source(errno);
                match (errno, family) {
                    // Where the kernel cannot load it by itself, as in a container.
                    (Errno::EPROTONOSUPPORT, NetlinkFamily::Netfilter) => error.help(
                        "load the kernel modules, on the machine itself: sudo modprobe -a nfnetlink nf_tables nf_conntrack nf_nat",
                    ),
                    (Errno::EPROTONOSUPPORT, NetlinkFamily::SockDiag) => error.help(
                        "load the kernel modules, on the machine itself: sudo modprobe -a inet_diag tcp_diag udp_diag",
                    ),
                    _ => error,
                }
            })?;
        Ok(Self::of(fd, owner))
    }

    /// Takes over a netlink socket.
    pub(crate) fn of(fd: OwnedFd, owner: impl Into<String>) -> Self {
        for option in [NetlinkOption::CapAck, NetlinkOption::ExtAck, NetlinkOption::StrictCheck] {
            // Linux 4.3, 4.12 and 4.20 introduced them. On older kernels, errors have no
            // explanation, and dumps contain more. The readers handle both.
            let _ = enable(fd.as_fd(), option);
        }
        Self {
            fd,
            owner: owner.into(),
            sequence: 0,
            outgoing: Vec::new(),
            incoming: vec![0; RECEIVE].into_boxed_slice(),
        }
    }

    /// What its network namespace belongs to: "node server".
    pub(super) fn owner(&self) -> &str {
        &self.owner
    }

    /// Sends one request, and waits for its acknowledgement.
    pub(crate) fn request(&mut self, request: &Request) -> Result<()> {
        self.batch(std::slice::from_ref(request))
    }

    /// Sends many requests, in order, in as few system calls as the socket's buffers allow, and
    /// waits for the acknowledgement.
    ///
    /// # Errors
    /// The error of the *first* request that failed. The kernel also processes the requests
    /// after it in the same datagram, so some of them may have succeeded.
    pub(crate) fn batch(&mut self, requests: &[Request]) -> Result<()> {
        let mut rest = requests;
        while !rest.is_empty() {
            let mut length = 0;
            let fits = rest
                .iter()
                .take(MESSAGES)
                .take_while(|request| {
                    length += request.padded_len();
                    length <= SEND
                })
                .count()
                .max(1);
            let (now, later) = rest.split_at(fits);
            self.datagram(now, fits - 1, |_| false)?;
            rest = later;
        }
        Ok(())
    }

    /// Sends requests in one datagram, and reads no replies: they remain in the receive buffer,
    /// until it is full. So the socket is of no use for anything else.
    pub(crate) fn send_only(&mut self, requests: &[Request]) -> Result<()> {
        self.outgoing.clear();
        for request in requests {
            self.sequence = self.sequence.wrapping_add(1);
            request.write(&mut self.outgoing, self.sequence, 0);
        }
        requests.first().map_or(Ok(()), |first| self.send(first))
    }

    /// Commits an nftables transaction: the kernel applies all requests, or none.
    ///
    /// `requests` begins with the begin message and ends with the end message. Only Linux 6.10
    /// and newer acknowledge these two. So this waits for the acknowledgement of the last
    /// message between them. A failure of the whole transaction is reported for the begin
    /// message (net/netfilter/nfnetlink.c, `nfnetlink_rcv_batch`).
    pub(crate) fn transaction(&mut self, requests: &[Request]) -> Result<()> {
        match requests {
            [] | [_] | [_, _] => Ok(()), // nothing between begin and end
            [.., _, _] => self.datagram(requests, requests.len() - 2, |index| index == 0),
        }
    }

    /// Sends requests in one datagram, and waits for the acknowledgement of the request with
    /// the index `acknowledged`, or the failure of one that is fatal.
    fn datagram(
        &mut self,
        requests: &[Request],
        acknowledged: usize,
        is_fatal: impl Fn(usize) -> bool,
    ) -> Result<()> {
        let first = self.sequence.wrapping_add(1);
        self.outgoing.clear();
        for (i, request) in requests.iter().enumerate() {
            self.sequence = self.sequence.wrapping_add(1);
            let flags = if i == acknowledged { libc::NLM_F_ACK } else { 0 };
            request.write(&mut self.outgoing, self.sequence, flags);
        }
        self.send(&requests[0])?;
        let mut failed = None;
        self.receive(&requests[0], |reply| {
            let index = reply.sequence.wrapping_sub(first) as usize;
            let Some(request) = requests.get(index) else {
                return Ok(Next::Continue);
            };
            if i32::from(reply.kind) != libc::NLMSG_ERROR {
                return Ok(Next::Continue); // an echo
            }
            let refused = KernelRefusal::parse(reply.kind, reply.flags, reply.payload)
                .filter(|refused| !request.is_met_by(refused));
            let over = index == acknowledged || refused.is_some() && is_fatal(index);
            if let (Some(refused), None) = (refused, &failed) {
                failed = Some((request, refused));
            }
            Ok(if over { Next::Done } else { Next::Continue })
        })?;
        match failed {
            Some((request, refused)) => Err(self.error(request, refused)),
            None => Ok(()),
        }
    }

    /// Requests one object. `read` parses the reply.
    pub(crate) fn query<T>(
        &mut self,
        request: &Request,
        mut read: impl FnMut(&[u8]) -> Result<T>,
    ) -> Result<T> {
        self.sequence = self.sequence.wrapping_add(1);
        let wanted = self.sequence;
        self.outgoing.clear();
        request.write(&mut self.outgoing, wanted, 0);
        self.send(request)?;
        let mut found = None;
        let mut refused = None;
        self.receive(request, |reply| {
            if reply.sequence != wanted {
                return Ok(Next::Continue);
            }
            if i32::from(reply.kind) == libc::NLMSG_ERROR {
                refused = KernelRefusal::parse(reply.kind, reply.flags, reply.payload);
            } else {
                found = Some(read(reply.payload)?);
            }
            Ok(Next::Done)
        })?;
        match (found, refused) {
            (Some(found), _) => Ok(found),
            (None, Some(refused)) => Err(self.error(request, refused)),
            (None, None) => Err(self.unexpected(request)),
        }
    }

    /// Requests all objects of a table. `read` parses each reply, and skips it with `None`.
    pub(crate) fn dump<T>(
        &mut self,
        request: &Request,
        mut read: impl FnMut(&[u8]) -> Result<Option<T>>,
    ) -> Result<Vec<T>> {
        for _ in 0..DUMP_ATTEMPTS {
            self.sequence = self.sequence.wrapping_add(1);
            let wanted = self.sequence;
            self.outgoing.clear();
            request.write(&mut self.outgoing, wanted, libc::NLM_F_DUMP);
            self.send(request)?;
            let mut found = Vec::new();
            let mut refused = None;
            let mut interrupted = false;
            self.receive(request, |reply| {
                if reply.sequence != wanted {
                    return Ok(Next::Continue);
                }
                interrupted |= i32::from(reply.flags) & libc::NLM_F_DUMP_INTR != 0;
                match i32::from(reply.kind) {
                    libc::NLMSG_DONE | libc::NLMSG_ERROR => {
                        refused = KernelRefusal::parse(reply.kind, reply.flags, reply.payload);
                        Ok(Next::Done)
                    }
                    _ => {
                        found.extend(read(reply.payload)?);
                        Ok(Next::Continue)
                    }
                }
            })?;
            match refused {
                Some(refused) => return Err(self.error(request, refused)),
                None if interrupted => {}
                None => return Ok(found),
            }
        }
        Err(self.error_from(
            request,
            format!("the table changed during each of {DUMP_ATTEMPTS} attempts to read it"),
        ))
    }

    fn send(&self, request: &Request) -> Result<()> {
        loop {
            match send(self.fd.as_raw_fd(), &self.outgoing, MsgFlags::empty()) {
                Ok(sent) if sent == self.outgoing.len() => return Ok(()),
                Ok(_) => return Err(self.error_from(request, Errno::EMSGSIZE)),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(self.error_from(request, errno)),
            }
        }
    }

    /// Calls `take` with each reply, until it returns [`Next::Done`].
    fn receive(
        &mut self,
        request: &Request,
        mut take: impl FnMut(Reply<'_>) -> Result<Next>,
    ) -> Result<()> {
        loop {
            // With MSG_TRUNC, `recv` returns the full length, also of a datagram that is cut.
            let length = match recv(self.fd.as_raw_fd(), &mut self.incoming, MsgFlags::MSG_TRUNC) {
                Ok(length) => length,
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(self.error_from(request, errno)),
            };
            let Some(mut datagram) = self.incoming.get(..length) else {
                return Err(self.error_from(request, Errno::EMSGSIZE));
            };
            while let Some((reply, rest)) = split_message(datagram) {
                datagram = rest;
                if let Next::Done = take(reply)? {
                    return Ok(());
                }
            }
        }
    }

    fn error(&self, request: &Request, refused: KernelRefusal) -> Error {
        Error::new(ErrorCode::Netlink, format!("{} in {}", request.what(), self.owner))
            .source(refused)
    }

    fn error_from(
        &self,
        request: &Request,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        Error::new(ErrorCode::Netlink, format!("{} in {}", request.what(), self.owner))
            .source(cause)
    }

    fn unexpected(&self, request: &Request) -> Error {
        Error::new(ErrorCode::Netlink, format!("{} in {}", request.what(), self.owner))
            .source("the kernel acknowledged the request, but did not send the object")
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("fd", &self.fd)
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}

/// Splits the first message from a datagram.
pub(super) fn split_message(datagram: &[u8]) -> Option<(Reply<'_>, &[u8])> {
    let length = u32_at(datagram, 0)? as usize;
    let reply = Reply {
        kind: u16_at(datagram, 4)?,
        flags: u16_at(datagram, 6)?,
        sequence: u32_at(datagram, 8)?,
        payload: datagram.get(HEADER..length)?,
    };
    let rest = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((reply, rest))
}
