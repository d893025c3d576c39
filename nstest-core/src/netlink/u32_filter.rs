//! Where a port's frames go: u32 filters with `mirred` actions at its ingress.
//!
//! The traps, all in net/sched/cls_u32.c:
//! - Each priority gets a hash table of its own, numbered in the order in which
//!   they come (0x800, 0x801, …), so a handle is predictable only if one
//!   priority serves all filters of a device. Within one table they are tried
//!   in the order of their numbers: so a filter's number is its precedence.
//! - Replacing by handle exchanges the actions atomically and keeps the
//!   *match* of the old filter; the message must repeat it all the same.
//! - A filter takes at most 32 actions (TCA_ACT_MAX_PRIO), and `mirred` hands
//!   the original on only to a `pipe`: the last action *redirects*, which saves
//!   a copy and keeps the frame from the fabric's own stack.
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

/// As many actions as one filter can have.
pub(crate) const MAX_PORTS: usize = 32;

const PRIORITY: u32 = 2;
/// The first hash table of a device, in the upper 12 bits of a handle.
const TABLE: u32 = 0x800 << 20;

/// Which frames a filter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Match {
    All,
    Destination(MacAddr),
}

/// A filter at the ingress of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct U32Filter<'a> {
    pub(crate) device: u32,
    /// 1 to 0xfff: its name, and its precedence (smaller comes first).
    pub(crate) number: u16,
    pub(crate) matches: Match,
    /// Where each taken frame goes: out of each of these devices, once.
    pub(crate) to: &'a [u32],
}

impl U32Filter<'_> {
    fn message(&self) -> TcMessage {
        debug_assert!((1..=0xfff).contains(&self.number));
        debug_assert!((1..=MAX_PORTS).contains(&self.to.len()));
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

/// Adds a filter, or with `Mode::Replace` exchanges the actions of the one that
/// has its number, with no frame in between lost or sent twice.
pub(crate) fn add(filter: &U32Filter<'_>, mode: Mode) -> Request {
    Request::route(
        &RouteNetlinkMessage::NewTrafficFilter(filter.message()),
        mode,
        format!(
            "set filter {} of link #{} ({:?} to {:?})",
            filter.number, filter.device, filter.matches, filter.to
        ),
    )
}

/// Deletes one filter.
pub(crate) fn delete(device: u32, number: u16) -> Request {
    let kind = TcAttribute::Kind("u32".to_owned());
    Request::route(
        &RouteNetlinkMessage::DelTrafficFilter(TcMessage::from_parts(
            header(device, Some(number)),
            vec![kind],
        )),
        Mode::Existing,
        format!("delete filter {number} of link #{device}"),
    )
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

/// Offsets count from the network header, in words: the destination address
/// begins 14 bytes before it, in the middle of one.
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
