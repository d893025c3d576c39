//! What the fabric has of each node: its namespace, and sockets that act in it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use litemap::LiteMap;

use crate::addr::MacAddr;
use crate::error::{Error, ErrorCode, Result};
use crate::layout::NETNS;
use crate::netlink::link;
use crate::netlink::{AddressMonitor, NetlinkFamily, Socket};
use crate::netns::{Namespace, Published};
use crate::node::view::View;
use crate::node::{NodeExecutor, Panics};
use crate::sysctl::{self, Unwritten};
use crate::topology::Sysctl;
use crate::topology::changes::NodeRef;
use crate::topology::spec::LinkEndId;

/// An interface of a node.
#[derive(Debug)]
pub(super) struct NodeInterface {
    pub(super) name: String,
    /// In the node. A program of the test may have taken `interface_index` before.
    pub(super) index: u32,
    pub(super) end: LinkEndId,
}

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) executor: Arc<NodeExecutor>,
    pub(super) route: Socket,
    /// Opened for the first ruleset.
    pub(super) netfilter: Option<Socket>,
    /// Its interfaces, by slot.
    pub(super) links: LiteMap<u8, NodeInterface>,
    /// The indices that programs of the test had taken when it was last looked.
    pub(super) foreign: BTreeSet<u32>,
    /// While addresses are waited for.
    watch: Option<AddressMonitor>,
    /// Addresses that were added and cannot be used yet.
    expected: Vec<(u32, Ipv6Addr)>,
    ipv6: bool,
    /// Whether it is a router.
    pub(super) forwards: bool,
    /// Its name for `ip netns`.
    _name: Option<Published>,
}

impl Member {
    /// The test's own node, and the settings that were refused.
    pub(super) fn of_test(
        at: &NodeRef,
        hostname: &str,
        settings: &[Sysctl],
        panics: &Arc<Panics>,
    ) -> Result<(Self, Vec<Unwritten>)> {
        let namespace = Namespace::current(at.name.as_str())?;
        let unwritten = write(settings)?;
        let sockets = Sockets::open(at)?.monitored(at)?;
        let member = Self::new(namespace, sockets, hostname, panics);
        member.executor.mark_used();
        Ok((member.knowing(settings), unwritten))
    }

    /// A new node with `lo` up, and the settings that were refused.
    pub(super) fn create(
        at: &NodeRef,
        hostname: &str,
        settings: &[Sysctl],
        panics: &Arc<Panics>,
    ) -> Result<(Self, Vec<Unwritten>)> {
        let (namespace, (sockets, unwritten)) = Namespace::create(at.name.as_str(), || {
            let unwritten = write(settings)?;
            let mut sockets = Sockets::open(at)?.monitored(at)?;
            sockets.route.request(&link::set(link::LOOPBACK).up().request())?;
            Ok((sockets, unwritten))
        })?;
        let member = Self::new(namespace, sockets, hostname, panics);
        Ok((member.knowing(settings), unwritten))
    }

    /// The namespace that the test has joined, which is not changed.
    pub(super) fn joined(at: &NodeRef, hostname: &str, panics: &Arc<Panics>) -> Result<Self> {
        let namespace = Namespace::current(at.name.as_str())?;
        let member = Self::new(namespace, Sockets::open(at)?, hostname, panics);
        member.executor.mark_used();
        Ok(member)
    }

    /// One that another process has made.
    pub(super) fn open(at: &NodeRef, hostname: &str, panics: &Arc<Panics>) -> Result<Self> {
        let namespace = Namespace::open(&at.name)?;
        let sockets = namespace.enter(|| Sockets::open(at))??;
        Ok(Self::new(namespace, sockets, hostname, panics))
    }

    fn new(namespace: Namespace, sockets: Sockets, hostname: &str, panics: &Arc<Panics>) -> Self {
        let Sockets { route, watch, ipv6 } = sockets;
        // In inline mode /run is not the test's own, and nodes have no names there.
        let directory = Path::new(NETNS);
        let name = directory.is_dir().then(|| namespace.publish(directory).ok()).flatten();
        let view = View { hostname: hostname.to_owned() };
        let executor = Arc::new(NodeExecutor::new(namespace, view, Arc::clone(panics)));
        Self {
            executor,
            route,
            netfilter: None,
            links: LiteMap::new(),
            foreign: BTreeSet::new(),
            watch,
            expected: Vec::new(),
            ipv6,
            forwards: false,
            _name: name,
        }
    }

    /// Writes settings, and returns those that were refused.
    pub(super) fn set(&mut self, settings: &[Sysctl]) -> Result<Vec<Unwritten>> {
        self.note(settings);
        self.executor.namespace().enter(|| write(settings))?
    }

    fn knowing(mut self, settings: &[Sysctl]) -> Self {
        self.note(settings);
        self
    }

    /// Notes whether it forwards, and whether IPv6 is switched off: then no IPv6 address is
    /// waited for.
    fn note(&mut self, settings: &[Sysctl]) {
        self.forwards |= settings.iter().any(|s| s.key == "net.ipv4.ip_forward" && s.value == "1");
        let off = |s: &Sysctl| s.key.ends_with(".disable_ipv6") && s.value == "1";
        self.ipv6 &= !settings.iter().any(off);
    }

    /// The index of its interface with this name.
    pub(super) fn index(&self, device: &str) -> Result<u32> {
        self.known_index(device).ok_or_else(|| self.no_interface(device))
    }

