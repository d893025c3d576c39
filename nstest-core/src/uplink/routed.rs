//! The uplink of a user who may configure the machine's network: a veth pair between the test
//! and the machine, and NAT by the kernel.
//!
//! Between the two is another network namespace, the gateway. Only this process holds it. A
//! test's own namespace can exist for minutes after the end of its processes: TCP sockets in
//! FIN_WAIT1 hold it while they retransmit their FIN. Without the gateway, the machine's end of
//! the veth pair would exist as long (this was observed).
//!
//! What changes on the machine, and how the kernel removes it, also after SIGKILL:
//! - A veth end `nstestN` with an address of 198.18.0.0/15, and the setting `forwarding` of this
//!   interface. The kernel removes them with the gateway, when this process ends.
//! - An nftables table `nstestN`, owned by the socket that made it (NFT_TABLE_F_OWNER, Linux
//!   5.12). The kernel deletes it when the socket is closed.
//!
//! `net.ipv4.ip_forward` does not change. Whether the kernel forwards a packet depends on the
//! setting of the interface on which it *arrived* (`IN_DEV_FORWARD`, net/ipv4/route.c). Packets
//! from the test arrive on `nstestN`. Answers arrive on the machine's own interface. If that
//! does not forward, a rule copies the answers to `nstestN` after address translation and
//! before the routing decision (`dup to`, net/ipv4/netfilter/nf_dup_ipv4.c), and drops the
//! originals.

use std::net::Ipv4Addr;
use std::os::fd::AsFd;

use nix::errno::Errno;

use super::machine::{INTERFACE_PREFIX, Machine};
use super::{DEVICE, GATEWAY, GUEST, INDEX, LENGTH, METRIC, MTU, refused};
use crate::addr::{Family, Prefix, Subnet};
use crate::error::{Error, ErrorCode, Result};
use crate::netlink::link::{self, NewLink};
use crate::netlink::nftables::{
    Chain, CtMatch, Field, FieldValue, HookKind, HookPoint, NftHook, NftRule, Statement, Table,
    Transaction,
};
use crate::netlink::route::{self, RouteTarget};
use crate::netlink::{Mode, NetlinkFamily, Socket, addr};
use crate::netns::Namespace;
use crate::sysctl;

/// All parts of an uplink on the machine. Dropping it removes them.
#[derive(Debug)]
pub(super) struct Gateway {
    _namespace: Namespace,
    /// The socket that owns the nftables table.
    _owner: Socket,
}

/// The interface of the gateway towards the machine.
const OUTER: &str = "outer";
/// The interface of the gateway towards the test.
const INNER: &str = "inner";

/// The subnet between the machine and the gateway: the /30 of 198.18.0.0/15 with this index.
#[derive(Debug, Clone, Copy)]
struct GatewaySubnet(u32);

impl GatewaySubnet {
    /// The first 64 are in 198.18.0.0/24, which the test's end uses.
    const ALL: std::ops::Range<u32> = 64..(1 << 15);

    fn name(self) -> String {
        format!("{INTERFACE_PREFIX}{}", self.0)
    }

