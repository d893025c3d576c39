//! What a test says that a resolver shall say.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::query::QueryType;
use super::record::Record;
use crate::error::{Error, ErrorCode, Result};

/// What a resolver says when it is asked for a name.
///
/// Addresses and [`Record`]s become one by `into()`. Everything else is a failure
/// that is scripted, and a test in which nobody met it fails, unless it is
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
/// # assert_eq!(once.to_string(), "SERVFAIL, 1 times");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "an answer is given by `Resolver::answer`"]
pub struct Answer {
    pub(super) reply: Reply,
    pub(super) records: Vec<Record>,
    pub(super) delay: Duration,
    pub(super) stale: Duration,
    pub(super) times: Option<u64>,
    pub(super) only: Option<QueryType>,
    pub(super) optional: bool,
}

/// What it says, or does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
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
    /// The name does not exist (RFC 2308, section 2.1). So do all that have no
    /// answer.
    pub const NXDOMAIN: Self = Self::just(Reply::NxDomain);
    /// The name exists, and has no record of the type that is asked for (RFC 2308,
    /// section 2.2).
    pub const NODATA: Self = Self::just(Reply::NoData);
    /// The resolver cannot find out (RFC 1035, section 4.1.1).
    pub const SERVFAIL: Self = Self::just(Reply::ServFail);
    /// The resolver does not want to (RFC 1035, section 4.1.1).
    pub const REFUSED: Self = Self::just(Reply::Refused);
    /// There is no answer at all: clients wait as long as they care to.
    pub const SILENT: Self = Self::just(Reply::Silent);

    const fn just(reply: Reply) -> Self {
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

    fn of<R: Into<Record>>(reply: Reply, records: impl IntoIterator<Item = R>) -> Self {
        Self { records: records.into_iter().map(Into::into).collect(), ..Self::just(reply) }
    }

    /// These records. Of a type that is not among them, there is no data.
    pub fn records<R: Into<Record>>(records: impl IntoIterator<Item = R>) -> Self {
        Self::of(Reply::Records, records)
    }

    /// Over UDP nothing but the TC bit, which tells clients to ask over TCP; there,
    /// these records (RFC 7766).
    pub fn truncated<R: Into<Record>>(records: impl IntoIterator<Item = R>) -> Self {
        Self::of(Reply::Truncated, records)
    }

    /// These records, under another transaction id than that of the question.
    /// Clients must not take it for the answer (RFC 5452, section 9.1).
    pub fn wrong_id<R: Into<Record>>(records: impl IntoIterator<Item = R>) -> Self {
        Self::of(Reply::WrongId, records)
    }

    /// These records, as the answer to a question for another name. Clients must
    /// not take it for the answer (RFC 5452, section 9.1).
    pub fn wrong_question<R: Into<Record>>(records: impl IntoIterator<Item = R>) -> Self {
        Self::of(Reply::WrongQuestion, records)
    }

    /// Not before this time has passed since the question.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Seen only after this time: until then the resolver says what it said before,
    /// as one does that has kept the old answer. The time to live of old records
    /// is what is left of it.
    pub fn stale(mut self, time: Duration) -> Self {
        self.stale = time;
        self
    }

    /// To this many questions; to later ones the resolver says what it said before.
    /// A look-up of both families is two questions.
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// To questions for records of this type; to others the resolver says what it
    /// said before.
    pub fn only(mut self, kind: QueryType) -> Self {
        self.only = Some(kind);
        self
    }

    /// The test does not fail if nobody meets it.
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Whether it is one that a test is to meet.
    pub(super) fn is_failure(&self) -> bool {
        self.reply != Reply::Records || !self.delay.is_zero() || !self.stale.is_zero()
    }

    /// Whether nothing of what was said before is ever said again.
    pub(super) fn is_final(&self) -> bool {
        self.times.is_none() && self.only.is_none() && self.stale.is_zero()
    }

    pub(super) fn check(&self) -> Result<()> {
        self.records.iter().try_for_each(|record| record.encode().map(drop))?;
        let aliases = self.records.iter().filter(|record| record.alias_of().is_some()).count();
        let refused =
            |why: &'static str| Error::new(ErrorCode::Config, format!("answer {self}")).source(why);
        if aliases > 0 && self.records.len() > 1 {
            return Err(refused("a CNAME has no other record beside it (RFC 1034, section 3.6.2)"));
        }
        if self.times == Some(0) {
            return Err(refused("0 times is never").help("leave it out"));
        }
        if self.times.is_some() && !self.stale.is_zero() {
            return Err(refused("`stale` and `times` each say until when").help("say one of them"));
        }
        if self.records.is_empty()
            && !matches!(
                self.reply,
                Reply::NoData | Reply::NxDomain | Reply::ServFail | Reply::Refused | Reply::Silent
            )
        {
            return Err(refused("there is no record in it")
                .help("say Answer::NODATA for a name that exists and has none"));
        }
        Ok(())
    }
}

/// As a test that failed names it.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.reply {
            Reply::Records => "records",
            Reply::NoData => "NODATA",
            Reply::NxDomain => "NXDOMAIN",
            Reply::ServFail => "SERVFAIL",
            Reply::Refused => "REFUSED",
            Reply::Silent => "nothing",
            Reply::Truncated => "a truncated message",
            Reply::WrongId => "under a wrong id",
            Reply::WrongQuestion => "to a wrong question",
        })?;
        if !self.delay.is_zero() {
            write!(f, ", after {:?}", self.delay)?;
        }
        if !self.stale.is_zero() {
            write!(f, ", stale for {:?}", self.stale)?;
        }
        if let Some(kind) = self.only {
            write!(f, ", only to {kind}")?;
        }
        self.times.map_or(Ok(()), |times| write!(f, ", {times} times"))
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
