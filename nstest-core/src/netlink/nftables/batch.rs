//! Transactions: the kernel applies all messages of one, or none.

use nix::libc;

use super::super::attr::AttributeBuilder;
use super::super::message::{Mode, Request};
use super::super::socket::Socket;
use super::header::{NFTA_DATA_VALUE, SUBSYSTEM, header, milliseconds};
use super::ruleset::{
    Chain, DataType, HookPoint, L4Proto, NftHook, NftRule, NftSet, Statement, Table, TableName,
};
use super::statement::{self, ANONYMOUS};
use crate::addr::Family;
use crate::error::Result;

/// A transaction under construction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transaction<'a> {
    requests: Vec<Request>,
    /// The sets that it adds. Rules refer to a set by its number, which starts at 1.
    sets: Vec<(TableName<'a>, &'static str)>,
}

impl<'a> Transaction<'a> {
    pub(crate) fn new() -> Self {
        let begin = boundary(libc::NFNL_MSG_BATCH_BEGIN, "commit nftables rules");
        Self { requests: vec![begin], sets: Vec::new() }
    }

    /// Deletes the table with its contents, if it exists.
    pub(crate) fn remove(self, table: TableName<'a>) -> Self {
        // Linux 6.3 and newer have a message for this (NFT_MSG_DESTROYTABLE).
        self.table(table).delete(table)
    }

    /// Adds a table that does not exist, with its contents.
    pub(crate) fn add(mut self, table: &'a Table) -> Self {
        let id = table.id();
        self = if table.owned { self.owned_table(id) } else { self.table(id) };
        // First all chains and sets, because rules can refer to any of them.
        for chain in &table.chains {
            self = self.chain(id, chain);
        }
        for set in &table.sets {
            self = self.set(id, set);
        }
        for chain in &table.chains {
            for rule in &chain.rules {
                self = self.rule(id, chain.name, rule);
            }
        }
        self
    }

    /// Adds the table, unless it exists.
    fn table(mut self, table: TableName<'a>) -> Self {
        self.new_table(table, libc::NLM_F_CREATE, 0);
        self
    }

    /// Adds a table that only the socket of this transaction can change. The kernel deletes it
    /// when the socket is closed (Linux 5.12).
    fn owned_table(mut self, table: TableName<'a>) -> Self {
        self.new_table(table, libc::NLM_F_CREATE | libc::NLM_F_EXCL, NFT_TABLE_F_OWNER);
        self
    }

    fn new_table(&mut self, table: TableName<'a>, flags: libc::c_int, table_flags: u32) {
        let mut body = header(table);
        body.put_str(NFTA_TABLE_NAME, table.name).put_be32(NFTA_TABLE_FLAGS, table_flags);
        self.push(libc::NFT_MSG_NEWTABLE, flags, body, || format!("add nftables table {table}"));
    }

    fn delete(mut self, table: TableName<'a>) -> Self {
        let mut body = header(table);
        body.put_str(NFTA_TABLE_NAME, table.name);
        self.push(libc::NFT_MSG_DELTABLE, 0, body, || format!("delete nftables table {table}"));
        self
    }

    /// Adds the chain, without its rules.
    fn chain(mut self, table: TableName<'a>, chain: &Chain) -> Self {
        let mut body = header(table);
        body.put_str(NFTA_CHAIN_TABLE, table.name).put_str(NFTA_CHAIN_NAME, chain.name);
        if let Some(NftHook { kind, point, priority }) = chain.hook {
            let point = match point {
                HookPoint::Prerouting => libc::NF_INET_PRE_ROUTING,
                HookPoint::Input => libc::NF_INET_LOCAL_IN,
                HookPoint::Forward => libc::NF_INET_FORWARD,
                HookPoint::Postrouting => libc::NF_INET_POST_ROUTING,
            };
            body.put_str(NFTA_CHAIN_TYPE, kind.keyword())
                .put_be32(NFTA_CHAIN_POLICY, libc::NF_ACCEPT as u32)
                .nest(NFTA_CHAIN_HOOK, |nest| {
                    nest.put_be32(NFTA_HOOK_HOOKNUM, point as u32)
                        .put(NFTA_HOOK_PRIORITY, &priority.to_be_bytes());
                });
        }
        self.push(libc::NFT_MSG_NEWCHAIN, libc::NLM_F_CREATE, body, || {
            format!("add chain {} to nftables table {table}", chain.name)
        });
        self
    }

