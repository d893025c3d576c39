//! Queueing disciplines: `clsact`, which has no queue, but filters (tc(8),
//! net/sched/sch_ingress.c).

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcHandle, TcHeader, TcMessage};

use super::device::Device;
use super::message::{Mode, Request};

/// Adds a `clsact` qdisc, so that filters can be added.
pub(crate) fn clsact<'a>(device: impl Into<Device<'a>>) -> Request {
    let device = device.into();
    let header = TcHeader {
        index: i32::try_from(device.index).expect("the kernel's indices are positive ints"),
        handle: TcHandle { major: 0xffff, minor: 0 },
        parent: TcHandle::CLSACT,
        ..TcHeader::default()
    };
    let message = TcMessage::from_parts(header, vec![TcAttribute::Kind("clsact".to_owned())]);
    Request::route(
        &RouteNetlinkMessage::NewQueueDiscipline(message),
        Mode::Create,
        format!("add qdisc clsact to {device}"),
    )
}
