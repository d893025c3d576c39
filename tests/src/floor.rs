//! Makes networks in the fewest netlink messages, for benchmarks to compare nstest with.
//!
//! There are two nodes on one veth pair, and nodes on a bridge. It uses nothing of nstest.
//! Besides the links it does what the first packet needs: it turns duplicate address
//! detection off, flushes link events by RTM_GETLINK, and waits for the event that reports
//! an IPv6 address as usable (docs/src/design/netlink.md). It sets `lo` up.

mod batch;

use std::fs::File;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::os::fd::{AsRawFd, OwnedFd};

use batch::{Batch, link};
use nix::libc;
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send,
    socket,
};

/// The index of the first interface; `lo` is 1.
const ETH0: u32 = 2;

/// The index of the bridge, in its namespace.
const BRIDGE: u32 = 2;

/// The index of the nth node's port.
fn port(nth: usize) -> u32 {
    BRIDGE + 1 + nth as u32
}

/// A network namespace, and a netlink socket in it.
#[derive(Debug)]
pub struct Namespace {
    namespace: File,
    route: OwnedFd,
}

impl Namespace {
    /// Makes a network namespace, and moves the calling thread there.
    fn new(settings: &[&str], value: &str) -> Self {
        unshare(CloneFlags::CLONE_NEWNET).expect("unshare");
        Self::here(settings, value)
    }

    /// The namespace of the calling thread.
    fn here(settings: &[&str], value: &str) -> Self {
        for setting in settings {
            let path = format!("/proc/sys/net/ipv6/conf/{setting}");
            let mut file = File::options().write(true).open(path).expect("open a setting");
            file.write_all(value.as_bytes()).expect("write a setting");
        }
        let namespace = File::open("/proc/thread-self/ns/net").expect("open the namespace");
        let kind = (SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute);
        let route = socket(AddressFamily::Netlink, kind.0, kind.1, kind.2).expect("socket");
        Self { namespace, route }
    }

    /// A node, in a new namespace or in that of the calling thread.
    fn node(new: bool) -> Self {
        let make = if new { Self::new } else { Self::here };
        let node = make(&["all/accept_dad", "default/accept_dad"], "0");
        // One socket receives these events and the replies. The message type tells them apart.
        let group = NetlinkAddr::new(0, libc::RTMGRP_IPV6_IFADDR as u32);
        bind(node.route.as_raw_fd(), &group).expect("bind");
        node
    }

    /// The namespace for the bridge.
    fn switch() -> Self {
        Self::new(&["all/disable_ipv6", "default/disable_ipv6"], "1")
    }

    fn enter(&self) {
        setns(&self.namespace, CloneFlags::CLONE_NEWNET).expect("setns");
    }

    fn request(&self, batch: &Batch) {
        let sent = send(self.route.as_raw_fd(), &batch.bytes, MsgFlags::empty());
        assert_eq!(sent, Ok(batch.bytes.len()));
    }

    /// Receives messages until `wanted` returns true. A refused request fails the run.
    fn until(&self, mut wanted: impl FnMut(u16, &[u8]) -> bool) {
        let mut buffer = [0; 32 * 1024];
        loop {
            let length = recv(self.route.as_raw_fd(), &mut buffer, MsgFlags::empty());
            let mut rest = &buffer[..length.expect("recv")];
            let mut over = false;
            while rest.len() >= 16 {
                let length = u32::from_ne_bytes(rest[..4].try_into().unwrap()) as usize;
                let kind = u16::from_ne_bytes(rest[4..6].try_into().unwrap());
                if i32::from(kind) == libc::NLMSG_ERROR {
                    let errno = i32::from_ne_bytes(rest[16..20].try_into().unwrap());
                    assert_eq!(errno, 0, "{}", std::io::Error::from_raw_os_error(-errno));
                }
                over |= wanted(kind, &rest[16..length]);
                rest = &rest[length.next_multiple_of(4).min(rest.len())..];
            }
            if over {
                return;
            }
        }
    }

