//! Network interfaces: veth pairs, bridges, and their properties.
//!
//! The traps:
//! - *Moving* a veth end to another namespace takes 22 to 29 ms of RCU waits. *Creating* it there
//!   (IFLA_NET_NS_FD inside VETH_INFO_PEER) takes no additional time.
//! - Only the first end of a pair can be created up. The kernel configures the second before it
//!   has a peer, and `veth_open` fails with ENOTCONN (drivers/net/veth.c).
//! - The stack learns of a change of the carrier through `linkwatch`, up to a second later. An
//!   RTM_GETLINK makes it process the change at once (`rtnl_getlink` and `linkwatch_sync_dev`,
//!   net/core/rtnetlink.c). So a link is ready after [`flush_carrier`].
//! - Deleting an interface takes 15 to 27 ms. Closing its namespace is cheaper.
//!
//! See rtnetlink(7), veth(4), and include/uapi/linux/if_link.h.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use netlink_packet_core::Parseable;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoBridge, InfoData, InfoKind, InfoMacVlan, InfoMacVtap, InfoVeth, LinkAttribute, LinkFlags,
    LinkHeader, LinkInfo, LinkMessage, MacVlanMode, State, Stats64,
};

use super::device::Device;
use super::message::{Mode, Request, malformed};
use super::socket::Socket;
use crate::addr::MacAddr;
use crate::error::{Error, ErrorCode, Result};
use crate::sys::ethtool;

/// The index of `lo` in each namespace.
pub(crate) const LOOPBACK: u32 = 1;

/// The MTU of a new `lo` (`loopback_setup`, drivers/net/loopback.c).
pub(crate) const LOOPBACK_MTU: u32 = 65536;

/// The largest MTU of an interface (`ETH_MAX_MTU`, linux/if_ether.h).
pub(crate) const MAX_MTU: u32 = 65535;

/// An interface to be made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewLink<'a> {
    pub(crate) name: &'a str,
    /// Fixed, so that requests can refer to interfaces before they exist.
    pub(crate) index: Option<u32>,
    pub(crate) mac: Option<MacAddr>,
    pub(crate) mtu: Option<u32>,
    /// The namespace in which it is created. `None`: that of the socket.
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

/// Makes a veth pair, each end in its namespace. `first` is up at once. There is carrier when
/// `second` is up, too.
///
/// Each end gets one queue in each direction. By default, the kernel creates a queue for each
/// possible processor and then reduces them to one (`veth_init_queues`, drivers/net/veth.c).
/// The reduction waits for RCU (`netif_set_real_num_tx_queues`, net/core/dev.c).
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

/// Makes a bridge that forwards at once, without spanning tree and multicast snooping.
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

/// Changes of one interface, in one message.
#[derive(Debug, Clone)]
pub(crate) struct LinkChange {
    message: LinkMessage,
    device: String,
    what: Vec<String>,
}

/// Begins a change of an interface.
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
        self.also("up")
    }

    pub(crate) fn down(mut self) -> Self {
        self.message.header.flags -= LinkFlags::Up;
        self.message.header.change_mask |= LinkFlags::Up;
        self.also("down")
    }

    pub(crate) fn mtu(self, mtu: u32) -> Self {
        self.attribute(LinkAttribute::Mtu(mtu), format!("mtu {mtu}"))
    }

    /// Connects it to the bridge with this index. `None` disconnects it.
    pub(crate) fn controller(self, bridge: Option<u32>) -> Self {
        let index = bridge.unwrap_or(0);
        self.attribute(LinkAttribute::Controller(index), format!("master {index}"))
    }

    /// Renames it. It must be down: kernels before 6.2 rename no interface that is up.
    pub(crate) fn name(self, name: &str) -> Self {
        self.attribute(LinkAttribute::IfName(name.to_owned()), format!("name {name}"))
    }

    pub(crate) fn mac(self, mac: MacAddr) -> Self {
        self.attribute(LinkAttribute::Address(mac.octets().to_vec()), format!("address {mac}"))
    }

    /// Lets it resolve neighbours, and take the frames that a new Ethernet interface takes.
    pub(crate) fn defaults(mut self) -> Self {
        self.message.header.flags |= LinkFlags::Multicast;
        self.message.header.change_mask |=
            LinkFlags::Noarp | LinkFlags::Promisc | LinkFlags::Allmulti | LinkFlags::Multicast;
        let broadcast = LinkAttribute::Broadcast(vec![0xff; 6]);
        self.attribute(broadcast, "arp on, multicast on, promisc off, allmulticast off")
    }

    /// The change as a request.
    pub(crate) fn request(self) -> Request {
        let what = format!("set {} {}", self.device, self.what.join(", "));
        Request::route(&RouteNetlinkMessage::SetLink(self.message), Mode::Existing, what)
    }

    fn attribute(mut self, attribute: LinkAttribute, what: impl Into<String>) -> Self {
        self.message.attributes.push(attribute);
        self.also(what)
    }

    fn also(mut self, what: impl Into<String>) -> Self {
        self.what.push(what.into());
        self
    }
}

