//! Filters that are programs: cls_bpf with classic BPF, which each user may load.
//!
//! They have a higher priority than the filters of [`u32_filter`](super::u32_filter), so they
//! decide about a frame before it is forwarded. The programs read the mark of the frame, and can
//! leave out neighbour discovery.
//! See tc-bpf(8), net/sched/cls_bpf.c, and Documentation/networking/filter.rst for the
//! ancillary data.
//!
//! The trap: without `direct-action`, a program returns whether the filter matches (0: no). With
//! it, it returns the action (TC_ACT_SHOT drops the frame).

use std::ops::RangeInclusive;

use nix::libc::{self, sock_filter};

use super::attr::AttributeBuilder;
use super::message::{Mode, Request};
use crate::addr::MacAddr;

/// Less than that of u32 filters. The filter with the lowest number is tried first.
const PRIORITY: u32 = 1;

/// The most addresses of [`BpfFilter::discovery_of`], each with ten instructions: a program has
/// 4096 at most (BPF_MAXINSNS).
pub(crate) const MAX_ADDRESSES: usize = 400;

/// Offsets in a frame. Those of IPv6 are without extension headers, which neighbour discovery
/// does not have.
const DESTINATION_AT: u32 = 0;
const SOURCE_AT: u32 = 6;
const ETHERTYPE_AT: u32 = 12;
const NEXT_HEADER_AT: u32 = 14 + 6;
const ICMP_TYPE_AT: u32 = 14 + 40;

/// The ICMPv6 types of neighbour and router discovery.
const DISCOVERY: RangeInclusive<u32> = 133..=137;

const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_BPF_ACT: u16 = 1;
const TCA_BPF_OPS_LEN: u16 = 4;
const TCA_BPF_OPS: u16 = 5;
const TCA_BPF_FLAGS: u16 = 8;
const TCA_BPF_FLAG_ACT_DIRECT: u32 = 1;
const TCA_ACT_KIND: u16 = 1;
const TCA_ACT_OPTIONS: u16 = 2;
const TCA_MIRRED_PARMS: u16 = 2;
const TC_ACT_SHOT: u32 = 2;
const TC_ACT_STOLEN: u32 = 4;
const TCA_EGRESS_REDIR: u32 = 1;
const TCA_INGRESS_REDIR: u32 = 3;

/// Where a filter is attached: to received or to sent frames of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClsactHook {
    Ingress,
    Egress,
}

/// Which marks the filter matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MarkMatch {
    With(u32),
    Without(u32),
}

/// What the filter does with a matching frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FilterAction {
    /// Sends it on the interface with this index.
    SendOn(u32),
    /// Makes the interface with this index receive it.
    ReceiveOn(u32),
    Drop,
}

/// A filter. The filters of one hook must not match the same frames, because the last one that
/// was added is tried first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BpfFilter {
    pub(crate) device: u32,
    pub(crate) hook: ClsactHook,
    /// Its number at this hook, from 1.
    pub(crate) number: u32,
    pub(crate) matches: MarkMatch,
    /// If set, it matches ARP and neighbour and router discovery of IPv6 (RFC 4861 §4) only
    /// from and to these addresses.
    pub(crate) discovery_of: Option<Vec<MacAddr>>,
    pub(crate) action: FilterAction,
}

/// Sets the filter, in place of the one with this number. No frame passes between them.
pub(crate) fn set(filter: &BpfFilter) -> Request {
    let parent: u32 = match filter.hook {
        ClsactHook::Ingress => 0xffff_fff2,
        ClsactHook::Egress => 0xffff_fff3,
    };
    let every_protocol = u32::from((libc::ETH_P_ALL as u16).to_be());
    // struct tcmsg: family, device, handle, parent, priority and protocol.
    let words = [0, filter.device, filter.number, parent, PRIORITY << 16 | every_protocol];
    let mut body = AttributeBuilder::after(&words.map(u32::to_ne_bytes).concat());
    let program = program(filter);
    body.put_str(TCA_KIND, "bpf").nest(TCA_OPTIONS, |options| {
        options.put(TCA_BPF_OPS_LEN, &(program.len() as u16).to_ne_bytes());
        options.put(TCA_BPF_OPS, &program.concat());
        match filter.action {
            FilterAction::SendOn(device) => redirect(options, TCA_EGRESS_REDIR, device),
            FilterAction::ReceiveOn(device) => redirect(options, TCA_INGRESS_REDIR, device),
            FilterAction::Drop => {
                options.put(TCA_BPF_FLAGS, &TCA_BPF_FLAG_ACT_DIRECT.to_ne_bytes());
            }
        }
    });
    let BpfFilter { device, hook, number, .. } = filter;
    let direction = match hook {
        ClsactHook::Ingress => "received",
        ClsactHook::Egress => "sent",
    };
    Request::raw(
        libc::RTM_NEWTFILTER,
        Mode::Replace,
        body.into_bytes(),
        format!("set filter {number} for the frames {direction} by interface #{device}"),
    )
}