    /// Sends a batch, and waits for the acknowledgement that its last message asks for.
    fn carry_out(&self, batch: &Batch) {
        self.request(batch);
        self.until(|kind, _| i32::from(kind) == libc::NLMSG_ERROR);
    }

    /// Makes the kernel update the carrier of a link, by reading the link
    /// (linkwatch_sync_dev).
    fn flush_carrier(&self, index: u32) {
        let mut batch = Batch::default();
        batch.message(libc::RTM_GETLINK, 0, &link(index, 0, 0), |_| {});
        self.request(&batch);
        self.until(|kind, _| kind == libc::RTM_NEWLINK);
    }

    /// Configures the addresses of a node. `more` adds messages to the same system call.
    fn configure(&self, nth: usize, more: impl FnOnce(&mut Batch)) {
        let mut batch = Batch::default();
        more(&mut batch);
        let up = libc::IFF_UP as u32;
        batch.message(libc::RTM_NEWLINK, 0, &link(1, up, up), |_| {});
        batch.address(ipv4(nth), 24, 0);
        batch.address(ipv6(nth), 64, libc::NLM_F_ACK);
        let mut expected = 2;
        self.request(&batch);
        let IpAddr::V6(ours) = ipv6(nth) else { unreachable!() };
        self.until(|kind, payload| {
            let announced = kind == libc::RTM_NEWADDR
                && payload.windows(16).any(|window| window == ours.octets());
            expected -= i32::from(i32::from(kind) == libc::NLMSG_ERROR || announced);
            expected == 0
        });
    }
}

/// The IPv4 address of the nth node.
#[must_use]
pub fn ipv4(nth: usize) -> IpAddr {
    let host = 1 + nth as u16;
    Ipv4Addr::new(10, 0, 2 + (host >> 8) as u8, host as u8).into()
}

/// The IPv6 address of the nth node.
#[must_use]
pub fn ipv6(nth: usize) -> IpAddr {
    Ipv6Addr::new(0xfd00, 2, 0, 0, 0, 0, 0, 1 + nth as u16).into()
}

/// Connected nodes. The calling thread is in the first.
#[derive(Debug)]
pub struct Wire {
    nodes: Vec<Namespace>,
    switch: Option<Namespace>,
}

impl Wire {
    /// Two nodes on one veth pair.
    ///
    /// # Panics
    /// If the kernel refuses a request.
    #[must_use]
    pub fn pair() -> Self {
        let b = Namespace::node(true);
        Self::of_pair(Namespace::node(true), b)
    }

    /// The same, where the first node is the namespace of the calling thread, as in a test.
    #[must_use]
    pub fn pair_from_here() -> Self {
        let a = Namespace::node(false);
        let b = Namespace::node(true);
        a.enter();
        Self::of_pair(a, b)
    }

    fn of_pair(a: Namespace, b: Namespace) -> Self {
        let up = libc::IFF_UP as u32;
        a.configure(0, |batch| {
            batch.veth(("eth0", ETH0), up, &[], &b);
        });
        b.configure(1, |batch| {
            batch.message(libc::RTM_NEWLINK, 0, &link(ETH0, up, up), |_| {});
        });
        a.flush_carrier(ETH0);
        b.flush_carrier(ETH0);
        Self { nodes: vec![a, b], switch: None }
    }

    /// `count` nodes on a bridge. The bridge is in a namespace of its own.
    #[must_use]
    pub fn bridge(count: usize) -> Self {
        let switch = Namespace::switch();
        let mut nodes: Vec<_> = (0..count).map(|_| Namespace::node(true)).collect();
        nodes.reverse(); // the thread is in the one made last
        Self::of_bridge(nodes, switch)
    }

    /// The same, where the first node is the namespace of the calling thread, as in a test.
    #[must_use]
    pub fn bridge_from_here(count: usize) -> Self {
        let mut nodes = vec![Namespace::node(false)];
        nodes.extend((1..count).map(|_| Namespace::node(true)));
        let switch = Namespace::switch();
        nodes[0].enter();
        Self::of_bridge(nodes, switch)
    }

