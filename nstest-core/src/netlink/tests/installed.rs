//! Readers that only tests need: u32 filters and nftables rules.

use netlink_packet_core::Parseable;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{
    TcAction, TcActionAttribute, TcActionMirrorOption, TcActionOption, TcAttribute,
    TcFilterU32Option, TcMessage, TcMirrorActionType, TcOption, TcStats2,
};
use nix::libc;

use crate::error::Result;
use crate::netlink::attr::attributes;
use crate::netlink::message::{Mode, Request, malformed};
use crate::netlink::nftables::TableName;
use crate::netlink::nftables::header::{GENERIC_HEADER, SUBSYSTEM, header};
use crate::netlink::socket::Socket;
use crate::netlink::u32_filter;

/// A filter, as the kernel reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InstalledFilter {
    pub(super) number: u16,
    pub(super) actions: Vec<Mirred>,
}

/// One action of a filter, with its counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mirred {
    pub(super) device: u32,
    pub(super) redirects: bool,
    pub(super) packets: u64,
    pub(super) bytes: u64,
}

/// The filters of an interface, in order.
pub(super) fn filters(socket: &mut Socket, device: u32) -> Result<Vec<InstalledFilter>> {
    let request = Request::route(
        &RouteNetlinkMessage::GetTrafficFilter(TcMessage::from_parts(
            u32_filter::header(device, None),
            Vec::new(),
        )),
        Mode::Existing,
        format!("list the filters of interface #{device}"),
    );
    socket.dump(&request, parse_filter)
}

fn parse_filter(bytes: &[u8]) -> Result<Option<InstalledFilter>> {
    let message = TcMessage::parse(bytes).map_err(|error| malformed("a filter", error))?;
    let number = message.header.handle.minor & 0xfff;
    if number == 0 {
        return Ok(None); // the dump also contains the priority and the hash table
    }
    let mut actions = Vec::new();
    for attribute in &message.attributes {
        let TcAttribute::Options(options) = attribute else {
            continue;
        };
        for option in options {
            if let TcOption::U32(TcFilterU32Option::Action(all)) = option {
                actions.extend(all.iter().filter_map(mirred));
            }
        }
    }
    Ok(Some(InstalledFilter { number, actions }))
}

fn mirred(action: &TcAction) -> Option<Mirred> {
    let mut found = None;
    let (mut packets, mut bytes) = (0, 0);
    for attribute in &action.attributes {
        match attribute {
            TcActionAttribute::Options(options) => {
                found = found.or(options.iter().find_map(|option| match option {
                    TcActionOption::Mirror(TcActionMirrorOption::Parms(parms)) => Some(parms),
                    _ => None,
                }));
            }
            TcActionAttribute::Stats(stats) => {
                for stat in stats {
                    if let TcStats2::Basic(basic) = stat {
                        (packets, bytes) = (basic.packets.into(), basic.bytes);
                    }
                }
            }
            _ => {}
        }
    }
    found.map(|parms| Mirred {
        device: parms.ifindex,
        redirects: parms.eaction == TcMirrorActionType::EgressRedir,
        packets,
        bytes,
    })
}

/// A rule, as the kernel reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InstalledRule {
    /// Identifies the rule in its table.
    pub(super) handle: u64,
}

/// The rules of a chain, in order.
pub(super) fn rules(
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
    socket.dump(&request, |bytes| Ok(parse_rule(bytes)))
}

fn parse_rule(bytes: &[u8]) -> Option<InstalledRule> {
    let body = bytes.get(GENERIC_HEADER..)?;
    let handle = find(body, NFTA_RULE_HANDLE)?;
    Some(InstalledRule { handle: u64::from_be_bytes(handle.try_into().ok()?) })
}

fn find(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find_map(|(k, value)| (k == kind).then_some(value))
}

const NFTA_RULE_TABLE: u16 = 1;
const NFTA_RULE_CHAIN: u16 = 2;
const NFTA_RULE_HANDLE: u16 = 3;