    /// Adds the set or map, without elements. Rules add them.
    fn set(mut self, table: TableName<'a>, set: &NftSet) -> Self {
        let mut flags = libc::NFT_SET_EVAL | libc::NFT_SET_TIMEOUT;
        if set.data.is_some() {
            flags |= libc::NFT_SET_MAP;
        }
        let id = self.number(table, set.name);
        let mut body = header(table);
        body.put_str(NFTA_SET_TABLE, table.name)
            .put_str(NFTA_SET_NAME, set.name)
            .put_be32(NFTA_SET_FLAGS, flags as u32)
            .put_be32(NFTA_SET_KEY_TYPE, type_number(&set.key))
            .put_be32(NFTA_SET_KEY_LEN, length(&set.key));
        if let Some(data) = &set.data {
            body.put_be32(NFTA_SET_DATA_TYPE, type_number(data))
                .put_be32(NFTA_SET_DATA_LEN, length(data));
        }
        body.put_be32(NFTA_SET_ID, id)
            .nest(NFTA_SET_DESC, |nest| {
                nest.put_be32(NFTA_SET_DESC_SIZE, NftSet::SIZE);
            })
            .put_be64(NFTA_SET_TIMEOUT, milliseconds(set.timeout));
        self.push(libc::NFT_MSG_NEWSET, libc::NLM_F_CREATE, body, || {
            format!("add set {} to nftables table {table}", set.name)
        });
        self
    }

    /// Adds an anonymous set for the next rule: the protocols that have ports.
    fn transports(mut self, table: TableName<'a>) -> Self {
        let transports = [L4Proto::Tcp, L4Proto::Udp];
        let what = || format!("add a set of transports to nftables table {table}");
        let id = self.number(table, ANONYMOUS);
        let mut body = header(table);
        body.put_str(NFTA_SET_TABLE, table.name)
            .put_str(NFTA_SET_NAME, ANONYMOUS)
            .put_be32(NFTA_SET_FLAGS, (libc::NFT_SET_ANONYMOUS | libc::NFT_SET_CONSTANT) as u32)
            .put_be32(NFTA_SET_KEY_TYPE, type_number(&[DataType::Proto]))
            .put_be32(NFTA_SET_KEY_LEN, 1)
            .put_be32(NFTA_SET_ID, id)
            .nest(NFTA_SET_DESC, |nest| {
                nest.put_be32(NFTA_SET_DESC_SIZE, transports.len() as u32);
            });
        self.push(libc::NFT_MSG_NEWSET, libc::NLM_F_CREATE, body, what);
        let mut body = header(table);
        body.put_str(NFTA_SET_ELEM_LIST_TABLE, table.name)
            .put_str(NFTA_SET_ELEM_LIST_SET, ANONYMOUS)
            .put_be32(NFTA_SET_ELEM_LIST_SET_ID, id)
            .nest(NFTA_SET_ELEM_LIST_ELEMENTS, |list| {
                for (nth, transport) in (1..).zip(transports) {
                    list.nest(nth, |element| {
                        element.nest(NFTA_SET_ELEM_KEY, |key| {
                            key.put(NFTA_DATA_VALUE, &[statement::number(transport)]);
                        });
                    });
                }
            });
        self.push(libc::NFT_MSG_NEWSETELEM, libc::NLM_F_CREATE, body, what);
        self
    }

    /// Appends a rule to the chain.
    pub(crate) fn rule(mut self, table: TableName<'a>, chain: &str, rule: &NftRule) -> Self {
        if rule.0.contains(&Statement::HasPorts) {
            self = self.transports(table);
        }
        let id = |name: &str| {
            // The last one, because all anonymous sets have the same name.
            let nth = self.sets.iter().rposition(|set| *set == (table, name))?;
            Some(nth as u32 + 1)
        };
        let expressions = statement::expressions(rule, &id);
        let mut body = header(table);
        body.put_str(NFTA_RULE_TABLE, table.name)
            .put_str(NFTA_RULE_CHAIN, chain)
            .put(NFTA_RULE_EXPRESSIONS | libc::NLA_F_NESTED as u16, &expressions.into_bytes());
        let flags = libc::NLM_F_CREATE | libc::NLM_F_APPEND;
        self.push(libc::NFT_MSG_NEWRULE, flags, body, || {
            format!("add a rule to chain {chain} of nftables table {table}")
        });
        self
    }

