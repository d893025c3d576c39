//! Packet filtering and address translation: tables, chains and rules.
//!
//! The traps:
//! - The kernel refuses a rule with ENOENT if a module for one of its expressions is missing,
//!   and says so only in the extended acknowledgement.
//! - A `nat` chain sees only the first packet of a connection. A change of the rules does not
//!   affect established connections until `conntrack::flush` removes them.
//!
//! In dependency order:
//!
//! - `ruleset`: the rule language, as data; `text`: as nft(8) writes it;
//! - `header`: common parts of messages;
//! - `expression`, `statement`: a rule as the kernel has it;
//! - `batch`: transactions.
//!
//! Sources: include/uapi/linux/netfilter/nf_tables.h, nft(8), and RFC 4787 for the terms of
//! translation.

mod batch;
mod expression;
pub(super) mod header;
mod ruleset;
mod statement;
mod text;

pub(crate) use batch::Transaction;
pub(crate) use ruleset::{
    Chain, CtMatch, DataType, Field, FieldValue, HookKind, HookPoint, L4Proto, NftHook, NftRule,
    NftSet, Statement, Table, TableName,
};
