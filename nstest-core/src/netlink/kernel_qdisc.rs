//! The queueing disciplines of the kernel that limit rates and make faults: tc-tbf(8), tc-netem(8).
//!
//! nstest does both in userspace. `nstest doctor` says whether the machine has them, too.

use nix::libc;

use super::attr::AttributeBuilder;
use super::message::{Mode, Request};

const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_TBF_PARMS: u16 = 1;
const TCA_TBF_BURST: u16 = 6;
const TC_LINKLAYER_ETHERNET: u8 = 1;
/// Bytes, of a burst and of a queue: more than a frame of `lo`.
const ENOUGH: u32 = 100_000;

/// Adds a `tbf` qdisc that limits the rate to 1 GB/s.
pub(crate) fn tbf(device: u32) -> Request {
    // struct tc_tbf_qopt: two of struct tc_ratespec, limit, buffer, mtu (linux/pkt_sched.h).
    let mut rate = vec![0, TC_LINKLAYER_ETHERNET, 0, 0, 0, 0, 0, 0];
    rate.extend(1_000_000_000_u32.to_ne_bytes());
    let parameters = [rate, vec![0; 12], [ENOUGH, 0, 0].map(u32::to_ne_bytes).concat()].concat();
    add(device, "tbf", |message| {
        message.nest(TCA_OPTIONS, |options| {
            options.put(TCA_TBF_PARMS, &parameters).put(TCA_TBF_BURST, &ENOUGH.to_ne_bytes());
        });
    })
}

/// Adds a `netem` qdisc without a fault.
pub(crate) fn netem(device: u32) -> Request {
    // struct tc_netem_qopt: latency, limit, loss, gap, duplicate, jitter.
    let options = [0, 1000, 0, 0, 0, 0].map(u32::to_ne_bytes).concat();
    add(device, "netem", |message| {
        message.put(TCA_OPTIONS, &options);
    })
}

fn add(device: u32, kind: &str, options: impl FnOnce(&mut AttributeBuilder)) -> Request {
    const TC_H_ROOT: u32 = u32::MAX;
    // struct tcmsg: family, device, handle, parent, info.
    let words = [0, device, 1 << 16, TC_H_ROOT, 0];
    let mut body = AttributeBuilder::after(&words.map(u32::to_ne_bytes).concat());
    body.put_str(TCA_KIND, kind);
    options(&mut body);
    let what = format!("add qdisc {kind} to interface #{device}");
    Request::raw(libc::RTM_NEWQDISC, Mode::Create, body.into_bytes(), what)
}
