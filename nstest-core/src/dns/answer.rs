//! The answers of a resolver, as a test configures them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::query::QueryType;
use super::record::Record;
use crate::error::{Error, ErrorCode, Result};

/// The answer of a resolver to queries for a name.
///
/// Addresses and [`Record`]s become an answer by `into()`. All other answers are failures. A
/// test fails if no query gets a failure that it configured, unless that is marked
/// [`optional`](Self::optional).
///
/// ```
/// use std::net::Ipv4Addr;
/// use std::time::Duration;
///
/// use nstest::dns::{Answer, QueryType, Record};
///
/// let plain = Answer::from(Ipv4Addr::new(192, 0, 2, 7));
/// let slow = plain.clone().after(Duration::from_millis(300));
/// let alias = Answer::from(Record::cname("db-1.example").ttl(Duration::from_secs(60)));
/// let once = Answer::SERVFAIL.times(1);
/// let one_family = Answer::SILENT.only(QueryType::AAAA);
/// # assert_eq!(once.to_string(), "SERVFAIL, once");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "an answer is given by `Resolver::answer`"]
pub struct Answer {
    pub(super) reply: ResponseKind,
    pub(super) records: Vec<Record>,
    pub(super) delay: Duration,
    pub(super) stale: Duration,
    pub(super) times: Option<u64>,
    pub(super) only: Option<QueryType>,
    pub(super) optional: bool,
}

/// The kind of response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponseKind {
    Records,
    NoData,
    NxDomain,
    ServFail,
    Refused,
    Silent,
    Truncated,
    WrongId,
    WrongQuestion,
}

impl Answer {
    /// The name does not exist (RFC 2308, section 2.1). Names without an answer get this too.
    pub const NXDOMAIN: Self = Self::just(ResponseKind::NxDomain);
    /// The name exists, but has no record of the requested type (RFC 2308, section 2.2).
    pub const NODATA: Self = Self::just(ResponseKind::NoData);
    /// The resolver could not process the query (RFC 1035, section 4.1.1).
    pub const SERVFAIL: Self = Self::just(ResponseKind::ServFail);
    /// The resolver refuses to process the query (RFC 1035, section 4.1.1).
    pub const REFUSED: Self = Self::just(ResponseKind::Refused);
    /// No response at all: clients wait until their own timeout.
    pub const SILENT: Self = Self::just(ResponseKind::Silent);

    const fn just(reply: ResponseKind) -> Self {
        Self {
            reply,
            records: Vec::new(),
            delay: Duration::ZERO,
            stale: Duration::ZERO,
            times: None,
            only: None,
            optional: false,
        }
    }

    fn of<R: Into<Record>>(reply: ResponseKind, records: impl IntoIterator<Item = R>) -> Self {
        Self { records: records.into_iter().map(Into::into).collect(), ..Self::just(reply) }
    }

    /// These records. Queries for other types get no data.
    pub fn records<R: Into<Record>>(records: impl IntoIterator<Item = R>) -> Self {
        Self::of(ResponseKind::Records, records)
    }

    /// Over UDP only the TC bit, which makes clients ask again over TCP (RFC 7766). Over TCP
    /// these records.
    pub fn truncated<R: Into<Record>>(records: impl IntoIterator<Item = R>) -> Self {
        Self::of(ResponseKind::Truncated, records)
    }

    /// These records, with another transaction id than the query. Clients must ignore that
    /// (RFC 5452, section 9.1).
    pub fn wrong_id<R: Into<Record>>(records: impl IntoIterator<Item = R>) -> Self {
        Self::of(ResponseKind::WrongId, records)
    }

    /// These records, as the answer to a query for another name. Clients must ignore that
    /// (RFC 5452, section 9.1).
    pub fn wrong_question<R: Into<Record>>(records: impl IntoIterator<Item = R>) -> Self {
        Self::of(ResponseKind::WrongQuestion, records)
    }

