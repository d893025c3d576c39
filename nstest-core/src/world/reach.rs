//! What becomes of a connection, and who is to blame.

use std::fmt;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::Node;
use crate::error::Result;
use crate::node::End;

/// How long a [`Reach`] waits unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(1);

/// What became of an attempt to reach somebody over TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reached {
    /// The connection was made, and answered if something was said on it.
    Connected,
    /// The other end answered with an RST: nobody listens there.
    Refused,
    /// The connection was made, or as good as made, and then an RST ended it.
    Reset,
    /// Somebody answered with an ICMP "unreachable".
    Rejected,
    /// Nothing came back.
    Blackholed,
    /// The node has no route there, and said so at once.
    Unroutable,
}

impl Reached {
    /// What an error of a program's own means, where that can be told: by errno
    /// alone an RST and an ICMP "port unreachable" are one (ECONNREFUSED).
    ///
    /// ```
    /// use std::io::{Error, ErrorKind};
    /// use nstest_core::Reached;
    ///
    /// let error = Error::from(ErrorKind::ConnectionReset);
    /// assert_eq!(Reached::of(&error), Some(Reached::Reset));
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
            ErrorKind::NetworkUnreachable => Some(Self::Unroutable),
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Some(Self::Blackholed),
            _ => None,
        }
    }
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connected => "connected",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Rejected => "rejected",
            Self::Blackholed => "blackholed",
            Self::Unroutable => "unroutable",
        })
    }
}

/// An attempt to reach somebody, and what it came to: [`Node::reach`].
///
/// It prints as a sentence that names the hop to blame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    from: String,
    to: SocketAddr,
    reached: Reached,
    hop: Option<String>,
    sentence: String,
}

impl Reach {
    /// What became of it.
    #[must_use]
    pub fn reached(&self) -> Reached {
        self.reached
    }

    /// The name of the node that answered, or beyond which nobody did, where
    /// there is such a node.
    #[must_use]
    pub fn hop(&self) -> Option<&str> {
        self.hop.as_deref()
    }

    /// Fails the test unless this is what became of it.
    ///
    /// # Panics
    /// If it is not, with the whole story.
    #[track_caller]
    pub fn assert(&self, expected: Reached) {
        assert!(
            self.reached == expected,
            "{} should find {} {expected}, but {}",
            self.from,
            self.to,
            self.sentence,
        );
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "from {} to {}: {}", self.from, self.to, self.sentence)
    }
}

/// How code in the node finds others.
impl Node {
    /// Tries a TCP connection from this node, waiting for a second at most where
    /// nothing comes back, and says what became of it and who is to blame.
    ///
    /// ```no_run
    /// # fn test(server: nstest_core::Node, net: nstest_core::Net) -> nstest_core::TestResult {
    /// use nstest_core::Reached;
    ///
    /// let found = net.local().reach((server.ip(), 7000))?;
    /// found.assert(Reached::Refused); // nobody listens there
    /// assert_eq!(found.hop(), Some("server"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// It blocks the thread: where the server is a task of the same runtime, see
    /// [`reach_async`](Self::reach_async).
    ///
    /// # Errors
    /// `setup`, where no such attempt could be made: the node has no address of
    /// this family.
    pub fn reach(&self, to: impl Into<SocketAddr>) -> Result<Reach> {
        self.reach_with(to, &[], PATIENCE)
    }

    /// As [`reach`](Self::reach), but says `bytes` on the connection and waits for
    /// an answer: an RST that comes only then, and silence, are told, too. Each
    /// step waits for `patience` at most.
    ///
    /// # Errors
    /// As there.
    pub fn reach_with(
        &self,
        to: impl Into<SocketAddr>,
        bytes: &[u8],
        patience: Duration,
    ) -> Result<Reach> {
        let to = to.into();
        let end = self.place().reach(to, bytes, patience)?;
        Ok(self.judge(to, end, patience))
    }

    fn judge(&self, to: SocketAddr, end: End, patience: Duration) -> Reach {
        let (reached, blamed) = match &end {
            End::Connected => (Reached::Connected, Some(to.ip())),
            End::Refused => (Reached::Refused, Some(to.ip())),
            End::Reset => (Reached::Reset, Some(to.ip())),
            End::Rejected { by, .. } => (Reached::Rejected, Some(*by)),
            End::Silence { last } => (Reached::Blackholed, *last),
            End::Unroutable => (Reached::Unroutable, None),
        };
        let node = blamed.and_then(|ip| self.net().look(|spec| spec.owner_of(ip)));
        let hop = match end {
            End::Unroutable => Some(self.name().to_owned()),
            _ => node,
        };
        let at = |ip: IpAddr| match &hop {
            Some(name) => format!("{name} ({ip})"),
            None => format!("{ip}, which is no node's address,"),
        };
        let sentence = match end {
            End::Connected => "the connection was made".to_owned(),
            End::Refused => format!("{} refused it with an RST", at(to.ip())),
            End::Reset => format!("an RST in the name of {} ended it", at(to.ip())),
            End::Rejected { by, errno } => format!("{} rejected it: {errno}", at(by)),
            End::Silence { last: Some(ip) } => {
                format!(
                    "nothing came back within {patience:?}; the last hop that answered is {}",
                    at(ip)
                )
            }
            End::Silence { last: None } => {
                format!("nothing came back within {patience:?}, from no hop")
            }
            End::Unroutable => format!("{} has no route there", self.name()),
        };
        Reach { from: self.name().to_owned(), to, reached, hop, sentence }
    }
}

/// The same, for tests whose runtime must go on meanwhile.
#[cfg(feature = "tokio")]
impl Node {
    /// As [`reach`](Self::reach), on a thread of its own.
    ///
    /// # Errors
    /// As there.
    pub async fn reach_async(&self, to: impl Into<SocketAddr>) -> Result<Reach> {
        let (node, to) = (self.clone(), to.into());
        super::ready::elsewhere(move || node.reach(to)).await
    }
}
