//! DNS records.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use hickory_proto::rr::rdata::{A, AAAA, CNAME, MX, PTR, SRV, TXT};
use hickory_proto::rr::{Name, RData};

use super::query::QueryType;
use crate::error::{Error, ErrorCode, Result};

/// A record of a name. `Record::from(ip)` makes one of an address.
///
/// Its time to live is 0, so that clients do not cache it, unless [`ttl`](Self::ttl) changes
/// that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    ttl: Duration,
    data: RecordData,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum RecordData {
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
    Cname(String),
    Mx { preference: u16, exchange: String },
    Ptr(String),
    Srv { priority: u16, weight: u16, port: u16, target: String },
    Txt(String),
}

impl Record {
    fn new(data: RecordData) -> Self {
        Self { ttl: Duration::ZERO, data }
    }

    /// The name is an alias of `target`. The response also contains the answer for `target`.
    #[must_use]
    pub fn cname(target: &str) -> Self {
        Self::new(RecordData::Cname(target.to_owned()))
    }

    /// `exchange` is a mail server of the name.
    #[must_use]
    pub fn mx(preference: u16, exchange: &str) -> Self {
        Self::new(RecordData::Mx { preference, exchange: exchange.to_owned() })
    }

    /// The name, such as `7.2.0.10.in-addr.arpa`, stands for an address, and `target` is the
    /// name of the host with that address.
    #[must_use]
    pub fn ptr(target: &str) -> Self {
        Self::new(RecordData::Ptr(target.to_owned()))
    }

    /// The name, such as `_http._tcp.example`, is a service. It runs on this port of `target`.
    #[must_use]
    pub fn srv(priority: u16, weight: u16, port: u16, target: &str) -> Self {
        Self::new(RecordData::Srv { priority, weight, port, target: target.to_owned() })
    }

    /// Any text.
    #[must_use]
    pub fn txt(text: &str) -> Self {
        Self::new(RecordData::Txt(text.to_owned()))
    }

    /// How long clients may cache the record, in whole seconds (RFC 1035, section 3.2.1).
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    pub(super) fn kind(&self) -> QueryType {
        match self.data {
            RecordData::A(_) => QueryType::A,
            RecordData::Aaaa(_) => QueryType::AAAA,
            RecordData::Cname(_) => QueryType::CNAME,
            RecordData::Mx { .. } => QueryType::MX,
            RecordData::Ptr(_) => QueryType::PTR,
            RecordData::Srv { .. } => QueryType::SRV,
            RecordData::Txt(_) => QueryType::TXT,
        }
    }

    /// The target of a CNAME.
    pub(super) fn alias_of(&self) -> Option<&str> {
        match &self.data {
            RecordData::Cname(target) => Some(target),
            _ => None,
        }
    }

    /// The time to live in seconds, and the data for a message.
    pub(super) fn encode(&self) -> Result<(u32, RData)> {
        // RFC 2181, section 8: a positive number of 31 bits.
        let ttl = u32::try_from(self.ttl.as_secs())
            .ok()
            .filter(|ttl| self.ttl.subsec_nanos() == 0 && *ttl <= i32::MAX as u32);
        let ttl = ttl.ok_or_else(|| {
            Error::new(
                ErrorCode::Config,
                format!("set the time to live of a record to {:?}", self.ttl),
            )
            .source(
                "it must be a whole number of seconds, at most 2147483647 (RFC 2181, section 8)",
            )
        })?;
        let data = match &self.data {
            RecordData::A(addr) => RData::A(A(*addr)),
            RecordData::Aaaa(addr) => RData::AAAA(AAAA(*addr)),
            RecordData::Cname(target) => RData::CNAME(CNAME(name(target)?)),
            RecordData::Mx { preference, exchange } => {
                RData::MX(MX::new(*preference, name(exchange)?))
            }
            RecordData::Ptr(target) => RData::PTR(PTR(name(target)?)),
            RecordData::Srv { priority, weight, port, target } => {
                RData::SRV(SRV::new(*priority, *weight, *port, name(target)?))
            }
            RecordData::Txt(text) => RData::TXT(TXT::from_bytes(strings(text).collect())),
        };
        Ok((ttl, data))
    }
}

/// A string of a TXT record has at most 255 bytes. Clients join the strings of a record.
fn strings(text: &str) -> impl Iterator<Item = &[u8]> {
    let none = text.is_empty().then_some(&[][..]);
    text.as_bytes().chunks(255).chain(none)
}

impl From<IpAddr> for Record {
    fn from(addr: IpAddr) -> Self {
        match addr {
            IpAddr::V4(addr) => addr.into(),
            IpAddr::V6(addr) => addr.into(),
        }
    }
}

impl From<Ipv4Addr> for Record {
    fn from(addr: Ipv4Addr) -> Self {
        Self::new(RecordData::A(addr))
    }
}

impl From<Ipv6Addr> for Record {
    fn from(addr: Ipv6Addr) -> Self {
        Self::new(RecordData::Aaaa(addr))
    }
}

/// Reads a domain name. It is absolute, with or without a dot at its end.
pub(super) fn name(text: &str) -> Result<Name> {
    let refused = |why: String| {
        Error::new(ErrorCode::Name, format!("use the domain name {text:?}")).source(why).help(
            "write labels of 1 to 63 bytes, joined by dots, 255 bytes in total (RFC 1035, section 3.1)",
        )
    };
    if text.is_empty() {
        return Err(refused("it is empty".to_owned()));
    }
    let mut name = Name::from_str_relaxed(text).map_err(|error| refused(error.to_string()))?;
    name.set_fqdn(true);
    Ok(name)
}

/// The form in which names are compared: lower case, with a dot at the end.
pub(super) fn key(name: &Name) -> String {
    let mut key = name.to_lowercase().to_ascii();
    if !key.ends_with('.') {
        key.push('.');
    }
    key
}
