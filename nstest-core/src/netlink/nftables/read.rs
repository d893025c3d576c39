//! Rules as the kernel shows them.

use nix::libc;

use super::super::attr::{attributes, find, text};
use super::super::message::{Mode, Request};
use super::super::socket::Socket;
use super::ruleset::TableName;
use super::{GENERIC_HEADER, NFTA_RULE_CHAIN, NFTA_RULE_EXPRESSIONS, NFTA_RULE_HANDLE};
use super::{NFTA_RULE_TABLE, SUBSYSTEM, header};
use crate::error::Result;

/// A rule as the kernel shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InstalledRule {
    /// By which it can be deleted.
    pub(crate) handle: u64,
    /// Packets and bytes, where the rule counts.
    pub(crate) counter: Option<(u64, u64)>,
}

/// The rules of a chain, in order.
pub(crate) fn rules(
    socket: &mut Socket,
    table: TableName,
    chain: &str,
) -> Result<Vec<InstalledRule>> {
    let mut body = header(table);
    body.put_str(NFTA_RULE_TABLE, table.name).put_str(NFTA_RULE_CHAIN, chain);
    let request = Request::raw(
        SUBSYSTEM << 8 | libc::NFT_MSG_GETRULE as u16,
        Mode::Existing,
        body.into_bytes(),
        format!("list the rules of chain {chain} of nftables table {table}"),
    );
    socket.dump(&request, |bytes| Ok(parse(bytes)))
}

fn parse(bytes: &[u8]) -> Option<InstalledRule> {
    let body = bytes.get(GENERIC_HEADER..)?;
    let handle = find(body, NFTA_RULE_HANDLE)?;
    let expressions = find(body, NFTA_RULE_EXPRESSIONS).unwrap_or_default();
    let counter = attributes(expressions).find_map(|(_, expression)| {
        let name = find(expression, NFTA_EXPR_NAME).map(text)?;
        let data = find(expression, NFTA_EXPR_DATA)?;
        let number = |kind| Some(u64::from_be_bytes(find(data, kind)?.try_into().ok()?));
        (name == "counter")
            .then(|| Some((number(NFTA_COUNTER_PACKETS)?, number(NFTA_COUNTER_BYTES)?)))?
    });
    Some(InstalledRule { handle: u64::from_be_bytes(handle.try_into().ok()?), counter })
}

pub(super) const NFTA_EXPR_NAME: u16 = 1;
pub(super) const NFTA_EXPR_DATA: u16 = 2;
const NFTA_COUNTER_BYTES: u16 = 1;
const NFTA_COUNTER_PACKETS: u16 = 2;
