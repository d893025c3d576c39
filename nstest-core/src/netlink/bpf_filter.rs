//! Filters that are programs: cls_bpf with classic BPF, which each user may load.
//!
//! They have a higher priority than the filters of [`u32_filter`](super::u32_filter), so they
//! decide about a frame before it is forwarded. The programs read only the mark of the frame.
//! See tc-bpf(8), net/sched/cls_bpf.c, and Documentation/networking/filter.rst for the
//! ancillary data.
//!
//! The trap: without `direct-action`, a program returns whether the filter matches (0: no). With
//! it, it returns the action (TC_ACT_SHOT drops the frame).

use nix::libc::{self, sock_filter};

use super::attr::AttributeBuilder;
use super::message::{Mode, Request};

/// Less than that of u32 filters. The filter with the lowest number is tried first.
const PRIORITY: u32 = 1;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BpfFilter {
    pub(crate) device: u32,
    pub(crate) hook: ClsactHook,
    pub(crate) matches: MarkMatch,
    pub(crate) action: FilterAction,
}

/// Adds the filter.
pub(crate) fn add(filter: &BpfFilter) -> Request {
    let parent: u32 = match filter.hook {
        ClsactHook::Ingress => 0xffff_fff2,
        ClsactHook::Egress => 0xffff_fff3,
    };
    let every_protocol = u32::from((libc::ETH_P_ALL as u16).to_be());
    // struct tcmsg: family, device, handle, parent, priority and protocol.
    let words = [0, filter.device, 0, parent, PRIORITY << 16 | every_protocol];
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
    let BpfFilter { device, hook, matches, action } = filter;
    Request::raw(
        libc::RTM_NEWTFILTER,
        Mode::Create,
        body.into_bytes(),
        format!("set the filter at the {hook:?} of interface #{device} ({matches:?}: {action:?})"),
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

/// Four instructions, as bytes: load the mark, compare it, and return one of two values.
fn program(filter: &BpfFilter) -> [[u8; 8]; 4] {
    // Without `direct-action`, -1 is a match without a class. With it, -1 is TC_ACT_UNSPEC, and
    // the next filter is tried.
    let (matched, other) = match filter.action {
        FilterAction::Drop => (TC_ACT_SHOT, u32::MAX),
        FilterAction::SendOn(_) | FilterAction::ReceiveOn(_) => (u32::MAX, 0),
    };
    let (mark, yes, no) = match filter.matches {
        MarkMatch::With(mark) => (mark, matched, other),
        MarkMatch::Without(mark) => (mark, other, matched),
    };
    let load_mark = (libc::SKF_AD_OFF + libc::SKF_AD_MARK) as u32;
    let code = |code: u32, k: u32| sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let compare = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    [
        code(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, load_mark),
        sock_filter { jf: 1, ..code(compare, mark) },
        code(libc::BPF_RET | libc::BPF_K, yes),
        code(libc::BPF_RET | libc::BPF_K, no),
    ]
    .map(|sock_filter { code, jt, jf, k }| {
        let ([a, b], [e, f, g, h]) = (code.to_ne_bytes(), k.to_ne_bytes());
        [a, b, jt, jf, e, f, g, h]
    })
}
