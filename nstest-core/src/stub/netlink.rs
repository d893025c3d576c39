//! netlink where there is none: what a plan says of rules and prefixes is data,
//! and the same everywhere.

#[path = "../netlink/mac.rs"]
mod mac;
#[path = "../netlink/prefix.rs"]
mod prefix;
#[path = "../netlink/nftables/ruleset.rs"]
mod ruleset;
#[path = "../netlink/nftables/text.rs"]
mod text;

pub(crate) use mac::Mac;
pub(crate) use prefix::{Family, Prefix};

pub(crate) mod nftables {
    pub(crate) use super::ruleset::{
        Chain, CtMatch, Field, Hook, HookKind, HookPoint, L4Proto, Rule, Set, Statement, Table,
        Type, Value,
    };
}
