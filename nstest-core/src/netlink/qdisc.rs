//! Queueing disciplines.
//!
//! `clsact` has no queue, but filters (tc(8), net/sched/sch_ingress.c). `tbf` and `netem` delay
//! the packets that a link end sends to its node (tc-tbf(8), tc-netem(8),
//! include/uapi/linux/pkt_sched.h). A kernel without one of them answers ENOENT.
//!
//! The traps:
//! - `netem` and `tbf` count time in ticks of 64 ns, independent of the clock (PSCHED_SHIFT,
//!   include/net/pkt_sched.h).
//! - `tbf` needs a table of transmission times by packet length, unless the link layer is given
//!   (TC_LINKLAYER_ETHERNET; `tbf_change`, net/sched/sch_tbf.c).

use std::time::Duration;

use netlink_packet_core::{DefaultNla, Parseable};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcHandle, TcHeader, TcMessage, TcStats2};

use super::attr::AttributeBuilder;
use super::device::Device;
use super::message::{Mode, Request, malformed};
use super::socket::Socket;
use crate::error::Result;

const TCA_OPTIONS: u16 = 2;
const TCA_TBF_PARMS: u16 = 1;
const TCA_TBF_RATE64: u16 = 4;
const TCA_TBF_BURST: u16 = 6;
const TCA_NETEM_RATE: u16 = 6;
const TCA_NETEM_RATE64: u16 = 8;
const TICK: u128 = 64;
/// The handle of root qdiscs of nstest. That of a default qdisc is 0.
const ROOT_HANDLE: u16 = 1;

/// Adds a `clsact` qdisc, so that filters can be added.
pub(crate) fn clsact<'a>(device: impl Into<Device<'a>>) -> Request {
    let device = device.into();
    let mut message = message(device.index);
    message.attributes.push(TcAttribute::Kind("clsact".to_owned()));
    Request::route(
        &RouteNetlinkMessage::NewQueueDiscipline(message),
        Mode::Create,
        format!("add qdisc clsact to {device}"),
    )
}

/// Replaces the root qdisc by `tbf`, with `rate` in bytes per second. `burst` and `limit` are
/// in bytes; `limit` is the length of the queue.
pub(crate) fn tbf(device: u32, rate: u64, burst: u32, limit: u32) -> Request {
    let ticks = u128::from(burst) * 1_000_000_000 / u128::from(rate.max(1)) / TICK;
    let mut parameters = rate_spec(rate);
    parameters.extend([0; 12]); // no peak rate
    parameters.extend(limit.to_ne_bytes());
    parameters.extend(u32::try_from(ticks).unwrap_or(u32::MAX).to_ne_bytes());
    parameters.extend([0; 4]); // the peak rate's MTU
    let mut options = AttributeBuilder::default();
    options.put(TCA_TBF_PARMS, &parameters);
    options.put(TCA_TBF_BURST, &burst.to_ne_bytes());
    if u32::try_from(rate).is_err() {
        options.put(TCA_TBF_RATE64, &rate.to_ne_bytes());
    }
    root(device, "tbf", options.into_bytes())
}

/// Replaces the root qdisc by `netem`, with `rate` in bytes per second. `limit` is the length
/// of the queue, in packets.
pub(crate) fn netem(device: u32, delay: Duration, rate: Option<u64>, limit: u32) -> Request {
    let ticks = u32::try_from(delay.as_nanos() / TICK).unwrap_or(u32::MAX);
    // struct tc_netem_qopt: latency, limit, loss, gap, duplicate, jitter.
    let parameters = [ticks, limit, 0, 0, 0, 0].map(u32::to_ne_bytes).concat();
    let mut options = AttributeBuilder::after(&parameters);
    if let Some(rate) = rate {
        // struct tc_netem_rate: rate, packet_overhead, cell_size, cell_overhead.
        let short = u32::try_from(rate).unwrap_or(u32::MAX);
        options.put(TCA_NETEM_RATE, &[short, 0, 0, 0].map(u32::to_ne_bytes).concat());
        if short == u32::MAX {
            options.put(TCA_NETEM_RATE64, &rate.to_ne_bytes());
        }
    }
    root(device, "netem", options.into_bytes())
}

/// Deletes the root qdisc. The kernel then uses the default one.
pub(crate) fn delete_root(device: u32) -> Request {
    Request::route(
        &RouteNetlinkMessage::DelQueueDiscipline(at(device, 0, TcHandle::ROOT)),
        Mode::Existing,
        format!("delete the root qdisc of interface #{device}"),
    )
}

/// How many packets the root qdisc of an interface has sent and dropped since it was added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct QdiscCount {
    pub(crate) passed: u64,
    pub(crate) dropped: u64,
}

/// Reads the counters. `None`: the interface has no root qdisc of nstest.
pub(crate) fn count(socket: &mut Socket, device: u32) -> Result<Option<QdiscCount>> {
    let request = Request::route(
        &RouteNetlinkMessage::GetQueueDiscipline(at(device, 0, TcHandle::UNSPEC)),
        Mode::Existing,
        format!("list the qdiscs of interface #{device}"),
    );
    let index = i32::try_from(device).unwrap_or_default();
    let counts = socket.dump(&request, |bytes| {
        let message = TcMessage::parse(bytes).map_err(|error| malformed("a qdisc", error))?;
        let TcHeader { index: device, handle, parent, .. } = message.header;
        let matches = device == index && parent == TcHandle::ROOT && handle.major == ROOT_HANDLE;
        Ok(matches.then(|| counted(&message)))
    })?;
    Ok(counts.into_iter().next())
}

fn counted(message: &TcMessage) -> QdiscCount {
    let mut count = QdiscCount::default();
    for attribute in &message.attributes {
        let TcAttribute::Stats2(all) = attribute else { continue };
        for one in all {
            match one {
                TcStats2::Basic(basic) => count.passed = basic.packets.into(),
                TcStats2::Queue(queue) => count.dropped = queue.drops.into(),
                _ => {}
            }
        }
    }
    count
}

/// struct tc_ratespec: cell_log, linklayer, overhead, cell_align, mpu, rate.
fn rate_spec(rate: u64) -> Vec<u8> {
    const ETHERNET: u8 = 1;
    let short = u32::try_from(rate).unwrap_or(u32::MAX);
    [&[0, ETHERNET, 0, 0, 0, 0, 0, 0][..], &short.to_ne_bytes()].concat()
}

fn root(device: u32, kind: &str, options: Vec<u8>) -> Request {
    let mut message = at(device, ROOT_HANDLE, TcHandle::ROOT);
    message.attributes.push(TcAttribute::Kind(kind.to_owned()));
    message.attributes.push(TcAttribute::Other(DefaultNla::new(TCA_OPTIONS, options)));
    Request::route(
        &RouteNetlinkMessage::NewQueueDiscipline(message),
        Mode::Replace,
        format!("make {kind} the root qdisc of interface #{device}"),
    )
}

fn message(index: u32) -> TcMessage {
    at(index, 0xffff, TcHandle::CLSACT)
}

fn at(index: u32, major: u16, parent: TcHandle) -> TcMessage {
    let header = TcHeader {
        index: i32::try_from(index).expect("the kernel's indices are positive ints"),
        handle: TcHandle { major, minor: 0 },
        parent,
        ..TcHeader::default()
    };
    TcMessage::from_parts(header, Vec::new())
}
