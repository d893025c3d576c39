//! A blocking netlink socket.
//!
//! It stays bound to the network namespace in which it was made, wherever the
//! thread that uses it goes later: so one socket per namespace, made while
//! inside, and no entering afterwards.
//!
//! The traps, all in net/netlink/af_netlink.c and netlink(7):
//! - The kernel carries requests out *inside* `send`, in order, and does not
//!   stop at one that fails; the answers wait in the receive buffer. A failure
//!   is always answered, success only with NLM_F_ACK (`netlink_rcv_skb`). So a
//!   batch asks for one acknowledgement, of its last message, and the receive
//!   buffer cannot overflow as long as most messages succeed.
//! - A dump that raced a change says so (NLM_F_DUMP_INTR) and must be repeated.
//! - Answers to requests that were abandoned half-read must not be taken for
//!   answers to the next: everything is matched by sequence number.

use std::fmt;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket,
};

use super::attr::{u16_at, u32_at};
use super::message::{HEADER, KernelRefusal, Request};
use crate::error::{Error, ErrorCode, Result};
use crate::sys::netlink::{NetlinkOption, enable};

/// What a socket talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NetlinkFamily {
    /// Links, addresses, routes, neighbours, traffic control.
    Route,
    /// nftables and connection tracking.
    Netfilter,
    /// Sockets.
    SockDiag,
}

/// The kernel never makes a dump's datagram larger (`netlink_dump`).
const RECEIVE: usize = 32 * 1024;

/// Stays well below the stock send buffer (208 KiB).
const SEND: usize = 32 * 1024;

/// So many refusals, of some 1.3 KiB of kernel memory each, fit into the stock
/// receive buffer: were it to overflow, the first failure could not be named.
const MESSAGES: usize = 128;

/// A dump that keeps being interrupted this often meets a table in constant change.
const DUMP_ATTEMPTS: u32 = 16;

/// A socket, and the name of the place it acts in.
pub(crate) struct Socket {
    fd: OwnedFd,
    place: String,
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

/// How an exchange goes on after an answer.
enum Next {
    Continue,
    Done,
}

impl Socket {
    /// Opens a socket in the calling thread's network namespace. `place` ends
    /// the sentences of its errors: "node server".
    pub(crate) fn open(family: NetlinkFamily, place: impl Into<String>) -> Result<Self> {
        let place = place.into();
        let number = match family {
            NetlinkFamily::Route => SockProtocol::NetlinkRoute,
            NetlinkFamily::Netfilter => SockProtocol::NetlinkNetFilter,
            NetlinkFamily::SockDiag => SockProtocol::NetlinkSockDiag,
        };
        let fd = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, number)
            .map_err(|errno| {
                Error::new(
                    ErrorCode::Netlink,
                    format!("open a {family:?} netlink socket in {place}"),
                )
                .source(errno)
            })?;
        for option in [NetlinkOption::CapAck, NetlinkOption::ExtAck, NetlinkOption::StrictCheck] {
            // Before Linux 4.3, 4.12 and 4.20: refusals are less well explained
            // and dumps less well filtered, which the readers allow for.
            let _ = enable(fd.as_fd(), option);
        }
        Ok(Self {
            fd,
            place,
            sequence: 0,
            outgoing: Vec::new(),
            incoming: vec![0; RECEIVE].into_boxed_slice(),
        })
    }

    /// Has one request carried out.
    pub(crate) fn request(&mut self, request: &Request) -> Result<()> {
        self.batch(std::slice::from_ref(request))
    }

    /// Has many requests carried out, in order, in as few system calls as the
    /// socket's buffers allow.
    ///
    /// # Errors
    /// Names the *first* message that failed. The kernel has tried those after
    /// it in the same datagram all the same: some may have succeeded.
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

