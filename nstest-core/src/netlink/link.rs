//! Network devices: veth pairs, bridges, and what can be set on any of them.
//!
//! The traps:
//! - A veth end *moved* to another namespace costs 22–29 ms of RCU waits; one
//!   *born* there (IFLA_NET_NS_FD inside VETH_INFO_PEER) costs nothing extra.
//! - Of the two ends only the first can be created up: the second is configured
//!   before it has a peer, and `veth_open` says ENOTCONN (drivers/net/veth.c).
//! - Carrier reaches the stack through `linkwatch`, up to a second late; an
//!   RTM_GETLINK flushes it (net/core/rtnetlink.c, `rtnl_getlink` →
//!   `linkwatch_sync_dev`). So [`flush_carrier`] is also what "ready" means.
//! - Deleting links one by one costs 15–27 ms each; let their namespace go.
//!
//! See rtnetlink(7), veth(4), and the kernel's include/uapi/linux/if_link.h.

use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_core::Parseable;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoBridge, InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkHeader, LinkInfo,
    LinkMessage, State, Stats64,
};

use super::device::Device;
use super::message::{Mode, Request, malformed};
use super::socket::Socket;
use crate::addr::MacAddr;
use crate::error::Result;

/// The index that the kernel gives to `lo` in every namespace.
pub(crate) const LOOPBACK: u32 = 1;

/// A device to be made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewLink<'a> {
    pub(crate) name: &'a str,
    /// Fixed, so that plans can name devices before they exist.
    pub(crate) index: Option<u32>,
    pub(crate) mac: Option<MacAddr>,
    pub(crate) mtu: Option<u32>,
    /// Where it is born, if not where the socket is bound.
    pub(crate) netns: Option<BorrowedFd<'a>>,
}

impl<'a> NewLink<'a> {
    pub(crate) fn named(name: &'a str) -> Self {
        Self { name, index: None, mac: None, mtu: None, netns: None }
    }

    fn message(&self) -> LinkMessage {
        let mut attributes = vec![LinkAttribute::IfName(self.name.to_owned())];
        attributes.extend(self.mac.map(|mac| LinkAttribute::Address(mac.octets().to_vec())));
        attributes.extend(self.mtu.map(LinkAttribute::Mtu));
        attributes.extend(self.netns.map(|fd| LinkAttribute::NetNsFd(fd.as_raw_fd())));
        message(self.index.unwrap_or(0), attributes)
    }
}

/// Makes a veth pair, each end where it belongs. `first` is up at once; the
/// carrier comes when `second` is set up, too.
///
/// Each end has one queue in each direction, on every machine. Unasked, an end is
/// born with as many as there may be processors and cut down to one before the
/// request ends (`veth_init_queues`, drivers/net/veth.c), which waits for RCU
/// (`netif_set_real_num_tx_queues`, net/core/dev.c).
pub(crate) fn veth(first: &NewLink<'_>, second: &NewLink<'_>) -> Request {
    let one_queue = [LinkAttribute::NumTxQueues(1), LinkAttribute::NumRxQueues(1)];
    let mut other = second.message();
    other.attributes.extend(one_queue.clone());
    let mut message = first.message();
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    message.attributes.extend(one_queue);
    message.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Veth),
        LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(other))),
    ]));
    create(message, format!("make the veth pair {} and {}", first.name, second.name))
}

/// Makes a bridge that forwards at once and runs no protocol of its own: no
/// spanning tree, no multicast snooping.
pub(crate) fn bridge(end: &NewLink<'_>) -> Request {
    let mut message = end.message();
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    message.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Bridge),
        LinkInfo::Data(InfoData::Bridge(vec![
            InfoBridge::ForwardDelay(0),
            InfoBridge::MulticastSnooping(false),
        ])),
    ]));
    create(message, format!("make the bridge {}", end.name))
}

fn create(message: LinkMessage, what: String) -> Request {
    Request::route(&RouteNetlinkMessage::NewLink(message), Mode::Create, what)
}

/// Changes to one device, in one message.
#[derive(Debug, Clone)]
pub(crate) struct LinkChange {
    message: LinkMessage,
    device: String,
    what: Vec<String>,
}

/// Begins a change of a device.
pub(crate) fn set<'a>(device: impl Into<Device<'a>>) -> LinkChange {
    let device = device.into();
    LinkChange {
        message: message(device.index, Vec::new()),
        device: device.to_string(),
        what: Vec::new(),
    }
}

impl LinkChange {
    pub(crate) fn up(mut self) -> Self {
        self.message.header.flags |= LinkFlags::Up;
        self.message.header.change_mask |= LinkFlags::Up;
        self.saying("up")
    }

    pub(crate) fn down(mut self) -> Self {
        self.message.header.flags -= LinkFlags::Up;
        self.message.header.change_mask |= LinkFlags::Up;
        self.saying("down")
    }