fn redirect(options: &mut AttributeBuilder, eaction: u32, device: u32) {
    options.nest(TCA_BPF_ACT, |actions| {
        actions.nest(1, |action| {
            action.put_str(TCA_ACT_KIND, "mirred").nest(TCA_ACT_OPTIONS, |mirred| {
                // struct tc_mirred: index, capab, action, refcnt, bindcnt, eaction, ifindex.
                let parameters = [0, 0, TC_ACT_STOLEN, 0, 0, eaction, device];
                mirred.put(TCA_MIRRED_PARMS, &parameters.map(u32::to_ne_bytes).concat());
            });
        });
    });
}

/// The instructions, as bytes. Jumps are relative to the next instruction.
fn program(filter: &BpfFilter) -> Vec<[u8; 8]> {
    // Without `direct-action`, -1 is a match without a class. With it, -1 is TC_ACT_UNSPEC, and
    // the next filter is tried.
    let (matched, other) = match filter.action {
        FilterAction::Drop => (TC_ACT_SHOT, u32::MAX),
        FilterAction::SendOn(_) | FilterAction::ReceiveOn(_) => (u32::MAX, 0),
    };
    let (mark, same, different) = match filter.matches {
        MarkMatch::With(mark) => (mark, matched, other),
        MarkMatch::Without(mark) => (mark, other, matched),
    };
    let load_mark = (libc::SKF_AD_OFF + libc::SKF_AD_MARK) as u32;
    let load = |size: u32, at: u32| (libc::BPF_LD | size | libc::BPF_ABS, 0, 0, at);
    let jump = |compare: u32, to: u32, jt, jf| (libc::BPF_JMP | compare | libc::BPF_K, jt, jf, to);
    let ret = |value: u32| (libc::BPF_RET | libc::BPF_K, 0, 0, value);
    let mut program = vec![
        load(libc::BPF_W, load_mark),
        jump(libc::BPF_JEQ, mark, 0, 1), // other marks: behind the next one
        ret(same),
    ];
    let Some(addresses) = &filter.discovery_of else {
        program.push(ret(different));
        return program.into_iter().map(bytes).collect();
    };
    program.extend([
        load(libc::BPF_H, ETHERTYPE_AT),
        jump(libc::BPF_JEQ, libc::ETH_P_ARP as u32, 7, 0), // discovery: behind `different`
        jump(libc::BPF_JEQ, libc::ETH_P_IPV6 as u32, 0, 5), // not IPv6: to `different`
        load(libc::BPF_B, NEXT_HEADER_AT),
        jump(libc::BPF_JEQ, libc::IPPROTO_ICMPV6 as u32, 0, 3),
        load(libc::BPF_B, ICMP_TYPE_AT),
        jump(libc::BPF_JGE, *DISCOVERY.start(), 0, 1),
        jump(libc::BPF_JGT, *DISCOVERY.end(), 0, 1),
        ret(different),
    ]);
    for address in addresses {
        let [a, b, c, d, e, f] = address.octets();
        for at in [DESTINATION_AT, SOURCE_AT] {
            program.extend([
                load(libc::BPF_W, at),
                jump(libc::BPF_JEQ, u32::from_be_bytes([a, b, c, d]), 0, 3),
                load(libc::BPF_H, at + 4),
                jump(libc::BPF_JEQ, u32::from_be_bytes([0, 0, e, f]), 0, 1),
                ret(different),
            ]);
        }
    }
    program.push(ret(other));
    program.into_iter().map(bytes).collect()
}

/// An instruction with its jumps (true, false) and its operand.
fn bytes((code, jt, jf, k): (u32, u8, u8, u32)) -> [u8; 8] {
    let sock_filter { code, jt, jf, k } = sock_filter { code: code as u16, jt, jf, k };
    let ([a, b], [e, f, g, h]) = (code.to_ne_bytes(), k.to_ne_bytes());
    [a, b, jt, jf, e, f, g, h]
}
