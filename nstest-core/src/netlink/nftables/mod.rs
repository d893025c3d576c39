//! Packet filtering and address translation: tables, chains, rules.
//!
//! Everything is changed in transactions ([`Batch`]): all of it or nothing.
//! Numbers travel in network byte order, except where a register's contents are
//! compared in the machine's order (`ct state`).
//!
//! The traps: the kernel refuses to add a rule whose expressions need a module
//! that is absent with ENOENT, and says so only in the extended acknowledgement;
//! `reject` works in the input, forward and output hooks only; a `nat` chain sees
//! only the first packet of a connection, so a change of rules touches none that
//! is established: follow it with [`super::conntrack::flush`].
//!
//! Sources: include/uapi/linux/netfilter/nf_tables.h, nft(8), RFC 4787 for the
//! vocabulary of translation.

mod rule;

pub(crate) use rule::{Ports, Reject, Rule, State};

use nix::libc;

use super::attr::{Attributes, attributes, find, text};
use super::message::{Mode, Request};
use super::socket::Socket;
use crate::error::Result;

const SUBSYSTEM: u16 = libc::NFNL_SUBSYS_NFTABLES as u16;

/// Which packets a table sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Ipv4,
    Ipv6,
    /// Both.
    Inet,
}

impl Family {
    fn number(self) -> u8 {
        let number = match self {
            Self::Ipv4 => libc::NFPROTO_IPV4,
            Self::Ipv6 => libc::NFPROTO_IPV6,
            Self::Inet => libc::NFPROTO_INET,
        };
        number as u8
    }

    fn keyword(self) -> &'static str {
        match self {
            Self::Ipv4 => "ip",
            Self::Ipv6 => "ip6",
            Self::Inet => "inet",
        }
    }
}

/// A table, by which everything in it is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Table<'a> {
    pub(crate) family: Family,
    pub(crate) name: &'a str,
}

/// Where a chain stands in the way of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hook {
    Prerouting,
    Input,
    Forward,
    Output,
    Postrouting,
}

/// What a chain does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Filter,
    Nat,
}

/// A base chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chain<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: Kind,
    pub(crate) hook: Hook,
    /// Smaller comes first: -100 is nft's `dstnat`, 0 `filter`, 100 `srcnat`.
    pub(crate) priority: i32,
    /// What happens to a packet that no rule decides on.
    pub(crate) accepts: bool,
}

/// A transaction under construction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Batch {
    requests: Vec<Request>,
}

impl Batch {
    pub(crate) fn new() -> Self {
        Self { requests: vec![boundary(libc::NFNL_MSG_BATCH_BEGIN, "commit nftables rules")] }
    }

    /// Makes the table, unless it exists.
    pub(crate) fn table(mut self, table: Table<'_>) -> Self {
        let mut body = header(table);
        body.put_str(NFTA_TABLE_NAME, table.name).put_be32(NFTA_TABLE_FLAGS, 0);
        self.push(libc::NFT_MSG_NEWTABLE, libc::NLM_F_CREATE, body, || {
            format!("add {}", name(table))
        });
        self
    }

    /// Makes a table that only this transaction's socket can change, and that goes
    /// when the socket is closed. Linux 5.12.
    pub(crate) fn owned_table(mut self, table: Table<'_>) -> Self {
        let mut body = header(table);
        body.put_str(NFTA_TABLE_NAME, table.name).put_be32(NFTA_TABLE_FLAGS, NFT_TABLE_F_OWNER);
        let flags = libc::NLM_F_CREATE | libc::NLM_F_EXCL;
        self.push(libc::NFT_MSG_NEWTABLE, flags, body, || format!("add {}", name(table)));
        self
    }

    /// Deletes the table and all that is in it.
    pub(crate) fn delete_table(mut self, table: Table<'_>) -> Self {
        let mut body = header(table);
        body.put_str(NFTA_TABLE_NAME, table.name);
        self.push(libc::NFT_MSG_DELTABLE, 0, body, || format!("delete {}", name(table)));
        self
    }

    /// Makes the chain; one that exists gets the policy.
    pub(crate) fn chain(mut self, table: Table<'_>, chain: &Chain<'_>) -> Self {
        let kind = match chain.kind {
            Kind::Filter => "filter",
            Kind::Nat => "nat",
        };
        let hook = match chain.hook {
            Hook::Prerouting => libc::NF_INET_PRE_ROUTING,
            Hook::Input => libc::NF_INET_LOCAL_IN,
            Hook::Forward => libc::NF_INET_FORWARD,
            Hook::Output => libc::NF_INET_LOCAL_OUT,
            Hook::Postrouting => libc::NF_INET_POST_ROUTING,
        };
        let policy = if chain.accepts { libc::NF_ACCEPT } else { libc::NF_DROP };
        let mut body = header(table);
        body.put_str(NFTA_CHAIN_TABLE, table.name)
            .put_str(NFTA_CHAIN_NAME, chain.name)
            .put_str(NFTA_CHAIN_TYPE, kind)
            .put_be32(NFTA_CHAIN_POLICY, policy as u32)
            .nest(NFTA_CHAIN_HOOK, |nest| {
                nest.put_be32(NFTA_HOOK_HOOKNUM, hook as u32)
                    .put(NFTA_HOOK_PRIORITY, &chain.priority.to_be_bytes());
            });
        self.push(libc::NFT_MSG_NEWCHAIN, libc::NLM_F_CREATE, body, || {
            format!("add chain {} to {}", chain.name, name(table))
        });
        self
    }

