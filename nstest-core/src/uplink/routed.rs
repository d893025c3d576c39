//! The way of whoever may configure the machine's network: a veth pair from the
//! test into it, and NAT.
//!
//! Between the two stands a namespace of ours, the gateway, that nothing but this
//! process holds. A test's own namespace can outlive all of its processes: TCP
//! goes on telling the peer that a connection is closed (FIN_WAIT1, minutes), and
//! each such socket holds it. Without the gateway the machine's end of the pair
//! would stay as long (seen).
//!
//! What touches the machine, and what takes it back, also when this process is
//! killed:
//! - a veth end `nstestN` with an address of 198.18.0.0/15, and that device's own
//!   `forwarding`: they go with the gateway, which goes with this process;
//! - a table `nstestN` of nftables, owned by the socket that made it
//!   (NFT_TABLE_F_OWNER, Linux 5.12): the kernel deletes it when the socket closes.
//!
//! `net.ipv4.ip_forward` stays as it is. Whether the kernel forwards a packet is
//! asked of the interface by which it came *in* (`IN_DEV_FORWARD`,
//! net/ipv4/route.c): for the test's packets that is our own. For the answers it
//! is the machine's, and where that one does not forward, the answers are handed
//! over before the question comes up: a rule after address translation sends them
//! to our device (`dup to`, net/ipv4/netfilter/nf_dup_ipv4.c) and drops them.

use std::net::Ipv4Addr;
use std::os::fd::AsFd;

use nix::errno::Errno;

use super::machine::{Machine, OURS};
use super::{DEVICE, GATEWAY, GUEST, INDEX, LENGTH, METRIC, MTU, refused};
use crate::addr::{Family, Prefix, Subnet};
use crate::error::{Error, Result};
use crate::netlink::link::{self, NewLink};
use crate::netlink::nftables::{
    Batch, Chain, CtMatch, Field, FieldValue, HookKind, HookPoint, NftHook, NftRule, Statement,
    Table,
};
use crate::netlink::route::{self, RouteTarget};
use crate::netlink::{Mode, NetlinkFamily, Socket, addr};
use crate::netns::Namespace;
use crate::sysctl;

/// What an uplink consists of on the machine, all of which goes with this.
#[derive(Debug)]
pub(super) struct Gateway {
    _namespace: Namespace,
    /// The socket that owns the rules.
    _owner: Socket,
}

/// The gateway's ends: towards the machine, and towards the test.
const OUTER: &str = "outer";
const INNER: &str = "inner";

/// A slice of 198.18.0.0/15: four addresses, of which the machine has the second
/// and the gateway the third.
#[derive(Debug, Clone, Copy)]
struct Slot(u32);

impl Slot {
    const ALL: std::ops::Range<u32> = 64..(1 << 15);

    fn name(self) -> String {
        format!("{OURS}{}", self.0)
    }

    fn subnet(self) -> Subnet {
        Subnet::of(self.address(0).into(), 30)
    }

    fn address(self, nth: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(Ipv4Addr::new(198, 18, 0, 0).to_bits() + 4 * self.0 + nth)
    }

    fn machine(self) -> Ipv4Addr {
        self.address(1)
    }

    fn gateway(self) -> Ipv4Addr {
        self.address(2)
    }
}

pub(super) fn connect(machine: &Machine, pid: &str) -> Result<Gateway> {
    let test = Namespace::open(&format!("/proc/{pid}/ns/net"))?;
    let (gateway, mut inside) = Namespace::create("the uplink's gateway", || {
        sysctl::write("ipv4/ip_forward", "1")?;
        Socket::open(NetlinkFamily::Route, "the uplink's gateway")
    })?;
    let mut outside = Socket::open(NetlinkFamily::Route, "the machine")?;
    let slot = claim(machine, &gateway, &mut outside)?;
    let index = link::get_by_name(&mut outside, &slot.name())?.index;
    outside.request(&addr::add(index, Prefix::new(slot.machine(), 30)))?;
    outside.request(&link::set(index).up().request())?;
    sysctl::write(&format!("ipv4/conf/{}/forwarding", slot.name()), "1").map_err(failed)?;
    furnish_gateway(slot, &test, &mut inside)?;
    gateway.enter(translate)??;
    test.enter(furnish_test)??;
    let mut owner = Socket::open(NetlinkFamily::Netfilter, "the machine")?;
    install(slot, index, answers_come_through(machine), &mut owner)?;
    Ok(Gateway { _namespace: gateway, _owner: owner })
}

