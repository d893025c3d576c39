//! Parts that several messages of nftables have in common.

use std::time::Duration;

use nix::libc;

use super::super::attr::AttributeBuilder;
use super::ruleset::TableName;
use crate::addr::Family;

/// The number of nftables among the subsystems of NETLINK_NETFILTER.
pub(in crate::netlink) const SUBSYSTEM: u16 = libc::NFNL_SUBSYS_NFTABLES as u16;

/// Length of `struct nfgenmsg`.
#[cfg(test)]
pub(in crate::netlink) const GENERIC_HEADER: usize = 4;

/// Begins the body of a message: `struct nfgenmsg` (family, version, resource).
pub(in crate::netlink) fn header(table: TableName<'_>) -> AttributeBuilder {
    AttributeBuilder::after(&[number(table.family), 0, 0, 0])
}

/// The number of an IP version in netfilter.
pub(super) fn number(family: Family) -> u8 {
    let number = match family {
        Family::V4 => libc::NFPROTO_IPV4,
        Family::V6 => libc::NFPROTO_IPV6,
    };
    number as u8
}

pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

pub(super) const NFTA_DATA_VALUE: u16 = 1;
