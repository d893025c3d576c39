//! A resolver that runs in a node, and is asked by every node.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::dns::{Answer, Query, Script, Scripted, Server};
use crate::error::Result;

/// A resolver (a DNS server that clients ask) which says what the test tells it
/// to, and which every node of the test asks: started by
/// [`Node::serve_dns`](crate::Node::serve_dns).
///
/// ```no_run
/// # fn test(dns: nstest::Node, db: nstest::Node) -> nstest::TestResult {
/// use std::net::{Ipv4Addr, ToSocketAddrs};
/// use std::time::Duration;
///
/// use nstest::dns::{Answer, Record};
///
/// let dns = dns.serve_dns()?;
/// dns.answer("db.example", db.ip())?;
/// dns.answer("www.example", Record::cname("db.example"))?;
/// assert!(("www.example", 80).to_socket_addrs()?.any(|addr| addr.ip() == db.ip()));
///
/// // The first two questions, A and AAAA of one look-up, fail; the next do not.
/// dns.answer("db.example", Answer::SERVFAIL.times(2))?;
/// assert!(("db.example", 80).to_socket_addrs().is_err());
/// assert!(("db.example", 80).to_socket_addrs().is_ok());
///
/// // Whoever asks within half a minute still gets the old address.
/// let moved = Answer::from(Ipv4Addr::new(192, 0, 2, 8)).stale(Duration::from_secs(30));
/// let old = dns.answer("db.example", moved)?;
/// assert!(("db.example", 80).to_socket_addrs()?.any(|addr| addr.ip() == db.ip()));
/// assert_eq!(old.count(), 2);
/// # Ok(())
/// # }
/// ```
///
/// A cheap handle; the resolver runs until its test ends.
#[derive(Clone)]
pub struct Resolver {
    node: Arc<str>,
    script: Arc<Mutex<Script>>,
    _server: Arc<Server>,
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resolver({})", self.node)
    }
}

impl Resolver {
    pub(super) fn new(node: Arc<str>, script: Arc<Mutex<Script>>, server: Server) -> Self {
        Self { node, script, _server: Arc::new(server) }
    }

    /// Failures that the resolver was given and that no query has met.
    pub(super) fn unasked(&self) -> Vec<String> {
        let unasked = self.script().unasked().into_iter();
        unasked.map(|what| format!("the resolver in node {} {what}", self.node)).collect()
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what the answer for a name shall be from now on.
    ///
    /// Names are those of DNS: letters of any case, a dot at the end or none.
    /// `*.example` stands for all names below `example` that have no answer of
    /// their own, `*` for all names. A name without an answer does not exist
    /// (NXDOMAIN).
    ///
    /// # Errors
    /// `name`, if it is no name that DNS can carry; `config`, if the answer cannot
    /// be given.
    pub fn answer(&self, name: &str, answer: impl Into<Answer>) -> Result<Scripted> {
        self.script().answer(name, answer.into(), Instant::now())
    }

    /// What was asked so far, in the order in which it came.
    #[must_use]
    pub fn queries(&self) -> Vec<Query> {
        self.script().queries()
    }
}
