//! Filters that forward the frames of a link end: u32 filters with `mirred` actions, at ingress.
//!
//! The traps (net/sched/cls_u32.c):
//! - Each priority gets its own hash table. The tables are numbered in the order in which they
//!   are made (0x800, 0x801, …). So a handle is predictable only if all filters of an interface
//!   have the same priority. Within a table, the filters are tried in the order of their
//!   numbers.
//! - Replacing a filter by its handle exchanges the actions atomically and keeps the *match* of
//!   the old filter. The message must still contain the match.
//! - A filter has at most 32 actions (TCA_ACT_MAX_PRIO). `mirred` continues with the next
//!   action only after `pipe`. So the last action *redirects* the frame. That saves a copy, and
//!   the frame does not reach the stack of the namespace.
//!
//! See tc-u32(8), tc-mirred(8).

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{
    TcAction, TcActionAttribute, TcActionMirrorOption, TcActionOption, TcActionType, TcAttribute,
    TcFilterU32Option, TcHandle, TcHeader, TcMessage, TcMirror, TcMirrorActionType, TcOption,
    TcU32Key, TcU32Selector, TcU32SelectorFlags,
};
use nix::libc;

use super::message::{Mode, Request};
use crate::addr::MacAddr;

/// The most actions of one filter.
pub(crate) const MAX_ACTIONS: usize = 32;

const PRIORITY: u32 = 2;
/// The first hash table of an interface, in the upper 12 bits of a handle.
const TABLE: u32 = 0x800 << 20;

/// Which frames a filter matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    All,
    Destination(MacAddr),
}

/// A filter at the ingress of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct U32Filter<'a> {
    pub(crate) device: u32,
    /// 1 to 0xfff. Filters with smaller numbers are tried first.
    pub(crate) number: u16,
    pub(crate) matches: Match,
    /// The interfaces that send each matching frame.
    pub(crate) to: &'a [u32],
}

impl U32Filter<'_> {
    fn message(&self) -> TcMessage {
        debug_assert!((1..=0xfff).contains(&self.number));
        debug_assert!((1..=MAX_ACTIONS).contains(&self.to.len()));
        let options = vec![
            TcOption::U32(TcFilterU32Option::Action(self.actions())),
            TcOption::U32(TcFilterU32Option::Selector(selector(self.matches))),
        ];
        let attributes = vec![TcAttribute::Kind("u32".to_owned()), TcAttribute::Options(options)];
        TcMessage::from_parts(header(self.device, Some(self.number)), attributes)
    }

    fn actions(&self) -> Vec<TcAction> {
        let last = self.to.len() - 1;
        let action = |(i, device): (usize, &u32)| {
            let mut mirror = TcMirror::default();
            mirror.ifindex = *device;
            if i == last {
                mirror.eaction = TcMirrorActionType::EgressRedir;
                mirror.generic.action = TcActionType::Stolen;
            } else {
                mirror.eaction = TcMirrorActionType::EgressMirror;
                mirror.generic.action = TcActionType::Pipe;
            }
            let mut action = TcAction::default();
            action.tab = u16::try_from(i + 1).expect("at most 32 actions");
            action.attributes = vec![
                TcActionAttribute::Kind("mirred".to_owned()),
                TcActionAttribute::Options(vec![TcActionOption::Mirror(
                    TcActionMirrorOption::Parms(mirror),
                )]),
            ];
            action
        };
        self.to.iter().enumerate().map(action).collect()
    }
}

/// Adds a filter. `Mode::Replace` exchanges the actions of the filter with the same number,
/// without losing or duplicating a frame.
pub(crate) fn add(filter: &U32Filter<'_>, mode: Mode) -> Request {
    Request::route(
        &RouteNetlinkMessage::NewTrafficFilter(filter.message()),
        mode,
        format!(
            "set filter {} of interface #{} ({:?} to {:?})",
            filter.number, filter.device, filter.matches, filter.to
        ),
    )
}

/// Deletes one filter. Succeeds if it or its interface is gone.
pub(crate) fn delete(device: u32, number: u16) -> Request {
    let kind = TcAttribute::Kind("u32".to_owned());
    Request::route(
        &RouteNetlinkMessage::DelTrafficFilter(TcMessage::from_parts(
            header(device, Some(number)),
            vec![kind],
        )),
        Mode::Existing,
        format!("delete filter {number} of interface #{device}"),
    )
    .unless_gone()
}

pub(super) fn header(device: u32, number: Option<u16>) -> TcHeader {
    let every_protocol = u32::from((libc::ETH_P_ALL as u16).to_be());
    TcHeader {
        index: i32::try_from(device).expect("the kernel's indices are positive ints"),
        handle: number.map_or(0, |number| TABLE | u32::from(number)).into(),
        parent: TcHandle { major: 0xffff, minor: TcHandle::MIN_INGRESS },
        info: number.map_or(0, |_| PRIORITY << 16 | every_protocol),
        ..TcHeader::default()
    }
}

/// Offsets count from the network header, in multiples of 4 bytes. The destination MAC address
/// begins 14 bytes before it.
fn selector(matches: Match) -> TcU32Selector {
    let key = |mask: u32, val: u32, off: i32| {
        let mut key = TcU32Key::default();
        (key.mask, key.val, key.off) = (mask, val, off);
        key
    };
    let keys = match matches {
        Match::All => vec![key(0, 0, 0)],
        Match::Destination(mac) => {
            let [a, b, c, d, e, f] = mac.octets();
            vec![
                key(0x0000_ffff, u32::from_be_bytes([0, 0, a, b]), -16),
                key(0xffff_ffff, u32::from_be_bytes([c, d, e, f]), -12),
            ]
        }
    };
    let mut selector = TcU32Selector::default();
    selector.flags = TcU32SelectorFlags::Terminal;
    selector.nkeys = u8::try_from(keys.len()).expect("two keys");
    selector.keys = keys;
    selector
}
