//! Formats tables as input for `nft -f`: for messages, and for tests.

use std::fmt;
use std::net::IpAddr;

use super::ruleset::{
    Chain, CtMatch, DataType, Field, FieldValue, HookKind, HookPoint, L4Proto, NftHook, NftRule,
    NftSet, Statement, Table, TableName,
};
use crate::addr::Family;

impl fmt::Display for TableName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", keyword(self.family), self.name)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "table {} {{", self.id())?;
        if self.owned {
            writeln!(f, "\tflags owner")?;
        }
        self.sets.iter().try_for_each(|set| set.fmt(f))?;
        self.chains.iter().try_for_each(|chain| chain.fmt(f))?;
        writeln!(f, "}}")
    }
}

impl fmt::Display for NftSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.data.is_some() { "map" } else { "set" };
        write!(f, "\t{kind} {} {{\n\t\ttype {}", self.name, concat(&self.key))?;
        if let Some(data) = &self.data {
            write!(f, " : {}", concat(data))?;
        }
        let (size, seconds) = (Self::SIZE, self.timeout.as_secs());
        writeln!(f, "\n\t\tsize {size}\n\t\tflags dynamic,timeout\n\t\ttimeout {seconds}s\n\t}}")
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\tchain {} {{", self.name)?;
        if let Some(NftHook { kind, point, priority }) = self.hook {
            let (kind, point) = (kind.keyword(), point.keyword());
            writeln!(f, "\t\ttype {kind} hook {point} priority {priority}; policy accept;")?;
        }
        for NftRule(statements) in &self.rules {
            let words: Vec<String> = statements.iter().map(ToString::to_string).collect();
            writeln!(f, "\t\t{}", words.join(" "))?;
        }
        writeln!(f, "\t}}")
    }
}

impl HookKind {
    pub(super) fn keyword(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Nat => "nat",
        }
    }
}

impl HookPoint {
    fn keyword(self) -> &'static str {
        match self {
            Self::Prerouting => "prerouting",
            Self::Input => "input",
            Self::Forward => "forward",
            Self::Postrouting => "postrouting",
        }
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InInterface(name) => write!(f, "iifname \"{name}\""),
            Self::OutInterface(name) => write!(f, "oifname \"{name}\""),
            Self::HasPorts => f.write_str("meta l4proto { tcp, udp }"),
            Self::Is(transport) => write!(f, "meta l4proto {transport}"),
            Self::Equals(field, value) => write!(f, "{field} {value}"),
            Self::In(field, prefix) => write!(f, "{field} {prefix}"),
            Self::PortBetween(field, first, last) => write!(f, "{field} {first}-{last}"),
            Self::Ct(what) => what.fmt(f),
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
            Self::SnatMap { family, key, map } => {
                write!(f, "snat {} to {} map @{map}", keyword(*family), concat(key))
            }
            Self::DnatMap { family, key, map } => {
                write!(f, "dnat {} to {} map @{map}", keyword(*family), concat(key))
            }
            Self::DnatTo { addr: IpAddr::V4(addr), port } => write!(f, "dnat to {addr}:{port}"),
            Self::DnatTo { addr: IpAddr::V6(addr), port } => write!(f, "dnat to [{addr}]:{port}"),
            Self::Masquerade => f.write_str("masquerade"),
            Self::DupTo { addr, device } => write!(f, "dup to {addr} device {device}"),
            Self::SnatPrefix(prefix) => {
                write!(f, "snat {} prefix to {prefix}", keyword(Family::of(prefix.ip)))
            }
            Self::DnatPrefix(prefix) => {
                write!(f, "dnat {} prefix to {prefix}", keyword(Family::of(prefix.ip)))
            }
            Self::Jump(chain) => write!(f, "jump {chain}"),
            Self::Accept => f.write_str("accept"),
            Self::Drop => f.write_str("drop"),
        }
    }
}

impl fmt::Display for CtMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EstablishedOrRelated => "ct state established,related",
            Self::New => "ct state new",
            Self::NewOrInvalid => "ct state invalid,new",
            Self::Original => "ct direction original",
            Self::SourceTranslated => "ct status snat",
            Self::DestTranslated => "ct status dnat",
        })
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SourceAddr(family) => write!(f, "{} saddr", keyword(*family)),
            Self::DestAddr(family) => write!(f, "{} daddr", keyword(*family)),
            Self::Proto => f.write_str("meta l4proto"),
            Self::SourcePort => f.write_str("th sport"),
            Self::DestPort => f.write_str("th dport"),
            Self::OriginalSourceAddr(family) => write!(f, "ct original {} saddr", keyword(*family)),
            Self::OriginalSourcePort => f.write_str("ct original proto-src"),
            Self::OriginalDestAddr(family) => write!(f, "ct original {} daddr", keyword(*family)),
        }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Addr(Family::V4) => "ipv4_addr",
            Self::Addr(Family::V6) => "ipv6_addr",
            Self::Proto => "inet_proto",
            Self::Port => "inet_service",
        })
    }
}

impl fmt::Display for L4Proto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

impl fmt::Display for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addr(addr) => addr.fmt(f),
            Self::Port(port) => port.fmt(f),
        }
    }
}

/// A concatenation, in nft's notation.
fn concat<T: fmt::Display>(parts: &[T]) -> String {
    let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
    parts.join(" . ")
}

fn keyword(family: Family) -> &'static str {
    match family {
        Family::V4 => "ip",
        Family::V6 => "ip6",
    }
}
