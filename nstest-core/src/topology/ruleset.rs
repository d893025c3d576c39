//! An nftables ruleset as data.
//!
//! Only what routers need of nftables, in its own words, so that `Display` is
//! text that `nft -f` takes (nft(8)) and each type has one counterpart on the
//! wire (include/uapi/linux/netfilter/nf_tables.h).
//!
//! Trap: a key and its data together take up to 60 of the 64 bytes of nftables'
//! registers for IPv6. The kernel has them; nft(8) 1.0 and 1.1 abort over it.
//! Who encodes rules lays the key from NFT_REG32_00 on and the data behind it.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::nat::Protocol;
use super::settings::Sysctl;
use super::subnet::{Family, Subnet};

/// All of our tables in one node. Replaced as a whole, in one transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ruleset {
    pub(crate) tables: Vec<Table>,
    /// Connection tracking's timeouts, written behind the tables.
    pub(crate) timeouts: Vec<Sysctl>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) family: Family,
    pub(crate) name: &'static str,
    pub(crate) sets: Vec<Set>,
    pub(crate) chains: Vec<Chain>,
}

/// A set, or with `data` a map, whose elements rules add and time lets go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Set {
    pub(crate) name: &'static str,
    pub(crate) key: Vec<Type>,
    pub(crate) data: Option<Vec<Type>>,
    pub(crate) timeout: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Addr(Family),
    Proto,
    Port,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chain {
    pub(crate) name: &'static str,
    /// A base chain's place; others are only jumped to.
    pub(crate) hook: Option<Hook>,
    pub(crate) rules: Vec<Rule>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hook {
    pub(crate) kind: HookKind,
    pub(crate) point: HookPoint,
    pub(crate) priority: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HookKind {
    Filter,
    Nat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HookPoint {
    Prerouting,
    Input,
    Forward,
    Postrouting,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule(pub(crate) Vec<Statement>);

/// What a rule looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    SourceAddr(Family),
    DestAddr(Family),
    Proto,
    SourcePort,
    DestPort,
    /// The source of the conversation's first packet, before any translation.
    OriginalSourceAddr(Family),
    OriginalSourcePort,
    OriginalDestAddr(Family),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Statement {
    InInterface(String),
    OutInterface(String),
    /// `meta l4proto { tcp, udp }`: all that has ports.
    HasPorts,
    Is(Protocol),
    Equals(Field, Value),
    In(Field, Subnet),
    PortBetween(Field, u16, u16),
    Ct(CtMatch),
    Lookup {
        key: Vec<Field>,
        set: &'static str,
        found: bool,
    },
    /// Adds or refreshes an element.
    Update {
        set: &'static str,
        key: Vec<Field>,
        timeout: Duration,
        data: Vec<Field>,
    },
    SnatTo {
        addr: IpAddr,
        ports: Option<(u16, u16)>,
        random: bool,
    },
    /// To the address and port that a map holds.
    SnatMap {
        family: Family,
        key: Vec<Field>,
        map: &'static str,
    },
    DnatMap {
        family: Family,
        key: Vec<Field>,
        map: &'static str,
    },
    DnatTo {
        addr: IpAddr,
        port: u16,
    },
    /// Replaces the prefix and keeps the rest.
    SnatPrefix(Subnet),
    DnatPrefix(Subnet),
    Jump(&'static str),
    Accept,
    Drop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    Addr(IpAddr),
    Port(u16),
}

/// What connection tracking knows of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CtMatch {
    EstablishedOrRelated,
    New,
    Original,
    SourceTranslated,
    DestTranslated,
}

impl fmt::Display for Ruleset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tables.iter().try_for_each(|table| table.fmt(f))
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "table {} {} {{", family(self.family), self.name)?;
        for set in &self.sets {
            let kind = if set.data.is_some() { "map" } else { "set" };
            write!(f, "\t{kind} {} {{\n\t\ttype {}", set.name, concat(&set.key))?;
            if let Some(data) = &set.data {
                write!(f, " : {}", concat(data))?;
            }
            writeln!(
                f,
                "\n\t\tsize 65535\n\t\tflags dynamic,timeout\n\t\ttimeout {}s\n\t}}",
                set.timeout.as_secs()
            )?;
        }
        for chain in &self.chains {
            writeln!(f, "\tchain {} {{", chain.name)?;
            if let Some(Hook { kind, point, priority }) = chain.hook {
                let kind = match kind {
                    HookKind::Filter => "filter",
                    HookKind::Nat => "nat",
                };
                let point = match point {
                    HookPoint::Prerouting => "prerouting",
                    HookPoint::Input => "input",
                    HookPoint::Forward => "forward",
                    HookPoint::Postrouting => "postrouting",
                };
                writeln!(f, "\t\ttype {kind} hook {point} priority {priority}; policy accept;")?;
            }
            for Rule(statements) in &chain.rules {
                let words: Vec<String> = statements.iter().map(ToString::to_string).collect();
                writeln!(f, "\t\t{}", words.join(" "))?;
            }
            writeln!(f, "\t}}")?;
        }
        writeln!(f, "}}")
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InInterface(name) => write!(f, "iifname \"{name}\""),
            Self::OutInterface(name) => write!(f, "oifname \"{name}\""),
            Self::HasPorts => f.write_str("meta l4proto { tcp, udp }"),
            Self::Is(protocol) => write!(f, "meta l4proto {protocol}"),
            Self::Equals(field, value) => write!(f, "{field} {value}"),
            Self::In(field, subnet) => write!(f, "{field} {subnet}"),
            Self::PortBetween(field, first, last) => write!(f, "{field} {first}-{last}"),
            Self::Ct(CtMatch::EstablishedOrRelated) => f.write_str("ct state established,related"),
            Self::Ct(CtMatch::New) => f.write_str("ct state new"),
            Self::Ct(CtMatch::Original) => f.write_str("ct direction original"),
            Self::Ct(CtMatch::SourceTranslated) => f.write_str("ct status snat"),
            Self::Ct(CtMatch::DestTranslated) => f.write_str("ct status dnat"),
            Self::Lookup { key, set, found } => {
                write!(f, "{} {}@{set}", concat(key), if *found { "" } else { "!= " })
            }
            Self::Update { set, key, timeout, data } => {
                write!(f, "update @{set} {{ {} timeout {}s", concat(key), timeout.as_secs())?;
                if !data.is_empty() {
                    write!(f, " : {}", concat(data))?;
                }
                f.write_str(" }")
            }
            Self::SnatTo { addr, ports, random } => {
                match (addr, ports) {
                    (addr, None) => write!(f, "snat to {addr}"),
                    (IpAddr::V4(addr), Some((first, last))) => {
                        write!(f, "snat to {addr}:{first}-{last}")
                    }
                    (IpAddr::V6(addr), Some((first, last))) => {
                        write!(f, "snat to [{addr}]:{first}-{last}")
                    }
                }?;
                f.write_str(if *random { " fully-random" } else { "" })
            }
            Self::SnatMap { family: of, key, map } => {
                write!(f, "snat {} to {} map @{map}", family(*of), concat(key))
            }
            Self::DnatMap { family: of, key, map } => {
                write!(f, "dnat {} to {} map @{map}", family(*of), concat(key))
            }
            Self::DnatTo { addr: IpAddr::V4(addr), port } => write!(f, "dnat to {addr}:{port}"),
            Self::DnatTo { addr: IpAddr::V6(addr), port } => write!(f, "dnat to [{addr}]:{port}"),
            Self::SnatPrefix(subnet) => {
                write!(f, "snat {} prefix to {subnet}", family(subnet.family()))
            }
            Self::DnatPrefix(subnet) => {
                write!(f, "dnat {} prefix to {subnet}", family(subnet.family()))
            }
            Self::Jump(chain) => write!(f, "jump {chain}"),
            Self::Accept => f.write_str("accept"),
            Self::Drop => f.write_str("drop"),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SourceAddr(of) => write!(f, "{} saddr", family(*of)),
            Self::DestAddr(of) => write!(f, "{} daddr", family(*of)),
            Self::Proto => f.write_str("meta l4proto"),
            Self::SourcePort => f.write_str("th sport"),
            Self::DestPort => f.write_str("th dport"),
            Self::OriginalSourceAddr(of) => write!(f, "ct original {} saddr", family(*of)),
            Self::OriginalSourcePort => f.write_str("ct original proto-src"),
            Self::OriginalDestAddr(of) => write!(f, "ct original {} daddr", family(*of)),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Addr(Family::V4) => "ipv4_addr",
            Type::Addr(Family::V6) => "ipv6_addr",
            Type::Proto => "inet_proto",
            Type::Port => "inet_service",
        })
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Addr(addr) => addr.fmt(f),
            Value::Port(port) => port.fmt(f),
        }
    }
}

/// A concatenation, in nft's notation.
fn concat<T: fmt::Display>(parts: &[T]) -> String {
    let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
    parts.join(" . ")
}

fn family(family: Family) -> &'static str {
    match family {
        Family::V4 => "ip",
        Family::V6 => "ip6",
    }
}
