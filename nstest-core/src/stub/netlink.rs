//! netlink where there is none: what a plan says of rules and prefixes is data,
//! and the same everywhere.

#[path = "../netlink/nftables/ruleset.rs"]
mod ruleset;
#[path = "../netlink/nftables/text.rs"]
mod text;

pub(crate) mod nftables {
    pub(crate) use super::ruleset::{
        Chain, CtMatch, Field, Hook, HookKind, HookPoint, L4Proto, Rule, Set, Statement, Table,
        Type, Value,
    };
}
