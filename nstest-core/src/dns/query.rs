//! Queries that a resolver received.

use std::fmt;
use std::net::SocketAddr;

/// The type of a record, or of a question: a number that IANA assigns.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryType(pub u16);

impl QueryType {
    /// An IPv4 address (RFC 1035).
    pub const A: Self = Self(1);
    /// An alias: the name of another name (RFC 1035).
    pub const CNAME: Self = Self(5);
    /// The name of an address (RFC 1035).
    pub const PTR: Self = Self(12);
    /// The mail server of a domain (RFC 1035).
    pub const MX: Self = Self(15);
    /// Text (RFC 1035).
    pub const TXT: Self = Self(16);
    /// An IPv6 address (RFC 3596).
    pub const AAAA: Self = Self(28);
    /// The host and port of a service (RFC 2782).
    pub const SRV: Self = Self(33);

    const NAMED: [(Self, &str); 7] = [
        (Self::A, "A"),
        (Self::CNAME, "CNAME"),
        (Self::PTR, "PTR"),
        (Self::MX, "MX"),
        (Self::TXT, "TXT"),
        (Self::AAAA, "AAAA"),
        (Self::SRV, "SRV"),
    ];
}

/// Its name, or `TYPE` and its number (RFC 3597).
impl fmt::Display for QueryType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::NAMED.iter().find(|(kind, _)| kind == self) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "TYPE{}", self.0),
        }
    }
}

impl fmt::Debug for QueryType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The transport of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// A datagram.
    Udp,
    /// A connection.
    Tcp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
        })
    }
}

/// A query that a resolver received.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Query {
    /// The name, in lower case, with a dot at its end: `db.example.`.
    pub name: String,
    /// The requested type of record.
    pub kind: QueryType,
    /// The client.
    pub from: SocketAddr,
    /// UDP or TCP.
    pub transport: Transport,
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} from {} over {}", self.name, self.kind, self.from, self.transport)
    }
}
