//! nftables for routers.
//!
//! A ruleset replaces another in one transaction: no packet meets half of it, or none.
//! Existing conversations continue as they began, because the first packet of each
//! decides about translation (nft(8), "nat").
//!
//! The trap: the settings of connection tracking appear in /proc/sys/net/netfilter when
//! its module is loaded, by the first rule that needs it. So they are written last.

use super::member::Member;
use crate::addr::Family;
use crate::error::Result;
use crate::netlink::conntrack::{self, TrackedConnection};
use crate::netlink::nftables::{TableName, Transaction};
use crate::sysctl::Unwritten;
use crate::topology::RULES;
use crate::topology::spec::Translated;
use crate::topology::state::Ruleset;

/// Replaces the ruleset of a node.
pub(super) fn replace(member: &mut Member, rules: &Ruleset) -> Result<Vec<Unwritten>> {
    let mut batch = Transaction::new();
    for family in Family::BOTH {
        batch = batch.remove(TableName { family, name: RULES });
    }
    for table in &rules.tables {
        batch = batch.add(table);
    }
    batch.commit(member.netfilter()?)?;
    member.set(&rules.timeouts)
}

/// The endpoints of the connections that connection tracking knows.
pub(super) fn translated(member: &mut Member) -> Result<Vec<Translated>> {
    let connections = conntrack::list(member.netfilter()?)?;
    let both = |TrackedConnection { protocol, original, reply }| {
        // Translated on the way out, and on the way in.
        [(original.source, reply.destination), (reply.source, original.destination)]
            .map(|(internal, external)| Translated { protocol, internal, external })
    };
    Ok(connections.into_iter().flat_map(both).collect())
}

/// Removes every conversation from connection tracking.
pub(super) fn flush_conntrack(member: &mut Member) -> Result<()> {
    member.netfilter()?.request(&conntrack::flush())
}
