//! Records: what there is to know of a name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use hickory_proto::rr::rdata::{A, AAAA, CNAME, MX, PTR, SRV, TXT};
use hickory_proto::rr::{Name, RData};

use super::query::QueryType;
use crate::error::{Error, ErrorCode, Result};

/// A record of a name. An address is one: `Record::from(ip)`.
///
/// Its time to live is 0, so that clients do not keep it, unless
/// [`ttl`](Self::ttl) says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    ttl: Duration,
    data: Data,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Data {
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
    Cname(String),
    Mx { preference: u16, exchange: String },
    Ptr(String),
    Srv { priority: u16, weight: u16, port: u16, target: String },
    Txt(String),
}

impl Record {
    fn new(data: Data) -> Self {
        Self { ttl: Duration::ZERO, data }
    }

    /// The name is another one for `target`, whose answer follows in the same
    /// message.
    #[must_use]
    pub fn cname(target: &str) -> Self {
        Self::new(Data::Cname(target.to_owned()))
    }

    /// Mail for the name is taken by `exchange`.
    #[must_use]
    pub fn mx(preference: u16, exchange: &str) -> Self {
        Self::new(Data::Mx { preference, exchange: exchange.to_owned() })
    }

    /// The name, such as `7.2.0.10.in-addr.arpa`, is that of the address of `target`.
    #[must_use]
    pub fn ptr(target: &str) -> Self {
        Self::new(Data::Ptr(target.to_owned()))
    }

    /// The service that the name is, such as `_http._tcp.example`, is at this port
    /// of `target`.
    #[must_use]
    pub fn srv(priority: u16, weight: u16, port: u16, target: &str) -> Self {
        Self::new(Data::Srv { priority, weight, port, target: target.to_owned() })
    }

    /// Text about the name.
    #[must_use]
    pub fn txt(text: &str) -> Self {
        Self::new(Data::Txt(text.to_owned()))
    }

    /// For how long clients may keep it, in whole seconds (RFC 1035, 3.2.1).
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    pub(super) fn kind(&self) -> QueryType {
        match self.data {
            Data::A(_) => QueryType::A,
            Data::Aaaa(_) => QueryType::AAAA,
            Data::Cname(_) => QueryType::CNAME,
            Data::Mx { .. } => QueryType::MX,
            Data::Ptr(_) => QueryType::PTR,
            Data::Srv { .. } => QueryType::SRV,
            Data::Txt(_) => QueryType::TXT,
        }
    }

    /// Where a look-up goes on, of a CNAME.
    pub(super) fn alias_of(&self) -> Option<&str> {
        match &self.data {
            Data::Cname(target) => Some(target),
            _ => None,
        }
    }

    /// What goes into a message, and its time to live in seconds.
    pub(super) fn encode(&self) -> Result<(u32, RData)> {
        // RFC 2181, section 8: a positive number of 31 bits.
        let ttl = u32::try_from(self.ttl.as_secs())
            .ok()
            .filter(|ttl| self.ttl.subsec_nanos() == 0 && *ttl <= i32::MAX as u32);
        let ttl = ttl.ok_or_else(|| {
            Error::new(ErrorCode::Config, format!("give a record the time to live {:?}", self.ttl))
                .source("it is a number of whole seconds, at most 2147483647 (RFC 2181, section 8)")
        })?;
        let data = match &self.data {
            Data::A(addr) => RData::A(A(*addr)),
            Data::Aaaa(addr) => RData::AAAA(AAAA(*addr)),
            Data::Cname(target) => RData::CNAME(CNAME(name(target)?)),
            Data::Mx { preference, exchange } => RData::MX(MX::new(*preference, name(exchange)?)),
            Data::Ptr(target) => RData::PTR(PTR(name(target)?)),
            Data::Srv { priority, weight, port, target } => {
                RData::SRV(SRV::new(*priority, *weight, *port, name(target)?))
            }
            Data::Txt(text) => RData::TXT(TXT::from_bytes(strings(text).collect())),
        };
        Ok((ttl, data))
    }
}

/// A string of a TXT record holds 255 bytes at most; clients join them.
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
        Self::new(Data::A(addr))
    }
}

impl From<Ipv6Addr> for Record {
    fn from(addr: Ipv6Addr) -> Self {
        Self::new(Data::Aaaa(addr))
    }
}

/// A name as DNS has it: absolute, whether or not a dot is at its end.
pub(super) fn name(text: &str) -> Result<Name> {
    let refused = |why: String| {
        Error::new(ErrorCode::Name, format!("use the domain name {text:?}")).source(why).help(
            "labels of 1 to 63 bytes, joined by dots, 255 bytes in all (RFC 1035, section 3.1)",
        )
    };
    if text.is_empty() {
        return Err(refused("it is empty".to_owned()));
    }
    let mut name = Name::from_str_relaxed(text).map_err(|error| refused(error.to_string()))?;
    name.set_fqdn(true);
    Ok(name)
}

/// By which a name is found: in lower case, with a dot at its end.
pub(super) fn key(name: &Name) -> String {
    let mut key = name.to_lowercase().to_ascii();
    if !key.ends_with('.') {
        key.push('.');
    }
    key
}
