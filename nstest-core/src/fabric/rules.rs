//! nftables for routers.
//!
//! A ruleset takes the place of another in one transaction: at no time do
//! packets meet half of it, or none. Conversations that are there go on as they
//! began, since translation is decided by their first packet (nft(8), "nat").
//!
//! Trap: connection tracking's settings appear in /proc/sys/net/netfilter with
//! its module, which the first rule that needs it loads; so they come last.

use super::member::Member;
use crate::addr::Family;
use crate::error::Result;
use crate::netlink::conntrack;
use crate::netlink::nftables::{Batch, TableName};
use crate::sysctl::Unwritten;
use crate::topology::RULES;
use crate::topology::state::Ruleset;

/// Puts the ruleset in the place of the one that the node has.
pub(super) fn replace(member: &mut Member, rules: &Ruleset) -> Result<Vec<Unwritten>> {
    let mut batch = Batch::new();
    for family in Family::BOTH {
        batch = batch.remove(TableName { family, name: RULES });
    }
    for table in &rules.tables {
        batch = batch.add(table);
    }
    batch.commit(member.netfilter()?)?;
    member.set(&rules.timeouts)
}

/// Forgets every conversation.
pub(super) fn flush_conntrack(member: &mut Member) -> Result<()> {
    member.netfilter()?.request(&conntrack::flush())
}