    /// Removes all rules of the chain.
    pub(crate) fn flush(mut self, table: Table<'_>, chain: &str) -> Self {
        let mut body = header(table);
        body.put_str(NFTA_RULE_TABLE, table.name).put_str(NFTA_RULE_CHAIN, chain);
        self.push(libc::NFT_MSG_DELRULE, 0, body, || {
            format!("flush chain {chain} of {}", name(table))
        });
        self
    }

    /// Appends a rule to the chain.
    pub(crate) fn rule(mut self, table: Table<'_>, chain: &str, rule: &Rule) -> Self {
        let mut body = header(table);
        body.put_str(NFTA_RULE_TABLE, table.name).put_str(NFTA_RULE_CHAIN, chain);
        rule.write(&mut body);
        let flags = libc::NLM_F_CREATE | libc::NLM_F_APPEND;
        self.push(libc::NFT_MSG_NEWRULE, flags, body, || {
            format!("add a rule to chain {chain} of {}", name(table))
        });
        self
    }

    /// Deletes the rule that [`rules`] showed under this handle.
    pub(crate) fn delete_rule(mut self, table: Table<'_>, chain: &str, handle: u64) -> Self {
        let mut body = header(table);
        body.put_str(NFTA_RULE_TABLE, table.name)
            .put_str(NFTA_RULE_CHAIN, chain)
            .put_be64(NFTA_RULE_HANDLE, handle);
        self.push(libc::NFT_MSG_DELRULE, 0, body, || {
            format!("delete rule {handle} of chain {chain} of {}", name(table))
        });
        self
    }

    /// Has it carried out by a socket of [`super::Protocol::Netfilter`].
    pub(crate) fn commit(mut self, socket: &mut Socket) -> Result<()> {
        let end = boundary(libc::NFNL_MSG_BATCH_END, "commit nftables rules");
        self.requests.push(end);
        socket.transaction(&self.requests)
    }

    fn push(
        &mut self,
        message: libc::c_int,
        flags: libc::c_int,
        body: Attributes,
        what: impl FnOnce() -> String,
    ) {
        let kind = SUBSYSTEM << 8 | message as u16;
        let request = Request::raw(kind, Mode::Existing, body.into_bytes(), what());
        self.requests.push(request.with_flags(flags));
    }

    #[cfg(test)]
    pub(super) fn requests(&self) -> &[Request] {
        &self.requests[1..]
    }
}

/// A rule as the kernel shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Installed {
    /// By which it can be deleted.
    pub(crate) handle: u64,
    pub(crate) comment: Option<String>,
    /// Packets and bytes, where the rule counts.
    pub(crate) counter: Option<(u64, u64)>,
}

/// The rules of a chain, in order.
pub(crate) fn rules(socket: &mut Socket, table: Table<'_>, chain: &str) -> Result<Vec<Installed>> {
    let mut body = header(table);
    body.put_str(NFTA_RULE_TABLE, table.name).put_str(NFTA_RULE_CHAIN, chain);
    let request = Request::raw(
        SUBSYSTEM << 8 | libc::NFT_MSG_GETRULE as u16,
        Mode::Existing,
        body.into_bytes(),
        format!("list the rules of chain {chain} of {}", name(table)),
    );
    socket.dump(&request, |bytes| Ok(parse(bytes)))
}

fn parse(bytes: &[u8]) -> Option<Installed> {
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
    Some(Installed {
        handle: u64::from_be_bytes(handle.try_into().ok()?),
        comment: find(body, NFTA_RULE_USERDATA).and_then(rule::comment),
        counter,
    })
}

/// `struct nfgenmsg`: family, version, resource.
const GENERIC_HEADER: usize = 4;

fn header(table: Table<'_>) -> Attributes {
    Attributes::after(&[table.family.number(), 0, 0, 0])
}

fn name(table: Table<'_>) -> String {
    format!("nftables table {} {}", table.family.keyword(), table.name)
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
const NFTA_RULE_TABLE: u16 = 1;
const NFTA_RULE_CHAIN: u16 = 2;
const NFTA_RULE_HANDLE: u16 = 3;
const NFTA_RULE_EXPRESSIONS: u16 = 4;
const NFTA_RULE_USERDATA: u16 = 7;
const NFTA_EXPR_NAME: u16 = 1;
const NFTA_EXPR_DATA: u16 = 2;
const NFTA_COUNTER_BYTES: u16 = 1;
const NFTA_COUNTER_PACKETS: u16 = 2;