/// Deletes an interface, and the other end of its veth pair. Succeeds if it is gone.
pub(crate) fn delete<'a>(device: impl Into<Device<'a>>) -> Request {
    let device = device.into();
    Request::route(
        &RouteNetlinkMessage::DelLink(message(device.index, Vec::new())),
        Mode::Existing,
        format!("delete {device}"),
    )
    .unless_gone()
}

/// An interface, as the kernel reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) mac: Option<MacAddr>,
    pub(crate) mtu: u32,
    /// Set up administratively.
    pub(crate) up: bool,
    /// Set up, and the other end of its link too (IFF_LOWER_UP).
    pub(crate) carrier: bool,
    /// The stack knows of the carrier, and sends (RFC 2863).
    pub(crate) operational: bool,
    /// The index of its bridge.
    pub(crate) controller: Option<u32>,
    /// The interface that it takes all frames of (a macvlan in the mode `passthru`).
    pub(crate) takes_all_of: Option<u32>,
    pub(crate) stats: Stats,
}

/// The counters of an interface since it was made.
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

/// Switches segmentation and checksum offload of an interface in the socket's namespace.
///
/// Offload is about what is sent. What an interface receives is as the other end of its veth
/// pair has sent it.
pub(crate) fn set_offloads(socket: &Socket, name: &str, on: bool) -> Result<()> {
    ethtool::set_checksum_offload(socket.as_fd(), name, on).map_err(|errno| {
        let state = if on { "on" } else { "off" };
        let what = format!("switch the offloads of {name} {state} in {}", socket.owner());
        Error::new(ErrorCode::Netlink, what).source(errno)
    })
}

/// Makes the kernel process pending changes of an interface's carrier.
pub(crate) fn flush_carrier(socket: &mut Socket, index: u32) -> Result<()> {
    let request = request_for(index, Vec::new(), format!("get interface #{index}"));
    socket.query(&request, |_| Ok(()))
}

/// Requests that change nothing, and for which the kernel holds RTNL for some 0.2 ms.
pub(crate) fn requests_without_effect() -> Vec<Request> {
    const COUNT: usize = 32;
    const LOOPBACK: u32 = 1;
    vec![request_for(LOOPBACK, Vec::new(), "get the loopback interface".to_owned()); COUNT]
}

/// Reads one interface, and makes the kernel process pending changes of its carrier.
pub(crate) fn get(socket: &mut Socket, index: u32) -> Result<Interface> {
    let request = request_for(index, Vec::new(), format!("get interface #{index}"));
    socket.query(&request, parse)
}

/// Reads one interface by its name.
pub(crate) fn get_by_name(socket: &mut Socket, name: &str) -> Result<Interface> {
    let named = vec![LinkAttribute::IfName(name.to_owned())];
    let request = request_for(0, named, format!("get interface {name}"));
    socket.query(&request, parse)
}

/// Reads all interfaces of the socket's namespace.
pub(crate) fn list(socket: &mut Socket) -> Result<Vec<Interface>> {
    let request = request_for(0, Vec::new(), "list the interfaces".to_owned());
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
    let message = LinkMessage::parse(bytes).map_err(|error| malformed("an interface", error))?;
    let mut link = Interface {
        index: message.header.index,
        name: String::new(),
        mac: None,
        mtu: 0,
        up: message.header.flags.contains(LinkFlags::Up),
        carrier: message.header.flags.contains(LinkFlags::LowerUp),
        operational: false,
        controller: None,
        takes_all_of: None,
        stats: Stats::default(),
    };
    let (mut lower, mut is_passthru) = (None, false);
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::Address(bytes) => {
                link.mac = bytes.as_slice().try_into().ok().map(MacAddr::new);
            }
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            LinkAttribute::Controller(index) => link.controller = Some(*index),
            LinkAttribute::OperState(state) => {
                // `lo` is always UNKNOWN, which RFC 2863 counts as usable.
                link.operational = matches!(state, State::Up | State::Unknown);
            }
            LinkAttribute::Link(index) => lower = Some(*index),
            LinkAttribute::LinkInfo(info) => is_passthru = info.iter().any(has_passthru),
            LinkAttribute::Stats64(stats) => link.stats = stats.into(),
            _ => {}
        }
    }
    link.takes_all_of = lower.filter(|_| is_passthru);
    Ok(link)
}

fn has_passthru(info: &LinkInfo) -> bool {
    match info {
        LinkInfo::Data(InfoData::MacVlan(data)) => {
            data.contains(&InfoMacVlan::Mode(MacVlanMode::Passthrough))
        }
        LinkInfo::Data(InfoData::MacVtap(data)) => {
            data.contains(&InfoMacVtap::Mode(MacVlanMode::Passthrough))
        }
        _ => false,
    }
}