    /// Commits an nftables transaction: all of it or nothing.
    ///
    /// `requests` begins with the batch's begin and ends with its end message.
    /// Only kernels since 6.10 acknowledge those two, so the last message
    /// between them is the one to wait for; but what befalls the transaction as
    /// a whole is reported for the begin message
    /// (net/netfilter/nfnetlink.c, `nfnetlink_rcv_batch`).
    pub(crate) fn transaction(&mut self, requests: &[Request]) -> Result<()> {
        match requests {
            [] | [_] | [_, _] => Ok(()), // nothing between begin and end
            [.., _, _] => self.datagram(requests, requests.len() - 2, |index| index == 0),
        }
    }

    /// One datagram of requests, of which one is acknowledged in any case, and
    /// some end the exchange by failing.
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
        self.receive(&requests[0], |answer| {
            let index = answer.sequence.wrapping_sub(first) as usize;
            let Some(request) = requests.get(index) else {
                return Ok(Next::Continue);
            };
            if i32::from(answer.kind) != libc::NLMSG_ERROR {
                return Ok(Next::Continue); // an echo
            }
            let refused = KernelRefusal::parse(answer.kind, answer.flags, answer.payload);
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

    /// Asks for one object, and reads its message with `read`.
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
        self.receive(request, |answer| {
            if answer.sequence != wanted {
                return Ok(Next::Continue);
            }
            if i32::from(answer.kind) == libc::NLMSG_ERROR {
                refused = KernelRefusal::parse(answer.kind, answer.flags, answer.payload);
            } else {
                found = Some(read(answer.payload)?);
            }
            Ok(Next::Done)
        })?;
        match (found, refused) {
            (Some(found), _) => Ok(found),
            (None, Some(refused)) => Err(self.error(request, refused)),
            (None, None) => Err(self.unexpected(request)),
        }
    }

    /// Asks for every object of a table. `read` says `None` of those it skips.
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
            self.receive(request, |answer| {
                if answer.sequence != wanted {
                    return Ok(Next::Continue);
                }
                interrupted |= i32::from(answer.flags) & libc::NLM_F_DUMP_INTR != 0;
                match i32::from(answer.kind) {
                    libc::NLMSG_DONE | libc::NLMSG_ERROR => {
                        refused = KernelRefusal::parse(answer.kind, answer.flags, answer.payload);
                        Ok(Next::Done)
                    }
                    _ => {
                        found.extend(read(answer.payload)?);
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
        Err(self.error_from(request, Errno::EINTR))
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

    /// Hands every answer to `take` until it is done.
    fn receive(
        &mut self,
        request: &Request,
        mut take: impl FnMut(Reply<'_>) -> Result<Next>,
    ) -> Result<()> {
        loop {
            // MSG_TRUNC: the length that the datagram had, not what fitted.
            let length = match recv(self.fd.as_raw_fd(), &mut self.incoming, MsgFlags::MSG_TRUNC) {
                Ok(length) => length,
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(self.error_from(request, errno)),
            };
            let Some(mut datagram) = self.incoming.get(..length) else {
                return Err(self.error_from(request, Errno::EMSGSIZE));
            };
            while let Some((answer, rest)) = split(datagram) {
                datagram = rest;
                if let Next::Done = take(answer)? {
                    return Ok(());
                }
            }
        }
    }

    fn error(&self, request: &Request, refused: KernelRefusal) -> Error {
        Error::new(ErrorCode::Netlink, format!("{} in {}", request.what(), self.place))
            .source(refused)
    }

    fn error_from(&self, request: &Request, errno: Errno) -> Error {
        Error::new(ErrorCode::Netlink, format!("{} in {}", request.what(), self.place))
            .source(errno)
    }

    fn unexpected(&self, request: &Request) -> Error {
        Error::new(
            ErrorCode::Netlink,
            format!(
                "{} in {}: the kernel acknowledged it without an answer",
                request.what(),
                self.place
            ),
        )
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("fd", &self.fd)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// The first message of a datagram, and what follows it.
pub(super) fn split(datagram: &[u8]) -> Option<(Reply<'_>, &[u8])> {
    let length = u32_at(datagram, 0)? as usize;
    let answer = Reply {
        kind: u16_at(datagram, 4)?,
        flags: u16_at(datagram, 6)?,
        sequence: u32_at(datagram, 8)?,
        payload: datagram.get(HEADER..length)?,
    };
    let rest = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((answer, rest))
}
