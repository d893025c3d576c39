//! The rule language of nftables, as data.
//!
//! The types have the names of nft(8), and only the features that nstest uses. `text` formats
//! them as input for `nft -f`. `batch`, `statement` and `expression` encode them for the kernel
//! (include/uapi/linux/netfilter/nf_tables.h).

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use crate::addr::{Family, Prefix};

/// The family and the name of a table, which identify it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TableName<'a> {
    pub(crate) family: Family,
    pub(crate) name: &'a str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) family: Family,
    pub(crate) name: Cow<'static, str>,
    /// Only the socket that added it can change it. The kernel deletes it with the socket.
    pub(crate) owned: bool,
    pub(crate) sets: Vec<NftSet>,
    pub(crate) chains: Vec<Chain>,
}

impl Table {
    pub(crate) fn id(&self) -> TableName<'_> {
        TableName { family: self.family, name: &self.name }
    }
}

/// A set, or a map if it has `data`. Rules add its elements, which expire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NftSet {
    pub(crate) name: &'static str,
    pub(crate) key: Vec<DataType>,
    pub(crate) data: Option<Vec<DataType>>,
    pub(crate) timeout: Duration,
}

impl NftSet {
    /// The largest number of elements: one for each port of an address.
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
    /// The hook of a base chain. Other chains are reached only by a jump. Packets about which no
    /// rule decides are accepted.
    pub(crate) hook: Option<NftHook>,
    pub(crate) rules: Vec<NftRule>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NftHook {
    pub(crate) kind: HookKind,
    pub(crate) point: HookPoint,
    /// The smallest comes first. nft calls -100 `dstnat`, 0 `filter` and 100 `srcnat`.
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

/// Conditions, and the actions for a packet that meets all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NftRule(pub(crate) Vec<Statement>);

/// A field of a packet or of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    SourceAddr(Family),
    DestAddr(Family),
    Proto,
    SourcePort,
    DestPort,
    /// The source of the connection's first packet, before any translation.
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
    /// `meta l4proto { tcp, udp }`: the protocols that have ports. At most once in a rule.
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
    /// Translates to the address and port in a map. If the map has no such entry, the next rule
    /// applies.
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
    /// Translates to the address of the outgoing interface. Keeps the port if it is free.
    Masquerade,
    /// Sends a copy to this next hop on the interface with this index, also if the host does
    /// not forward.
    DupTo {
        addr: IpAddr,
        device: u32,
    },
    /// Replaces the prefix of the address.
    SnatPrefix(Prefix),
    DnatPrefix(Prefix),
    Jump(&'static str),
    Accept,
    Drop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum L4Proto {
    Tcp,
    Udp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldValue {
    Addr(IpAddr),
    Port(u16),
}

/// A condition on the connection of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CtMatch {
    EstablishedOrRelated,
    New,
    /// The first packet of a connection, or a packet of no connection.
    NewOrInvalid,
    Original,
    SourceTranslated,
    DestTranslated,
}