    pub(crate) fn mtu(self, mtu: u32) -> Self {
        self.attribute(LinkAttribute::Mtu(mtu), format!("mtu {mtu}"))
    }

    /// Makes it a port of the bridge with that index; `None` takes it out.
    pub(crate) fn controller(self, bridge: Option<u32>) -> Self {
        let index = bridge.unwrap_or(0);
        self.attribute(LinkAttribute::Controller(index), format!("master {index}"))
    }

    /// The change as a request.
    pub(crate) fn request(self) -> Request {
        let what = format!("set {} {}", self.device, self.what.join(", "));
        Request::route(&RouteNetlinkMessage::SetLink(self.message), Mode::Existing, what)
    }

    fn attribute(mut self, attribute: LinkAttribute, what: impl Into<String>) -> Self {
        self.message.attributes.push(attribute);
        self.saying(what)
    }

    fn saying(mut self, what: impl Into<String>) -> Self {
        self.what.push(what.into());
        self
    }
}

/// Deletes one device (of a veth pair: both). 15–27 ms.
pub(crate) fn delete<'a>(device: impl Into<Device<'a>>) -> Request {
    let device = device.into();
    Request::route(
        &RouteNetlinkMessage::DelLink(message(device.index, Vec::new())),
        Mode::Existing,
        format!("delete {device}"),
    )
}

/// A device as the kernel shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) mac: Option<MacAddr>,
    pub(crate) mtu: u32,
    /// LinkChange up by its administrator.
    pub(crate) up: bool,
    /// The other end is up as well.
    pub(crate) carrier: bool,
    /// The stack knows of it, and sends.
    pub(crate) operational: bool,
    /// The bridge that it is a port of.
    pub(crate) controller: Option<u32>,
    pub(crate) stats: Stats,
}

/// What a device has carried since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Stats {
    pub(crate) rx_packets: u64,
    pub(crate) rx_bytes: u64,
    pub(crate) rx_dropped: u64,
    pub(crate) tx_packets: u64,
    pub(crate) tx_bytes: u64,
    pub(crate) tx_dropped: u64,
}

impl From<&Stats64> for Stats {
    fn from(stats: &Stats64) -> Self {
        Self {
            rx_packets: stats.rx_packets,
            rx_bytes: stats.rx_bytes,
            rx_dropped: stats.rx_dropped,
            tx_packets: stats.tx_packets,
            tx_bytes: stats.tx_bytes,
            tx_dropped: stats.tx_dropped,
        }
    }
}

/// Has the kernel take note of pending changes of a device's carrier.
pub(crate) fn flush_carrier(socket: &mut Socket, index: u32) -> Result<()> {
    let request = request_for(index, Vec::new(), format!("get link #{index}"));
    socket.query(&request, |_| Ok(()))
}

/// Reads one device, and with that flushes pending changes of its carrier.
pub(crate) fn get(socket: &mut Socket, index: u32) -> Result<Interface> {
    let request = request_for(index, Vec::new(), format!("get link #{index}"));
    socket.query(&request, parse)
}

/// Reads one device by its name.
pub(crate) fn get_by_name(socket: &mut Socket, name: &str) -> Result<Interface> {
    let named = vec![LinkAttribute::IfName(name.to_owned())];
    let request = request_for(0, named, format!("get link {name}"));
    socket.query(&request, parse)
}

/// Reads every device of the socket's namespace.
pub(crate) fn list(socket: &mut Socket) -> Result<Vec<Interface>> {
    let request = request_for(0, Vec::new(), "list the links".to_owned());
    socket.dump(&request, |bytes| parse(bytes).map(Some))
}

fn request_for(index: u32, attributes: Vec<LinkAttribute>, what: String) -> Request {
    Request::route(&RouteNetlinkMessage::GetLink(message(index, attributes)), Mode::Existing, what)
}

fn message(index: u32, attributes: Vec<LinkAttribute>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header = LinkHeader { index, ..LinkHeader::default() };
    message.attributes = attributes;
    message
}

fn parse(bytes: &[u8]) -> Result<Interface> {
    let message = LinkMessage::parse(bytes).map_err(|error| malformed("a link", error))?;
    let mut link = Interface {
        index: message.header.index,
        name: String::new(),
        mac: None,
        mtu: 0,
        up: message.header.flags.contains(LinkFlags::Up),
        carrier: message.header.flags.contains(LinkFlags::LowerUp),
        operational: false,
        controller: None,
        stats: Stats::default(),
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::Address(bytes) => {
                link.mac = bytes.as_slice().try_into().ok().map(MacAddr::new);
            }
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            LinkAttribute::Controller(index) => link.controller = Some(*index),
            LinkAttribute::OperState(state) => {
                // `lo` never leaves UNKNOWN; RFC 2863 counts it as usable.
                link.operational = matches!(state, State::Up | State::Unknown);
            }
            LinkAttribute::Stats64(stats) => link.stats = stats.into(),
            _ => {}
        }
    }
    Ok(link)
}
