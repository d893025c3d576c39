//! nftables for routers.
use super::member::Member;
use crate::error::Result;
use crate::netlink::conntrack;
use crate::sysctl::Unwritten;
use crate::topology::ruleset::Ruleset;

pub(super) fn replace(_member: &mut Member, _rules: &Ruleset) -> Result<Vec<Unwritten>> {
    Ok(Vec::new())
}

/// Forgets every conversation.
pub(super) fn flush_conntrack(member: &mut Member) -> Result<()> {
    member.netfilter()?.request(&conntrack::flush())
}
