//! The rule language: nftables' own nouns, as data.
//!
//! A value says what nft(8) would say, no more than is needed here; `Display`
//! ([`super::text`]) writes it as text that `nft -f` takes, and [`super::expression`]
//! as the kernel's bytes (include/uapi/linux/netfilter/nf_tables.h).

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use crate::addr::{Family, Prefix};

/// A table by its name, and so everything in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TableName<'a> {
    pub(crate) family: Family,
    pub(crate) name: &'a str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) family: Family,
    pub(crate) name: Cow<'static, str>,
    /// It goes when the socket that made it is closed, and only that can change it.
    pub(crate) owned: bool,
    pub(crate) sets: Vec<NftSet>,
    pub(crate) chains: Vec<Chain>,
}

impl Table {
    pub(crate) fn id(&self) -> TableName<'_> {
        TableName { family: self.family, name: &self.name }
    }
}

/// A set, or with `data` a map, whose elements rules add and time lets go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NftSet {
    pub(crate) name: &'static str,
    pub(crate) key: Vec<DataType>,
    pub(crate) data: Option<Vec<DataType>>,
    pub(crate) timeout: Duration,
}

impl NftSet {
    /// How many elements fit, which is every port of an address.
    pub(super) const SIZE: u32 = 65535;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DataType {
    Addr(Family),
    Proto,
    Port,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chain {
    pub(crate) name: &'static str,
    /// A base chain's place; others are only jumped to. What no rule decides
    /// on passes.
    pub(crate) hook: Option<NftHook>,
    pub(crate) rules: Vec<NftRule>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NftHook {
    pub(crate) kind: HookKind,
    pub(crate) point: HookPoint,
    /// Smaller comes first: -100 is nft's `dstnat`, 0 `filter`, 100 `srcnat`.
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

/// Conditions, and what happens to a packet that meets them all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NftRule(pub(crate) Vec<Statement>);

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

impl Field {
    pub(super) fn of(self) -> DataType {
        match self {
            Self::SourceAddr(family)
            | Self::DestAddr(family)
            | Self::OriginalSourceAddr(family)
            | Self::OriginalDestAddr(family) => DataType::Addr(family),
            Self::Proto => DataType::Proto,
            Self::SourcePort | Self::DestPort | Self::OriginalSourcePort => DataType::Port,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Statement {
    InInterface(String),
    OutInterface(String),
    /// `meta l4proto { tcp, udp }`: all that has ports. Once in a rule.
    HasPorts,
    Is(L4Proto),
    Equals(Field, FieldValue),
    In(Field, Prefix),
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
    /// To the address and port that a map holds; without an entry the packet
    /// goes on to the next rule.
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
    /// To the address that the packet's way out gives; the port stays where it can.
    Masquerade,
    /// Sends a copy to this next hop, by the device with this index, past the
    /// question whether the machine forwards.
    DupTo {
        addr: IpAddr,
        device: u32,
    },
    /// Replaces the prefix and keeps the rest.
    SnatPrefix(Prefix),
    DnatPrefix(Prefix),
    Jump(&'static str),
    Accept,
    Drop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum L4Proto {
    Tcp,
    Udp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldValue {
    Addr(IpAddr),
    Port(u16),
}

/// What connection tracking knows of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CtMatch {
    EstablishedOrRelated,
    New,
    /// What begins a conversation, or belongs to none.
    NewOrInvalid,
    Original,
    SourceTranslated,
    DestTranslated,
}
