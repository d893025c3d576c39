//! Rules of policy routing: which table of routes a packet is looked up in. See ip-rule(8).

use netlink_packet_core::Parseable;
use netlink_packet_route::route::RouteProtocol;
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleHeader, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::errno::Errno;

use super::message::{Mode, Request, malformed, refusal};
use super::route::{TABLE_DEFAULT, TABLE_LOCAL, TABLE_MAIN};
use super::socket::Socket;
use crate::error::Result;
use crate::sysctl;

/// The priority and table of the rules of a new namespace: `fib_default_rules_init`
/// (net/ipv4/fib_rules.c) and `fib6_rules_net_init` (net/ipv6/fib6_rules.c).
const IPV4: [(u32, u8); 3] = [(0, TABLE_LOCAL), (32766, TABLE_MAIN), (32767, TABLE_DEFAULT)];
const IPV6: [(u32, u8); 2] = [(0, TABLE_LOCAL), (32766, TABLE_MAIN)];

/// How often what a program has changed is deleted. A request may match another rule than the
/// one that it is meant for, if they differ only in `not`.
const ATTEMPTS: u32 = 3;

/// Gives the socket's namespace the rules of a new one, and no others.
pub(crate) fn restore(socket: &mut Socket) -> Result<()> {
    let first = || {
        let ipv6 = IPV6.map(|rule| (AddressFamily::Inet6, rule));
        let ipv6 = ipv6.into_iter().filter(|_| sysctl::has_ipv6());
        IPV4.map(|rule| (AddressFamily::Inet, rule)).into_iter().chain(ipv6)
    };
    let mut missing: Vec<RuleMessage> = Vec::new();
    for _ in 0..ATTEMPTS {
        missing = first().map(|(family, (priority, table))| of(family, priority, table)).collect();
        let mut extra = Vec::new();
        for rule in list(socket)? {
            match missing.iter().position(|first| is_same(first, &rule)) {
                Some(position) => drop(missing.swap_remove(position)),
                None => extra.push(delete(rule)),
            }
        }
        if extra.is_empty() {
            break;
        }
        socket.batch(&extra)?;
    }
    for rule in missing {
        let what = format!("add the rule of policy routing with priority {}", priority(&rule));
        let add = Request::route(&RouteNetlinkMessage::NewRule(rule), Mode::Create, what);
        match socket.request(&add) {
            // A kernel without policy routing.
            Err(error) if refusal(&error) == Some(Errno::EOPNOTSUPP) => {}
            result => result?,
        }
    }
    Ok(())
}

/// The rules for both IP versions. The kernel also has rules for multicast routing.
fn list(socket: &mut Socket) -> Result<Vec<RuleMessage>> {
    let request = Request::route(
        &RouteNetlinkMessage::GetRule(RuleMessage::default()),
        Mode::Existing,
        "list the rules of policy routing".to_owned(),
    );
    socket.dump(&request, |bytes| {
        let rule = RuleMessage::parse(bytes).map_err(|error| malformed("a rule", error))?;
        let of_ip = matches!(rule.header.family, AddressFamily::Inet | AddressFamily::Inet6);
        Ok(of_ip.then_some(rule))
    })
}

fn delete(rule: RuleMessage) -> Request {
    let what = format!("delete the rule of policy routing with priority {}", priority(&rule));
    Request::route(&RouteNetlinkMessage::DelRule(rule), Mode::Existing, what).unless_gone()
}

/// A rule that looks every packet up in a table.
fn of(family: AddressFamily, priority: u32, table: u8) -> RuleMessage {
    let mut rule = RuleMessage::default();
    rule.header =
        RuleHeader { family, table, action: RuleAction::ToTable, ..RuleHeader::default() };
    rule.attributes = vec![
        RuleAttribute::Priority(priority),
        RuleAttribute::Table(table.into()),
        RuleAttribute::Protocol(RouteProtocol::Kernel),
    ];
    rule
}

/// Whether a rule that the kernel reports does what a rule of a new namespace does.
fn is_same(first: &RuleMessage, present: &RuleMessage) -> bool {
    let is_plain = |attribute: &RuleAttribute| match attribute {
        RuleAttribute::Priority(_) | RuleAttribute::Table(_) | RuleAttribute::Protocol(_) => true,
        RuleAttribute::SuppressPrefixLen(length) => *length == u32::MAX, // none
        _ => false,
    };
    present.header == first.header
        && priority(present) == priority(first)
        && present.attributes.iter().all(is_plain)
}

fn priority(rule: &RuleMessage) -> u32 {
    let priority = rule.attributes.iter().find_map(|attribute| match attribute {
        RuleAttribute::Priority(priority) => Some(*priority),
        _ => None,
    });
    priority.unwrap_or_default()
}
