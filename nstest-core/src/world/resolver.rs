//! The handle of a DNS server in a node.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use crate::dns::{Answer, DnsServer, Query, Script, ScriptedAnswer};
use crate::error::Result;
use crate::sync::lock;

/// A DNS server that all nodes of the test ask. The test configures its answers and failures.
/// [`Node::serve_dns`](crate::Node::serve_dns) starts it.
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
/// // The first two queries, A and AAAA of one look-up, fail. Later ones do not.
/// dns.answer("db.example", Answer::SERVFAIL.times(2))?;
/// assert!(("db.example", 80).to_socket_addrs().is_err());
/// assert!(("db.example", 80).to_socket_addrs().is_ok());
///
/// // Queries within the next 30 seconds still get the old address.
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
    _server: Arc<DnsServer>,
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resolver({})", self.node)
    }
}

impl Resolver {
    pub(super) fn new(node: Arc<str>, script: Arc<Mutex<Script>>, server: DnsServer) -> Self {
        Self { node, script, _server: Arc::new(server) }
    }

    /// Describes the failures that no query has got.
    pub(super) fn unasked(&self) -> Vec<String> {
        let unasked = self.script().unused_failures().into_iter();
        unasked.map(|what| format!("resolver in node {}: {what}", self.node)).collect()
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        lock(&self.script)
    }

    /// Sets the answer for a name, from now on.
    ///
    /// The case of letters and a dot at the end do not matter. `*.example` stands for all
    /// names below `example` that have no answer of their own, and `*` for all names. A name
    /// without an answer does not exist (NXDOMAIN).
    ///
    /// # Errors
    /// `name`, if it is not a valid domain name; `config`, if the answer is invalid.
    pub fn answer(&self, name: &str, answer: impl Into<Answer>) -> Result<ScriptedAnswer> {
        self.script().answer(name, answer.into(), Instant::now())
    }

    /// The queries so far, in the order of their arrival.
    #[must_use]
    pub fn queries(&self) -> Vec<Query> {
        self.script().queries()
    }
}