    fn to_subnet(self) -> Subnet {
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

pub(super) fn connect(machine: &Machine, offloads: bool, pid: &str) -> Result<Gateway> {
    let test = Namespace::open(&format!("/proc/{pid}/ns/net"))?;
    let (gateway, mut inside) = Namespace::create("the uplink's gateway", || {
        sysctl::write("ipv4/ip_forward", "1")?;
        Socket::open(NetlinkFamily::Route, "the uplink's gateway")
    })?;
    let mut outside = Socket::open(NetlinkFamily::Route, "the machine")?;
    let subnet = claim(machine, &gateway, &mut outside)?;
    let index = link::get_by_name(&mut outside, &subnet.name())?.index;
    outside.request(&addr::add(index, Prefix::new(subnet.machine(), 30), Mode::Create))?;
    outside.request(&link::set(index).up().request())?;
    sysctl::write(&format!("ipv4/conf/{}/forwarding", subnet.name()), "1").map_err(failed)?;
    configure_gateway(subnet, &test, &mut inside)?;
    gateway.enter(masquerade)??;
    test.enter(configure_test)??;
    if !offloads {
        // Each end cuts and completes what it sends.
        link::set_offloads(&inside, INNER, false)?;
        let socket = test.enter(|| Socket::open(NetlinkFamily::Route, "the test"))??;
        link::set_offloads(&socket, DEVICE, false)?;
    }
    let mut owner = Socket::open(NetlinkFamily::Netfilter, "the machine")?;
    install(subnet, index, forwards_answers(machine), &mut owner)?;
    Ok(Gateway { _namespace: gateway, _owner: owner })
}

/// Finds a free subnet, and makes the veth pair between the machine and the gateway. The name
/// of the machine's interface reserves the subnet, because an interface name is unique.
fn claim(machine: &Machine, gateway: &Namespace, socket: &mut Socket) -> Result<GatewaySubnet> {
    for subnet in GatewaySubnet::ALL.map(GatewaySubnet) {
        if machine.subnets.iter().any(|used| used.subnet.overlaps(&subnet.to_subnet())) {
            continue;
        }
        let near =
            NewLink { mtu: Some(MTU), netns: Some(gateway.as_fd()), ..NewLink::named(OUTER) };
        let name = subnet.name();
        let far = NewLink { mtu: Some(MTU), ..NewLink::named(&name) };
        match socket.request(&link::veth(&near, &far)) {
            Ok(()) => return Ok(subnet),
            Err(error) if crate::netlink::refusal(&error) == Some(Errno::EEXIST) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Err(refused().source("every subnet of 198.18.0.0/15 is in use on this machine"))
}

fn configure_gateway(subnet: GatewaySubnet, test: &Namespace, socket: &mut Socket) -> Result<()> {
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
        addr::add(inner, Prefix::new(GATEWAY, LENGTH), Mode::Create),
        addr::add(outer, Prefix::new(subnet.gateway(), 30), Mode::Create),
        route::add(&default(subnet.machine(), outer), Mode::Create),
    ])?;
    link::flush_carrier(socket, inner)
}

/// In the gateway: gives packets of the test the gateway's outer address. The inner addresses
/// are the same for all tests.
fn masquerade() -> Result<()> {
    let rule = vec![Statement::OutInterface(OUTER.to_owned()), Statement::Masquerade];
    let table = Table {
        family: Family::V4,
        name: "uplink".into(),
        owned: false,
        sets: Vec::new(),
        chains: vec![chain("post", HookKind::Nat, HookPoint::Postrouting, 100, rule)],
    };
    Transaction::new()
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

/// In the test: its end of the veth pair is up from the start.
fn configure_test() -> Result<()> {
    let mut socket = Socket::open(NetlinkFamily::Route, "the test")?;
    let mut default = default(GATEWAY, INDEX);
    default.metric = Some(METRIC);
    socket.batch(&[
        addr::add(INDEX, Prefix::new(GUEST, LENGTH), Mode::Create),
        route::add(&default, Mode::Create),
    ])?;
    link::flush_carrier(&mut socket, INDEX)
}

fn default(gateway: Ipv4Addr, device: u32) -> route::Route {
    let target = RouteTarget::Via { gateway: Some(gateway.into()), device: Some(device) };
    route::Route::to(Prefix::new(Ipv4Addr::UNSPECIFIED, 0), target)
}

/// Whether the machine forwards packets that arrive on the interface of its default route, as
/// the answers to the test do.
fn forwards_answers(machine: &Machine) -> bool {
    machine.outbound.as_ref().is_some_and(|device| {
        sysctl::read(&format!("ipv4/conf/{device}/forwarding")).is_ok_and(|value| value == "1")
    })
}

fn install(subnet: GatewaySubnet, index: u32, forwarded: bool, owner: &mut Socket) -> Result<()> {
    let table = table(subnet, index, forwarded);
    Transaction::new().add(&table).commit(owner).map_err(|error| {
        let error = refused().source(error);
        match forwarded {
            true => error.help("load the modules for NAT (Linux 5.12 or newer): sudo modprobe -a nft_masq nft_chain_nat"),
            false => error.help("load the modules for NAT and `dup` (Linux 5.12 or newer): sudo modprobe -a nft_masq nft_chain_nat nft_dup_ipv4; or turn on forwarding: sudo sysctl -w net.ipv4.ip_forward=1"),
        }
    })
}

/// The table on the machine.
fn table(subnet: GatewaySubnet, index: u32, forwarded: bool) -> Table {
    let name = subnet.name();
    let gateway = subnet.gateway();
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
        // The test cannot reach the machine at the address of `nstestN`.
        chain(
            "in",
            HookKind::Filter,
            HookPoint::Input,
            0,
            vec![
                Statement::InInterface(name.clone()),
                is(Field::DestAddr, subnet.machine()),
                Statement::Drop,
            ],
        ),
        // Other hosts cannot open connections to the test.
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

/// A limit of this process is not a right that it lacks.
pub(super) fn failed(error: Error) -> Error {
    if error.code() == ErrorCode::OpenFiles {
        return error;
    }
    refused().source(error).help("start the container with --cap-add=NET_ADMIN; or run as an ordinary user with pasta installed: apt install passt")
}