    /// Sends the transaction on a socket of [`crate::netlink::NetlinkFamily::Netfilter`].
    pub(crate) fn commit(mut self, socket: &mut Socket) -> Result<()> {
        let end = boundary(libc::NFNL_MSG_BATCH_END, "commit nftables rules");
        self.requests.push(end);
        socket.transaction(&self.requests)
    }

    /// A number for a set of this transaction.
    fn number(&mut self, table: TableName<'a>, set: &'static str) -> u32 {
        self.sets.push((table, set));
        self.sets.len() as u32
    }

    fn push(
        &mut self,
        message: libc::c_int,
        flags: libc::c_int,
        body: AttributeBuilder,
        what: impl FnOnce() -> String,
    ) {
        let kind = SUBSYSTEM << 8 | message as u16;
        let request = Request::raw(kind, Mode::Existing, body.into_bytes(), what());
        self.requests.push(request.with_flags(flags));
    }

    #[cfg(test)]
    pub(in super::super) fn requests(&self) -> &[Request] {
        &self.requests[1..]
    }
}

/// The length of a concatenation in registers, in bytes.
fn length(types: &[DataType]) -> u32 {
    types.iter().map(|of| 4 * u32::from(statement::words(*of))).sum()
}

/// The type of a concatenation, six bits for each part. The kernel stores it for nft(8), which
/// uses it to print elements (include/datatype.h of nftables).
fn type_number(types: &[DataType]) -> u32 {
    types.iter().fold(0, |number, of| {
        let of = match of {
            DataType::Addr(Family::V4) => 7,
            DataType::Addr(Family::V6) => 8,
            DataType::Proto => 12,
            DataType::Port => 13,
        };
        number << 6 | of
    })
}

fn boundary(kind: libc::c_int, what: &str) -> Request {
    let [high, low] = SUBSYSTEM.to_be_bytes();
    let family = libc::AF_UNSPEC as u8;
    let body = vec![family, 0, high, low];
    Request::raw(kind as u16, Mode::Existing, body, what.to_owned())
}

const NFT_TABLE_F_OWNER: u32 = 2;
const NFTA_TABLE_NAME: u16 = 1;
const NFTA_TABLE_FLAGS: u16 = 2;
const NFTA_CHAIN_TABLE: u16 = 1;
const NFTA_CHAIN_NAME: u16 = 3;
const NFTA_CHAIN_HOOK: u16 = 4;
const NFTA_CHAIN_POLICY: u16 = 5;
const NFTA_CHAIN_TYPE: u16 = 7;
const NFTA_HOOK_HOOKNUM: u16 = 1;
const NFTA_HOOK_PRIORITY: u16 = 2;
const NFTA_SET_TABLE: u16 = 1;
const NFTA_SET_NAME: u16 = 2;
const NFTA_SET_FLAGS: u16 = 3;
const NFTA_SET_KEY_TYPE: u16 = 4;
const NFTA_SET_KEY_LEN: u16 = 5;
const NFTA_SET_DATA_TYPE: u16 = 6;
const NFTA_SET_DATA_LEN: u16 = 7;
const NFTA_SET_DESC: u16 = 9;
const NFTA_SET_ID: u16 = 10;
const NFTA_SET_TIMEOUT: u16 = 11;
const NFTA_SET_DESC_SIZE: u16 = 1;
const NFTA_SET_ELEM_LIST_TABLE: u16 = 1;
const NFTA_SET_ELEM_LIST_SET: u16 = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS: u16 = 3;
const NFTA_SET_ELEM_LIST_SET_ID: u16 = 4;
const NFTA_SET_ELEM_KEY: u16 = 1;
const NFTA_RULE_TABLE: u16 = 1;
const NFTA_RULE_CHAIN: u16 = 2;
const NFTA_RULE_EXPRESSIONS: u16 = 4;
