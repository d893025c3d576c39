//! Queueing disciplines: `clsact`, which has no queue, but filters (tc(8),
//! net/sched/sch_ingress.c), and those that a program has set.

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcHandle, TcHeader, TcMessage};

use super::device::Device;
use super::message::{Mode, Request};

/// Deletes the queueing discipline of a device, and its filters (`clsact` or `ingress`), if it
/// has some.
pub(crate) fn delete_all<'a>(device: impl Into<Device<'a>>) -> [Request; 2] {
    let device = device.into();
    [TcHandle::ROOT, TcHandle::CLSACT].map(|parent| {
        let index = i32::try_from(device.index).expect("the kernel's indices are positive ints");
        let header = TcHeader { index, parent, ..TcHeader::default() };
        let message = TcMessage::from_parts(header, Vec::new());
        Request::route(
            &RouteNetlinkMessage::DelQueueDiscipline(message),
            Mode::Existing,
            format!("delete the queueing disciplines of {device}"),
        )
        .deleting()
    })
}

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
