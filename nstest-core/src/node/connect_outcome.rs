//! How an attempt to connect ended, as the probe of a node sees it.

use std::io;
use std::net::IpAddr;

/// How an attempt to connect to a server ended.
#[derive(Debug)]
pub(crate) enum ConnectOutcome {
    Connected,
    /// The peer answered the SYN with an RST.
    Refused,
    /// The peer sent an RST on the established connection.
    Reset,
    /// A host or router sent an ICMP error.
    Rejected {
        by: IpAddr,
        errno: io::Error,
    },
    /// No answer arrived. `last` is the last router on the path that answered.
    Silence {
        last: Option<IpAddr>,
    },
    NoRoute,
}
