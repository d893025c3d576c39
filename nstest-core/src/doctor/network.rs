//! Trials of the parts of a network, in the world of a test: as `fabric` and `wire` use them.

use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};

use super::report::{CheckStatus, Problem};
use super::trial::{TrialResult, attempt, begin, record};
use crate::addr::Family;
use crate::error::{Error, ErrorCode, Result};
use crate::netlink::bpf_filter::{self, BpfFilter, ClsactHook, FilterAction, MarkMatch};
use crate::netlink::link::{self, LOOPBACK, NewLink};
use crate::netlink::nftables::{
    Chain, CtMatch, HookKind, HookPoint, NftHook, NftRule, Statement, Table, Transaction,
};
use crate::netlink::{
    Mode, NetlinkFamily, Request, Socket, conntrack, kernel_qdisc, qdisc, u32_filter,
};
use crate::netns::Namespace;
use crate::preflight::{self, Operation};
use crate::sys::packet::{BlockRing, Blocks, PacketSocket};
use crate::wire::Wire;

/// The indexes of the interfaces.
const NEAR: u32 = 20;
const FAR: u32 = 21;
const BRIDGE: u32 = 22;

/// A small ring: its size is not what a kernel refuses.
const RING: Blocks = Blocks { size: 64 << 10, count: 2, retire: Duration::from_millis(100) };

const FILTERS: &str = "load the kernel modules, on the machine itself: sudo modprobe -a sch_ingress cls_u32 cls_bpf act_mirred";
const LINKS: &str = "load the kernel modules, on the machine itself: sudo modprobe -a veth bridge";
const TABLES: &str = "load the kernel modules, on the machine itself: sudo modprobe -a nfnetlink nf_tables nf_conntrack nf_nat nft_ct";
const TRANSLATION: &str = "load the kernel modules, on the machine itself: sudo modprobe -a nft_chain_nat nft_masq nf_nat";
const TRACKING: &str = "load the kernel modules, on the machine itself: sudo modprobe -a nf_conntrack nf_conntrack_netlink";

/// Makes all trials. Those that need what was refused before are not made.
pub(super) fn all() {
    attempt("node-view", node_view);
    let mut socket = None;
    attempt("netlink", || {
        Socket::open(NetlinkFamily::Route, "the test").map(|it| socket = Some(it)).found("")
    });
    let mut node = None;
    attempt("node", || {
        let made = Namespace::create("node trial", || Ok(()));
        made.map(|(namespace, ())| node = Some(namespace)).found("")
    });
    if let (Some(socket), Some(node)) = (&mut socket, &node) {
        links(socket, node);
    }
    if let Some(socket) = &mut socket {
        unneeded(socket, "tbf", &kernel_qdisc::tbf(LOOPBACK), "limits rates");
        unneeded(socket, "netem", &kernel_qdisc::netem(LOOPBACK), "makes faults");
    }
    let packet = attempt("packet-socket", || Wire::open().map(drop).found(""));
    if packet {
        attempt("packet-ring", || ring().map_err(no_ring).found(""));
    }
    netfilter();
}

/// The result of a trial.
trait IntoTrialResult {
    /// `fix` is the remedy if the error has none.
    fn found(self, fix: &str) -> TrialResult;
}

impl IntoTrialResult for Result<()> {
    fn found(self, fix: &str) -> TrialResult {
        self.map(|()| None).map_err(|error| Problem::of(&error, fix))
    }
}

/// A thread, as threads and programs in a node have one.
fn node_view() -> TrialResult {
    let unshared =
        || unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWUTS);
    let thread = thread::Builder::new().spawn(unshared).map_err(|error| {
        Problem::of(&preflight::no_thread("start a thread in a node", &error), "")
    })?;
    thread.join().unwrap_or(Err(Errno::ECANCELED)).map(|()| None).map_err(|errno| {
        let step = "create a mount and a UTS namespace for a node";
        let call = "unshare(CLONE_NEWNS | CLONE_NEWUTS)";
        let operation = Operation::FurtherNamespaces { kinds: &["mnt", "uts"] };
        Problem::of_refusal(step, call, errno, operation)
    })
}

