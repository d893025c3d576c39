//! netlink where there is none: what a plan says of rules and prefixes is data,
//! and the same everywhere.

#[path = "../netlink/nftables/ruleset.rs"]
mod ruleset;
#[path = "../netlink/nftables/text.rs"]
mod text;

pub(crate) mod nftables {
    pub(crate) use super::ruleset::{
        Chain, CtMatch, DataType, Field, FieldValue, HookKind, HookPoint, L4Proto, NftHook,
        NftRule, NftSet, Statement, Table,
    };
}
