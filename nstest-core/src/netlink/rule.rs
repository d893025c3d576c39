//! Rules of policy routing: which table of routes a packet is looked up in.
//!
//! A new namespace has those of the priorities 0, 32766 and 32767. See ip-rule(8).

use netlink_packet_core::Parseable;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::rule::{RuleAttribute, RuleMessage};

use super::message::{Mode, Request, malformed};
use super::socket::Socket;
use crate::error::Result;

/// Those of a new namespace (`fib_default_rules_init`, net/ipv4/fib_rules.c).
const FIRST: [u32; 3] = [0, 32766, 32767];

/// Requests that delete every rule that the socket's namespace has not had from the start.
pub(crate) fn delete_added(socket: &mut Socket) -> Result<Vec<Request>> {
    let request = Request::route(
        &RouteNetlinkMessage::GetRule(RuleMessage::default()),
        Mode::Existing,
        "list the rules of policy routing".to_owned(),
    );
    socket.dump(&request, |bytes| {
        let rule = RuleMessage::parse(bytes).map_err(|error| malformed("a rule", error))?;
        let priority = rule.attributes.iter().find_map(|attribute| match attribute {
            RuleAttribute::Priority(priority) => Some(*priority),
            _ => None,
        });
        let priority = priority.unwrap_or_default();
        Ok((!FIRST.contains(&priority)).then(|| {
            let what = format!("delete the rule of policy routing with priority {priority}");
            Request::route(&RouteNetlinkMessage::DelRule(rule), Mode::Existing, what).unless_gone()
        }))
    })
}