    pub(super) fn known_index(&self, device: &str) -> Option<u32> {
        self.links.values().find(|interface| interface.name == device).map(|known| known.index)
    }

    /// The index of its interface in this slot.
    pub(super) fn index_at(&self, slot: u8) -> Result<u32> {
        Ok(self.device_at(slot)?.0)
    }

    /// Its interface in this slot, for requests.
    pub(super) fn device_at(&self, slot: u8) -> Result<(u32, &str)> {
        let interface = self.links.get(&slot);
        let device = interface.map(|known| (known.index, known.name.as_str()));
        device.ok_or_else(|| self.no_interface(&format!("#{slot}")))
    }

    fn no_interface(&self, device: &str) -> Error {
        let node = self.executor.name();
        Error::new(ErrorCode::Netlink, format!("find interface {device} of node {node}"))
    }

    /// The interfaces that programs of the test have made in it. Notes their indices.
    pub(super) fn find_foreign(&mut self) -> Result<Vec<link::Interface>> {
        let mut foreign = link::list(&mut self.route)?;
        foreign.retain(|one| self.is_foreign(one));
        self.note_foreign(&foreign);
        Ok(foreign)
    }

    /// Notes the indices of those interfaces that programs of the test have made.
    pub(super) fn note_foreign(&mut self, present: &[link::Interface]) {
        let foreign = present.iter().filter(|one| self.is_foreign(one));
        self.foreign = foreign.map(|one| one.index).collect();
    }

    fn is_foreign(&self, interface: &link::Interface) -> bool {
        interface.index != link::LOOPBACK && !self.is_ours(interface.index)
    }

    /// Notes that an address is added and is to be waited for.
    pub(super) fn expect(&mut self, slot: u8, ip: IpAddr) -> Result<()> {
        if let (true, IpAddr::V6(ip)) = (self.ipv6, ip) {
            self.watch()?;
            let index = self.index_at(slot)?;
            self.expected.push((index, ip));
        }
        Ok(())
    }

    /// As [`expect`](Self::expect), for the link-local address that the kernel adds to each
    /// interface.
    pub(super) fn expect_link_local(&mut self, slot: u8, mac: MacAddr) -> Result<()> {
        self.expect(slot, mac.link_local().into())
    }

    pub(super) fn has_ipv6(&self) -> bool {
        self.ipv6
    }

    pub(super) fn is_ours(&self, index: u32) -> bool {
        self.links.values().any(|known| known.index == index)
    }

    /// This index, or a higher one that is free.
    pub(super) fn free_index(&self, wanted: u32) -> u32 {
        let is_free = |index: &u32| !self.is_ours(*index) && !self.foreign.contains(index);
        (wanted..).find(is_free).unwrap_or(wanted)
    }

    /// Does not wait for an address any more.
    pub(super) fn forget_address(&mut self, slot: u8, ip: IpAddr) {
        let known = self.index_at(slot).ok();
        self.expected
            .retain(|(index, expected)| (Some(*index), IpAddr::V6(*expected)) != (known, ip));
    }

    /// Does not wait for any address of an interface any more.
    pub(super) fn forget_addresses(&mut self, slot: u8) {
        let known = self.index_at(slot).ok();
        self.expected.retain(|(index, _)| Some(*index) != known);
    }

    pub(super) fn await_addresses(&mut self, limit: Duration) -> Result<()> {
        let expected = std::mem::take(&mut self.expected);
        match self.watch.take() {
            Some(watch) => watch.wait(&expected, limit),
            None => Ok(()),
        }
    }

    /// Opens the monitor that announces addresses, before they are added.
    fn watch(&mut self) -> Result<()> {
        if self.watch.is_none() {
            let owner = format!("node {}", self.executor.name());
            let open = || AddressMonitor::open(owner);
            self.watch = Some(self.executor.namespace().enter(open)??);
        }
        Ok(())
    }

    pub(super) fn netfilter(&mut self) -> Result<&mut Socket> {
        let name = self.executor.name();
        let open = || Socket::open(NetlinkFamily::Netfilter, format!("node {name}"));
        match &mut self.netfilter {
            Some(socket) => Ok(socket),
            none => Ok(none.insert(self.executor.namespace().enter(open)??)),
        }
    }
}

/// Sockets act in the namespace in which they were opened.
struct Sockets {
    route: Socket,
    watch: Option<AddressMonitor>,
    ipv6: bool,
}

impl Sockets {
    fn open(at: &NodeRef) -> Result<Self> {
        Ok(Self {
            route: Socket::open(NetlinkFamily::Route, format!("node {at}"))?,
            watch: None,
            ipv6: sysctl::has_ipv6(),
        })
    }

    /// With the monitor for the addresses that the node is about to get.
    fn monitored(self, at: &NodeRef) -> Result<Self> {
        Ok(Self { watch: Some(AddressMonitor::open(format!("node {at}"))?), ..self })
    }
}

/// Writes settings of the namespace that the calling thread is in.
fn write(settings: &[Sysctl]) -> Result<Vec<Unwritten>> {
    let pairs: Vec<(String, &str)> = settings.iter().map(|s| (path_of(s.key), &*s.value)).collect();
    sysctl::write_all(pairs.iter().map(|(key, value)| (key.as_str(), *value)))
}

/// `net.ipv4.ip_forward` is a file below /proc/sys/net.
pub(super) fn path_of(key: &str) -> String {
    key.strip_prefix("net.").unwrap_or(key).replace('.', "/")
}