/// The name of the device claims the slot: the kernel gives it to one.
fn claim(machine: &Machine, gateway: &Namespace, socket: &mut Socket) -> Result<Slot> {
    for slot in Slot::ALL.map(Slot) {
        if machine.networks.iter().any(|network| network.subnet.overlaps(&slot.subnet())) {
            continue;
        }
        let near =
            NewLink { mtu: Some(MTU), netns: Some(gateway.as_fd()), ..NewLink::named(OUTER) };
        let name = slot.name();
        let far = NewLink { mtu: Some(MTU), ..NewLink::named(&name) };
        match socket.request(&link::veth(&near, &far)) {
            Ok(()) => return Ok(slot),
            Err(error) if crate::netlink::refusal(&error) == Some(Errno::EEXIST) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Err(refused().source("every subnet of 198.18.0.0/15 is in use on this machine"))
}

fn furnish_gateway(slot: Slot, test: &Namespace, socket: &mut Socket) -> Result<()> {
    let near = NewLink {
        index: Some(INDEX),
        mtu: Some(MTU),
        netns: Some(test.as_fd()),
        ..NewLink::named(DEVICE)
    };
    let far = NewLink { mtu: Some(MTU), ..NewLink::named(INNER) };
    socket.request(&link::veth(&near, &far))?;
    let outer = link::get_by_name(socket, OUTER)?.index;
    let inner = link::get_by_name(socket, INNER)?.index;
    socket.batch(&[
        link::set(inner).up().request(),
        addr::add(inner, Prefix::new(GATEWAY, LENGTH)),
        addr::add(outer, Prefix::new(slot.gateway(), 30)),
        route::add(&default(slot.machine(), outer), Mode::Create),
    ])?;
    link::get(socket, inner).map(drop)
}

/// In the gateway: outside it is one address, of the slot; inside always the same.
fn translate() -> Result<()> {
    let rule = vec![Statement::OutInterface(OUTER.to_owned()), Statement::Masquerade];
    let table = Table {
        family: Family::V4,
        name: "uplink".into(),
        owned: false,
        sets: Vec::new(),
        chains: vec![chain("post", HookKind::Nat, HookPoint::Postrouting, 100, rule)],
    };
    Batch::new()
        .add(&table)
        .commit(&mut Socket::open(NetlinkFamily::Netfilter, "the uplink's gateway")?)
}

/// A chain of one rule.
fn chain(
    name: &'static str,
    kind: HookKind,
    point: HookPoint,
    priority: i32,
    rule: Vec<Statement>,
) -> Chain {
    Chain { name, hook: Some(NftHook { kind, point, priority }), rules: vec![NftRule(rule)] }
}

/// In the test: its end is up from the start.
fn furnish_test() -> Result<()> {
    let mut socket = Socket::open(NetlinkFamily::Route, "the test")?;
    let mut default = default(GATEWAY, INDEX);
    default.metric = Some(METRIC);
    socket.batch(&[
        addr::add(INDEX, Prefix::new(GUEST, LENGTH)),
        route::add(&default, Mode::Create),
    ])?;
    link::get(&mut socket, INDEX).map(drop) // and with it the carrier is there
}

fn default(gateway: Ipv4Addr, device: u32) -> route::Route {
    let target = RouteTarget::Via { gateway: Some(gateway.into()), device: Some(device) };
    route::Route::to(Prefix::new(Ipv4Addr::UNSPECIFIED, 0), target)
}

/// Whether the machine forwards what comes in where the answers will.
fn answers_come_through(machine: &Machine) -> bool {
    machine.outbound.as_ref().is_some_and(|device| {
        sysctl::read(&format!("ipv4/conf/{device}/forwarding")).is_ok_and(|value| value == "1")
    })
}

fn install(slot: Slot, index: u32, forwarded: bool, owner: &mut Socket) -> Result<()> {
    let table = rules(slot, index, forwarded);
    Batch::new().add(&table).commit(owner).map_err(|error| {
        let error = refused().source(error);
        match forwarded {
            true => error.help("the rules need nf_tables with NAT, and Linux 5.12: modprobe nft_masq nft_chain_nat"),
            false => error.help("the rules need nf_tables with NAT and `dup`, and Linux 5.12: modprobe nft_masq nft_chain_nat nft_dup_ipv4; or let the machine forward: sysctl -w net.ipv4.ip_forward=1"),
        }
    })
}

/// On the machine.
fn rules(slot: Slot, index: u32, forwarded: bool) -> Table {
    let name = slot.name();
    let gateway = slot.gateway();
    let is = |field: fn(Family) -> Field, addr: Ipv4Addr| {
        Statement::Equals(field(Family::V4), FieldValue::Addr(addr.into()))
    };
    let mut chains = vec![
        chain(
            "post",
            HookKind::Nat,
            HookPoint::Postrouting,
            100,
            vec![is(Field::SourceAddr, gateway), Statement::Masquerade],
        ),
        // The machine's end is a way, and no host to talk to.
        chain(
            "in",
            HookKind::Filter,
            HookPoint::Input,
            0,
            vec![
                Statement::InInterface(name.clone()),
                is(Field::DestAddr, slot.machine()),
                Statement::Drop,
            ],
        ),
        // Nobody outside begins a conversation with a test.
        chain(
            "forward",
            HookKind::Filter,
            HookPoint::Forward,
            0,
            vec![
                Statement::OutInterface(name.clone()),
                Statement::Ct(CtMatch::NewOrInvalid),
                Statement::Drop,
            ],
        ),
    ];
    if !forwarded {
        chains.push(chain(
            "pre",
            HookKind::Filter,
            HookPoint::Prerouting,
            -99,
            vec![
                is(Field::DestAddr, gateway),
                Statement::Ct(CtMatch::EstablishedOrRelated),
                Statement::DupTo { addr: gateway.into(), device: index },
                Statement::Drop,
            ],
        ));
    }
    Table { family: Family::V4, name: name.into(), owned: true, sets: Vec::new(), chains }
}

fn failed(error: Error) -> Error {
    refused().source(error).help("in a container, give it the right over its network: --cap-add=NET_ADMIN; or run the tests as an ordinary user, with Debian's package passt")
}