    fn of_bridge(nodes: Vec<Namespace>, switch: Namespace) -> Self {
        let mut batch = Batch::default();
        batch.bridge();
        for (nth, node) in nodes.iter().enumerate() {
            batch.port(nth, node);
        }
        batch.acknowledged();
        switch.carry_out(&batch);
        for (nth, node) in nodes.iter().enumerate() {
            node.configure(nth, Batch::link_up);
        }
        for (nth, node) in nodes.iter().enumerate() {
            switch.flush_carrier(port(nth));
            node.flush_carrier(ETH0);
        }
        Self { nodes, switch: Some(switch) }
    }

    /// A bridge in a namespace of its own, and no node.
    #[must_use]
    pub fn empty_bridge() -> Self {
        let switch = Namespace::switch();
        let mut batch = Batch::default();
        batch.bridge();
        batch.acknowledged();
        switch.carry_out(&batch);
        Self { nodes: Vec::new(), switch: Some(switch) }
    }

    /// Adds a node to the bridge. The calling thread is in the new node then.
    ///
    /// # Panics
    /// If there is no bridge, or if the kernel refuses a request.
    pub fn add_node(&mut self) {
        let switch = self.switch.as_ref().expect("a bridge");
        let (nth, node) = (self.nodes.len(), Namespace::node(true));
        let mut batch = Batch::default();
        batch.port(nth, &node);
        batch.acknowledged();
        switch.carry_out(&batch);
        node.configure(nth, Batch::link_up);
        switch.flush_carrier(port(nth));
        node.flush_carrier(ETH0);
        self.nodes.push(node);
    }

    /// Binds a listener in the second node, and returns to the first.
    #[must_use]
    pub fn listen(&self, ip: IpAddr) -> TcpListener {
        self.nodes[1].enter();
        let listener = TcpListener::bind((ip, 7000)).expect("bind");
        self.nodes[0].enter();
        listener
    }
}

/// Moves the calling thread to a new network namespace where `lo` is up, as in a test.
pub fn own_namespace() {
    let place = Namespace::new(&[], "");
    let mut batch = Batch::default();
    let up = libc::IFF_UP as u32;
    batch.message(libc::RTM_NEWLINK, libc::NLM_F_ACK, &link(1, up, up), |_| {});
    place.carry_out(&batch);
}

/// Waits until the kernel has cleaned up the namespaces that ended before. It does so one
/// batch after the other (cleanup_net, net/core/net_namespace.c). When it cleans a
/// namespace up, it deletes the veth pairs there, which this thread can see.
pub fn settle() {
    let clean = || {
        unshare(CloneFlags::CLONE_NEWNET).expect("unshare");
        let peer = File::open("/proc/thread-self/ns/net").expect("open the namespace");
        let here = Namespace::new(&[], "");
        let group = NetlinkAddr::new(0, libc::RTMGRP_LINK as u32);
        bind(here.route.as_raw_fd(), &group).expect("bind");
        let there = Namespace { namespace: peer, route: here.route.try_clone().expect("dup") };
        let mut batch = Batch::default();
        batch.veth(("eth0", ETH0), 0, &[], &there);
        here.request(&batch);
        drop((batch, there));
        here.until(|kind, _| kind == libc::RTM_DELLINK);
    };
    // The namespaces that ended before are in the batch of the first one here, or in an
    // earlier batch. Both are finished when the batch of the second one starts.
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(clean).join().expect("clean up");
        }
    });
}

/// Connects from the calling thread to each address, and sends a byte in both directions.
pub fn exchange(ips: &[IpAddr], listen: impl Fn(IpAddr) -> TcpListener) {
    for ip in ips {
        let listener = listen(*ip);
        let mut near = std::net::TcpStream::connect((*ip, 7000)).expect("connect");
        let (mut far, _) = listener.accept().expect("accept");
        let mut byte = [0];
        near.write_all(&[7]).expect("write");
        far.read_exact(&mut byte).expect("read");
        far.write_all(&byte).expect("write");
        near.read_exact(&mut byte).expect("read");
        assert_eq!(byte, [7]);
    }
}
