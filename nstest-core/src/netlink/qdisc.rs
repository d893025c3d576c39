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
        let message = TcMessage::from_parts(header(device.index, parent), Vec::new());
        Request::route(
            &RouteNetlinkMessage::DelQueueDiscipline(message),
            Mode::Existing,
            format!("delete the queueing disciplines of {device}"),
        )
        .unless_gone()
    })
}

fn header(device: u32, parent: TcHandle) -> TcHeader {
    let index = i32::try_from(device).expect("the kernel's indices are positive ints");
    TcHeader { index, parent, ..TcHeader::default() }
}

/// Adds a `clsact` qdisc, so that filters can be added.
pub(crate) fn clsact<'a>(device: impl Into<Device<'a>>) -> Request {
    let device = device.into();
    let handle = TcHandle { major: 0xffff, minor: 0 };
    let header = TcHeader { handle, ..header(device.index, TcHandle::CLSACT) };
    let message = TcMessage::from_parts(header, vec![TcAttribute::Kind("clsact".to_owned())]);
    Request::route(
        &RouteNetlinkMessage::NewQueueDiscipline(message),
        Mode::Create,
        format!("add qdisc clsact to {device}"),
    )
}
