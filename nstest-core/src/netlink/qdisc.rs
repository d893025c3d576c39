//! Queueing disciplines: for now only `clsact`, which queues nothing and holds
//! the filters of a port. See tc(8) and net/sched/sch_ingress.c.

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcHandle, TcHeader, TcMessage};

use super::Device;
use super::message::{Mode, Request};

/// Prepares a device for filters.
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

fn message(index: u32) -> TcMessage {
    let header = TcHeader {
        index: i32::try_from(index).expect("the kernel's indices are positive ints"),
        handle: TcHandle { major: 0xffff, minor: 0 },
        parent: TcHandle::CLSACT,
        ..TcHeader::default()
    };
    TcMessage::from_parts(header, Vec::new())
}
