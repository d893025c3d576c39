//! Probes: tries a TCP connection, and finds the hop that refused or lost it.

use std::fmt;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::node::Node;
use crate::error::Result;
use crate::node::ConnectOutcome;

/// How long a [`Probe`] waits by default.
const PATIENCE: Duration = Duration::from_secs(1);

/// The result of an attempt to connect over TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProbeOutcome {
    /// The connection was made, and answered if bytes were sent on it.
    Connected,
    /// The other end answered with an RST: no socket listens there.
    Refused,
    /// An RST ended the connection after it was made, or while it was being made.
    Reset,
    /// A node answered with an ICMP "unreachable".
    Rejected,
    /// There was no answer.
    NoReply,
    /// The node has no route to that address.
    NoRoute,
}

impl ProbeOutcome {
    /// The outcome that an I/O error of other code stands for, if it is certain. The errno
    /// does not distinguish an RST from an ICMP "port unreachable" (ECONNREFUSED).
    ///
    /// ```
    /// use std::io::{Error, ErrorKind};
    /// use nstest::ProbeOutcome;
    ///
    /// let error = Error::from(ErrorKind::ConnectionReset);
    /// assert_eq!(ProbeOutcome::of(&error), Some(ProbeOutcome::Reset));
    /// ```
    #[must_use]
    pub fn of(error: &std::io::Error) -> Option<Self> {
        match error.kind() {
            ErrorKind::ConnectionRefused => Some(Self::Refused),
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof => Some(Self::Reset),
            ErrorKind::HostUnreachable => Some(Self::Rejected),
            ErrorKind::NetworkUnreachable => Some(Self::NoRoute),
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Some(Self::NoReply),
            _ => None,
        }
    }
}

impl fmt::Display for ProbeOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connected => "connected",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Rejected => "rejected",
            Self::NoReply => "blackholed",
            Self::NoRoute => "unroutable",
        })
    }
}

/// An attempt to connect over TCP, and its result: [`Node::probe`].
///
/// It prints as a sentence that names the responsible hop.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "its outcome is what the attempt was made for"]
pub struct Probe {
    from: String,
    to: SocketAddr,
    outcome: ProbeOutcome,
    hop: Option<String>,
    sentence: String,
}

impl Probe {
    /// The outcome.
    #[must_use]
    pub fn outcome(&self) -> ProbeOutcome {
        self.outcome
    }

    /// The name of the node that answered, or of the last node on the way that did. `None`
    /// if no node has that address.
    #[must_use]
    pub fn hop(&self) -> Option<&str> {
        self.hop.as_deref()
    }

    /// Fails the test unless this is the outcome.
    ///
    /// # Panics
    /// If the outcome is another one, with the sentence.
    #[track_caller]
    pub fn assert(&self, expected: ProbeOutcome) {
        assert!(
            self.outcome == expected,
            "{} should find {} {expected}, but {}",
            self.from,
            self.to,
            self.sentence,
        );
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "from {} to {}: {}", self.from, self.to, self.sentence)
    }
}

/// What the node can connect to.
impl Node {
    /// Tries a TCP connection from this node. It waits for a second at most. Returns the
    /// outcome and the responsible hop.
    ///
    /// ```no_run
    /// # fn test(server: nstest::Node, net: nstest::Net) -> nstest::TestResult {
    /// use nstest::ProbeOutcome;
    ///
    /// let found = net.local().probe((server.ip(), 7000))?;
    /// found.assert(ProbeOutcome::Refused); // no socket listens there
    /// assert_eq!(found.hop(), Some("server"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A Linux router reports that it has no route to an IPv4 address five times, and then once
    /// a second for each source address. After a second without an answer the probe tries
    /// again, so that it finds such a router each time.
    ///
    /// This blocks the thread. If the server is a task of the same runtime, use
    /// [`probe_async`](Self::probe_async).
    ///
    /// # Errors
    /// `namespace`, if the attempt could not be made: the node has no address of this IP
    /// version.
    pub fn probe(&self, to: impl Into<SocketAddr>) -> Result<Probe> {
        self.probe_with(to, &[], PATIENCE)
    }

    /// As [`probe`](Self::probe), but also sends `bytes` on the connection and waits for an
    /// answer, so that it finds an RST or silence after the handshake, too. Each step waits
    /// for `patience` at most. With less than a second, the report of a router without a
    /// route may be missed.
    ///
    /// # Errors
    /// As there.
    pub fn probe_with(
        &self,
        to: impl Into<SocketAddr>,
        bytes: &[u8],
        patience: Duration,
    ) -> Result<Probe> {
        let to = to.into();
        let end = self.executor().probe(to, bytes, patience)?;
        Ok(self.judge(to, end, patience))
    }

    fn judge(&self, to: SocketAddr, end: ConnectOutcome, patience: Duration) -> Probe {
        let (outcome, blamed) = match &end {
            ConnectOutcome::Connected => (ProbeOutcome::Connected, Some(to.ip())),
            ConnectOutcome::Refused => (ProbeOutcome::Refused, Some(to.ip())),
            ConnectOutcome::Reset => (ProbeOutcome::Reset, Some(to.ip())),
            ConnectOutcome::Rejected { by, .. } => (ProbeOutcome::Rejected, Some(*by)),
            ConnectOutcome::Silence { last } => (ProbeOutcome::NoReply, *last),
            ConnectOutcome::NoRoute => (ProbeOutcome::NoRoute, None),
        };
        let node = blamed.and_then(|ip| self.net().look(|spec| spec.owner_of(ip)));
        let hop = match end {
            ConnectOutcome::NoRoute => Some(self.name().to_owned()),
            _ => node,
        };
        let at = |ip: IpAddr| match &hop {
            Some(name) => format!("{name} ({ip})"),
            None => format!("{ip}, which is no node's address,"),
        };
        let sentence = match end {
            ConnectOutcome::Connected => "the connection was made".to_owned(),
            ConnectOutcome::Refused => format!("{} refused it with an RST", at(to.ip())),
            ConnectOutcome::Reset => format!("an RST in the name of {} ended it", at(to.ip())),
            ConnectOutcome::Rejected { by, errno } => format!("{} rejected it: {errno}", at(by)),
            ConnectOutcome::Silence { last: Some(ip) } => {
                format!(
                    "nothing came back within {patience:?}; the last hop that answered is {}",
                    at(ip)
                )
            }
            ConnectOutcome::Silence { last: None } => {
                format!("nothing came back within {patience:?}, from no hop")
            }
            ConnectOutcome::NoRoute => format!("{} has no route there", self.name()),
        };
        Probe { from: self.name().to_owned(), to, outcome, hop, sentence }
    }
}

/// The same for async tests: the runtime continues while this waits.
#[cfg(feature = "tokio")]
impl Node {
    /// As [`probe`](Self::probe), on a thread of its own.
    ///
    /// # Errors
    /// As there.
    pub async fn probe_async(&self, to: impl Into<SocketAddr>) -> Result<Probe> {
        let (node, to) = (self.clone(), to.into());
        super::ready::elsewhere(move || node.probe(to)).await
    }
}
