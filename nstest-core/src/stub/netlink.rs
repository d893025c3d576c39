//! The rule language of nftables, on platforms without netlink: it is data, which plans of
//! networks contain.

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
