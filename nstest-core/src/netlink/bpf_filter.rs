//! Filters that are programs: cls_bpf with classic BPF, which every user may load.
//!
//! They come before the u32 filters of [`u32_filter`](super::u32_filter), and so decide
//! about a frame before it is forwarded. Programs here look at the frame's mark
//! only. See tc-bpf(8), net/sched/cls_bpf.c, and for the ancillary data
//! Documentation/networking/filter.rst.
//!
//! The trap: without `direct-action` a program says whether the filter matches
//! (0: no), and with it what becomes of the frame (TC_ACT_SHOT drops).

use nix::libc::{self, sock_filter};

use super::attr::AttributeBuilder;
use super::message::{Mode, Request};

/// Before that of u32 filters.
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

/// Which frames of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClsactHook {
    Ingress,
    Egress,
}

/// What the filter takes, by mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MarkMatch {
    With(u32),
    Without(u32),
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FilterAction {
    /// It leaves on this device.
    SentOn(u32),
    /// It has come in on this device.
    ReceivedOn(u32),
    Dropped,
}

/// A filter. Of several at one hook, no two may take the same frame: the last that was
/// added is asked first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BpfFilter {
    pub(crate) device: u32,
    pub(crate) hook: ClsactHook,
    pub(crate) takes: MarkMatch,
    pub(crate) fate: FilterAction,
}

/// Adds it.
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
        match filter.fate {
            FilterAction::SentOn(device) => redirect(options, TCA_EGRESS_REDIR, device),
            FilterAction::ReceivedOn(device) => redirect(options, TCA_INGRESS_REDIR, device),
            FilterAction::Dropped => {
                options.put(TCA_BPF_FLAGS, &TCA_BPF_FLAG_ACT_DIRECT.to_ne_bytes());
            }
        }
    });
    let BpfFilter { device, hook, takes, fate } = filter;
    Request::raw(
        libc::RTM_NEWTFILTER,
        Mode::Create,
        body.into_bytes(),
        format!("set the filter at the {hook:?} of link #{device} ({takes:?}: {fate:?})"),
    )
}

fn redirect(options: &mut AttributeBuilder, way: u32, device: u32) {
    options.nest(TCA_BPF_ACT, |actions| {
        actions.nest(1, |action| {
            action.put_str(TCA_ACT_KIND, "mirred").nest(TCA_ACT_OPTIONS, |mirred| {
                // struct tc_mirred: index, capabilities, what comes after, two
                // counts of references, the way, the device.
                let parameters = [0, 0, TC_ACT_STOLEN, 0, 0, way, device];
                mirred.put(TCA_MIRRED_PARMS, &parameters.map(u32::to_ne_bytes).concat());
            });
        });
    });
}

/// Four instructions, as bytes: load the mark, compare, and the two answers.
fn program(filter: &BpfFilter) -> [[u8; 8]; 4] {
    // -1 is a match without a class of its own; but as an action, TC_ACT_UNSPEC: the
    // next filter is asked.
    let (taken, left) = match filter.fate {
        FilterAction::Dropped => (TC_ACT_SHOT, u32::MAX),
        FilterAction::SentOn(_) | FilterAction::ReceivedOn(_) => (u32::MAX, 0),
    };
    let (mark, yes, no) = match filter.takes {
        MarkMatch::With(mark) => (mark, taken, left),
        MarkMatch::Without(mark) => (mark, left, taken),
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