    /// Sends the answer this long after the query.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Applies only after this time, as if the resolver had the previous answer in its cache.
    /// Until then the previous answer applies, with the remaining time as its time to live.
    pub fn stale(mut self, time: Duration) -> Self {
        self.stale = time;
        self
    }

    /// Answers this many queries; then the previous answer applies again. Looking up a name
    /// in both IP versions takes two queries.
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Answers only queries for this type of record. The previous answer applies to other
    /// queries. Without one, they get [`NODATA`](Self::NODATA): the name exists.
    pub fn only(mut self, kind: QueryType) -> Self {
        self.only = Some(kind);
        self
    }

    /// The test does not fail if no query gets this answer.
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Whether the test fails if no query gets this answer.
    pub(super) fn is_failure(&self) -> bool {
        self.reply != ResponseKind::Records || !self.delay.is_zero() || !self.stale.is_zero()
    }

    /// Whether the previous answers never apply again.
    pub(super) fn is_final(&self) -> bool {
        self.times.is_none() && self.only.is_none() && self.stale.is_zero()
    }

    pub(super) fn check(&self) -> Result<()> {
        self.records.iter().try_for_each(|record| record.encode().map(drop))?;
        let aliases = self.records.iter().filter(|record| record.alias_of().is_some()).count();
        let refused = |why: &'static str| {
            Error::new(ErrorCode::Config, format!("configure the DNS answer `{self}`")).source(why)
        };
        if aliases > 0 && self.records.len() > 1 {
            return Err(refused(
                "a name with a CNAME has no other records (RFC 1034, section 3.6.2)",
            ));
        }
        if self.times == Some(0) {
            return Err(
                refused("`times(0)` answers no query").help("remove `times(0)`, or the answer")
            );
        }
        if self.times.is_some() && !self.stale.is_zero() {
            return Err(refused("`stale` and `times` both limit it").help("use one of them"));
        }
        if self.records.is_empty()
            && !matches!(
                self.reply,
                ResponseKind::NoData
                    | ResponseKind::NxDomain
                    | ResponseKind::ServFail
                    | ResponseKind::Refused
                    | ResponseKind::Silent
            )
        {
            return Err(refused("it contains no record")
                .help("use Answer::NODATA for a name that exists and has no record"));
        }
        Ok(())
    }
}

/// As it appears in messages.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.reply {
            ResponseKind::Records => "records",
            ResponseKind::NoData => "NODATA",
            ResponseKind::NxDomain => "NXDOMAIN",
            ResponseKind::ServFail => "SERVFAIL",
            ResponseKind::Refused => "REFUSED",
            ResponseKind::Silent => "SILENT",
            ResponseKind::Truncated => "truncated",
            ResponseKind::WrongId => "wrong id",
            ResponseKind::WrongQuestion => "wrong question",
        })?;
        if !self.delay.is_zero() {
            write!(f, ", after {:?}", self.delay)?;
        }
        if !self.stale.is_zero() {
            write!(f, ", stale for {:?}", self.stale)?;
        }
        if let Some(kind) = self.only {
            write!(f, ", only for {kind}")?;
        }
        match self.times {
            None => Ok(()),
            Some(1) => f.write_str(", once"),
            Some(times) => write!(f, ", {times} times"),
        }
    }
}

impl From<Record> for Answer {
    fn from(record: Record) -> Self {
        Self::records([record])
    }
}

impl From<IpAddr> for Answer {
    fn from(addr: IpAddr) -> Self {
        Self::records([addr])
    }
}

impl From<Ipv4Addr> for Answer {
    fn from(addr: Ipv4Addr) -> Self {
        Self::records([addr])
    }
}

impl From<Ipv6Addr> for Answer {
    fn from(addr: Ipv6Addr) -> Self {
        Self::records([addr])
    }
}

impl<R: Into<Record>, const N: usize> From<[R; N]> for Answer {
    fn from(records: [R; N]) -> Self {
        Self::records(records)
    }
}

impl<R: Into<Record>> From<Vec<R>> for Answer {
    fn from(records: Vec<R>) -> Self {
        Self::records(records)
    }
}
