//! Requests to the kernel, and its refusals.

use std::error::Error as StdError;
use std::fmt;

use netlink_packet_core::NetlinkSerializable;
use netlink_packet_route::RouteNetlinkMessage;
use nix::errno::Errno;
use nix::libc;

use super::attr::{attributes, i32_at, text};
use crate::error::{Error, ErrorCode};

/// Length of `struct nlmsghdr`.
pub(super) const HEADER: usize = 16;

/// What a request does if its object already exists, and if it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Makes it. If it exists, the request fails.
    Create,
    /// Makes it, and replaces an existing one.
    Replace,
    /// Changes or removes an existing one.
    Existing,
}

/// What the kernel answers when it cannot find the object of a request: an interface (ENODEV),
/// a route (ESRCH), an IPv4 or IPv6 address (EADDRNOTAVAIL; ENXIO on an interface without IPv6),
/// a neighbour or a filter (ENOENT).
const GONE: [Errno; 5] =
    [Errno::ENODEV, Errno::ESRCH, Errno::EADDRNOTAVAIL, Errno::ENXIO, Errno::ENOENT];

impl Mode {
    fn flags(self) -> u16 {
        let flags = match self {
            Self::Create => libc::NLM_F_CREATE | libc::NLM_F_EXCL,
            Self::Replace => libc::NLM_F_CREATE | libc::NLM_F_REPLACE,
            Self::Existing => 0,
        };
        flags as u16
    }
}

/// A message that a socket can send, alone or in a batch, any number of times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    kind: u16,
    flags: u16,
    body: Vec<u8>,
    what: String,
    /// Whether it succeeds if its object does not exist.
    may_be_gone: bool,
}

impl Request {
    /// A message of NETLINK_ROUTE. `what` names the operation and the object: "add address
    /// 10.0.2.1/24 to eth0".
    pub(super) fn route(message: &RouteNetlinkMessage, mode: Mode, what: String) -> Self {
        let mut body = vec![0; message.buffer_len()];
        message.serialize(&mut body);
        Self::raw(message.message_type(), mode, body, what)
    }

    /// A message of any family, with the encoded `body`.
    pub(super) fn raw(kind: u16, mode: Mode, body: Vec<u8>, what: String) -> Self {
        Self { kind, flags: mode.flags(), body, what, may_be_gone: false }
    }

    pub(super) fn with_flags(mut self, flags: libc::c_int) -> Self {
        self.flags |= flags as u16;
        self
    }

    /// Succeeds, too, if the object of the request does not exist: a program of the test may
    /// have deleted it.
    #[must_use]
    pub(crate) fn unless_gone(self) -> Self {
        Self { may_be_gone: true, ..self }
    }

    /// Whether a refusal of this request means that there is nothing to do.
    pub(super) fn is_met_by(&self, refused: &KernelRefusal) -> bool {
        self.may_be_gone && GONE.contains(&refused.errno)
    }

    /// Replaces the text that names the operation in error messages.
    #[must_use]
    pub(crate) fn described(self, what: String) -> Self {
        Self { what, ..self }
    }

    /// The operation and its object.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    pub(super) fn padded_len(&self) -> usize {
        (HEADER + self.body.len()).next_multiple_of(4)
    }

    pub(super) fn write(&self, out: &mut Vec<u8>, sequence: u32, flags: libc::c_int) {
        let length =
            u32::try_from(HEADER + self.body.len()).expect("a request has less than 4 GiB");
        let flags = libc::NLM_F_REQUEST as u16 | self.flags | flags as u16;
        out.extend_from_slice(&length.to_ne_bytes());
        out.extend_from_slice(&self.kind.to_ne_bytes());
        out.extend_from_slice(&flags.to_ne_bytes());
        out.extend_from_slice(&sequence.to_ne_bytes());
        out.extend_from_slice(&[0; 4]); // the kernel fills in the port id of the sender
        out.extend_from_slice(&self.body);
        out.resize(out.len().next_multiple_of(4), 0);
    }

    #[cfg(test)]
    pub(super) fn kind(&self) -> u16 {
        self.kind
    }

    #[cfg(test)]
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }
}

/// The kernel's reply to a request that it refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KernelRefusal {
    errno: Errno,
    reason: Option<String>,
}

impl KernelRefusal {
    /// Parses an NLMSG_ERROR or NLMSG_DONE. `None` is success.
    pub(super) fn parse(kind: u16, flags: u16, payload: &[u8]) -> Option<Self> {
        let code = i32_at(payload, 0)?;
        if code >= 0 {
            return None; // in the NLMSG_DONE of some dumps: the number of messages
        }
        // Before the attributes, an error contains the header of its request. Without
        // NETLINK_CAP_ACK it also contains the body.
        let mut extended = 4;
        if i32::from(kind) == libc::NLMSG_ERROR {
            let echoed = i32_at(payload, 4).unwrap_or_default();
            let capped = i32::from(flags) & libc::NLM_F_CAPPED != 0;
            extended += if capped {
                HEADER
            } else {
                usize::try_from(echoed).unwrap_or_default().max(HEADER).next_multiple_of(4)
            };
        }
        let reason = (i32::from(flags) & libc::NLM_F_ACK_TLVS != 0)
            .then(|| payload.get(extended..).unwrap_or_default())
            .and_then(|tlvs| attributes(tlvs).find(|(kind, _)| *kind == NLMSGERR_ATTR_MSG))
            .map(|(_, value)| text(value));
        Some(Self { errno: Errno::from_raw(-code), reason })
    }

    /// The error number.
    pub(crate) fn errno(&self) -> Errno {
        self.errno
    }
}

const NLMSGERR_ATTR_MSG: u16 = 1;

impl fmt::Display for KernelRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.errno)?;
        match &self.reason {
            Some(reason) => write!(f, " (kernel: {reason})"),
            None => Ok(()),
        }
    }
}

impl StdError for KernelRefusal {}

/// The error number, if `error` is a refusal by the kernel.
pub(crate) fn refusal(error: &Error) -> Option<Errno> {
    let source = StdError::source(error)?;
    let of_ioctl = || source.downcast_ref::<Errno>().copied();
    source.downcast_ref::<KernelRefusal>().map(KernelRefusal::errno).or_else(of_ioctl)
}

/// The error for a message of the kernel that cannot be parsed.
pub(super) fn malformed(what: &str, source: impl StdError + Send + Sync + 'static) -> Error {
    Error::new(ErrorCode::Netlink, format!("parse {what} in a message of the kernel"))
        .source(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_contains_the_explanation_of_the_kernel() {
        // With NETLINK_CAP_ACK: -EEXIST, the header of the request, and NLMSGERR_ATTR_MSG.
        // tests/kernel.rs tests real messages of the kernel.
        let mut payload = (-17i32).to_ne_bytes().to_vec();
        payload.extend_from_slice(&[0; HEADER]);
        payload.extend_from_slice(&[9, 0, 1, 0, b't', b'a', b'k', b'e', 0, 0, 0, 0]);
        let kind = libc::NLMSG_ERROR as u16;
        let flags = (libc::NLM_F_CAPPED | libc::NLM_F_ACK_TLVS) as u16;
        let refused = KernelRefusal::parse(kind, flags, &payload).unwrap();
        assert_eq!(refused.errno(), Errno::EEXIST);
        assert_eq!(refused.to_string(), "EEXIST: File exists (kernel: take)");
    }

    #[test]
    fn zero_is_an_acknowledgement() {
        let kind = libc::NLMSG_ERROR as u16;
        assert_eq!(KernelRefusal::parse(kind, 0, &[0; 20]), None);
    }
}