fn links(socket: &mut Socket, node: &Namespace) {
    let near = NewLink { index: Some(NEAR), ..NewLink::named("near") };
    let far = NewLink { index: Some(FAR), netns: Some(node.as_fd()), ..NewLink::named("far") };
    let made = attempt("veth", || socket.request(&link::veth(&near, &far)).found(LINKS));
    let bridge = NewLink { index: Some(BRIDGE), ..NewLink::named("bridge") };
    attempt("bridge", || socket.request(&link::bridge(&bridge)).found(LINKS));
    if !made {
        return;
    }
    // Back to itself: the filter is never reached.
    let forward = u32_filter::U32Filter {
        device: NEAR,
        number: 1,
        matches: u32_filter::Match::All,
        to: &[NEAR],
    };
    let hooked = attempt("u32", || {
        let requests = [qdisc::clsact(NEAR), u32_filter::add(&forward, Mode::Create)];
        socket.batch(&requests).found(FILTERS)
    });
    if hooked {
        let filter = BpfFilter {
            device: NEAR,
            hook: ClsactHook::Ingress,
            number: 1,
            matches: MarkMatch::With(1),
            discovery_of: None,
            action: FilterAction::SendOn(NEAR),
        };
        attempt("bpf", || socket.request(&bpf_filter::set(&filter)).found(FILTERS));
    }
}

/// Tries what nstest does in userspace. That it is missing is no problem.
fn unneeded(socket: &mut Socket, name: &str, add: &Request, what: &str) {
    begin(name);
    let (status, detail) = match socket.request(add) {
        Ok(()) => (CheckStatus::Works, String::new()),
        Err(error) => {
            let cause = Problem::of(&error, "").cause;
            (CheckStatus::Unneeded, format!("missing ({cause}); nstest {what} in userspace"))
        }
    };
    record(name, status, &detail, None);
    // It fails if there is none.
    let _ = socket.batch(&qdisc::delete_all(LOOPBACK));
}

fn ring() -> nix::Result<()> {
    let socket = PacketSocket::open()?;
    RING.request(&socket)?;
    let ring = BlockRing::map(socket.as_fd(), RING)?;
    socket.bind()?;
    drop(ring);
    Ok(())
}

fn no_ring(errno: Errno) -> Error {
    let what = "make the ring of a packet socket";
    preflight::no_socket(what, "setsockopt(PACKET_RX_RING)", errno).unwrap_or_else(|| {
        Error::new(ErrorCode::Wire, what)
            .source(errno)
            .help("use a kernel with CONFIG_PACKET, and allow the tests more memory")
    })
}

fn netfilter() {
    let mut socket = None;
    let open = || Socket::open(NetlinkFamily::Netfilter, "the test");
    let filter = table("trial", HookKind::Filter, 0, Statement::Ct(CtMatch::EstablishedOrRelated));
    let works = attempt("nftables", || {
        let socket = match open() {
            Ok(opened) => socket.insert(opened),
            Err(error) => return Err(error).found(TABLES),
        };
        Transaction::new().add(&filter).commit(socket).found(TABLES)
    });
    let Some(socket) = &mut socket else { return };
    if works {
        let nat = table("trial-nat", HookKind::Nat, 100, Statement::Masquerade);
        attempt("nat", || Transaction::new().add(&nat).commit(socket).found(TRANSLATION));
    }
    attempt("conntrack", || socket.request(&conntrack::flush()).found(TRACKING));
}

/// A table with one chain and one rule.
fn table(name: &'static str, kind: HookKind, priority: i32, does: Statement) -> Table {
    let chain = Chain {
        name: "chain",
        hook: Some(NftHook { kind, point: HookPoint::Postrouting, priority }),
        rules: vec![NftRule(vec![does])],
    };
    let (family, chains) = (Family::V4, vec![chain]);
    Table { family, name: name.into(), owned: false, sets: Vec::new(), chains }
}
