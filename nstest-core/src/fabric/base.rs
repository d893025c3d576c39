//! The fabric: its namespace, and what there is in it and in nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;

use litemap::LiteMap;

use super::forwarding::ForwardingTable;
use super::logging;
use super::member::Member;
use super::request_queue::{Owner, RequestQueue};
use super::rules;
use super::splice_state::SpliceState;
use crate::error::{Error, ErrorCode, Result};
use crate::layout::{NETNS, NODE};
use crate::netlink::{NetlinkFamily, Request, Socket, link};
use crate::netns::Namespace;
use crate::node::{NodeExecutor, Panics, UsedNodes};
use crate::recorder;
use crate::snapshot;
use crate::sysctl;
use crate::topology::changes::{Change, Changes, NodeRef};
use crate::topology::spec::{LinkEndId, NodeId, Translated, interface_index};
use crate::topology::state::Hosts;
use crate::wire;

/// What there is in the kernel for a test's network.
#[derive(Debug)]
pub(crate) struct Fabric {
    pub(super) namespace: Namespace,
    pub(super) route: Socket,
    pub(super) members: LiteMap<NodeId, Member>,
    /// Reports in which nodes code of the test has run.
    pub(super) used: UsedNodes,
    /// Nodes in which packets may be waiting for the reply to an ARP or ND request: those of
    /// the test's code, or those that a router forwards. It is not known of a node that
    /// programs enter by its name in /run/netns only.
    pub(super) may_be_asking: BTreeSet<NodeId>,
    /// Nodes with addresses that may not be usable yet.
    pub(super) awaiting: BTreeSet<NodeId>,
    /// The names of nodes that are in /etc/hosts.
    pub(super) hosts: Hosts,
    pub(super) forwarding: ForwardingTable,
    /// Whether [`keep_netfilter_off_bridges`](Self::keep_netfilter_off_bridges) was called.
    pub(super) bridges_unfiltered: bool,
    pub(super) splices: SpliceState,
    /// The link ends that no packet of the test can have passed yet.
    pub(super) new_link_ends: BTreeSet<LinkEndId>,
    pub(super) requests: RequestQueue,
    /// Settings that were refused while a node was created, for the change that sets
    /// them.
    pub(super) written: LiteMap<NodeId, Vec<sysctl::Unwritten>>,
    pub(super) panics: Arc<Panics>,
    /// The settings that this machine has refused.
    refused: BTreeSet<String>,
    /// Those without a note, by the cause.
    unnoted: BTreeMap<String, Vec<String>>,
    /// Each once.
    notes: Vec<String>,
    /// Whether another process has built the network, and owns it.
    attached: bool,
}

/// A list of changes that was stopped by an error.
#[derive(Debug)]
pub(crate) struct Stopped {
    /// How many of them were carried out. The last may be incomplete.
    pub(crate) done: usize,
    pub(crate) error: Error,
}

impl Fabric {
    pub(super) fn new(panics: Arc<Panics>) -> Result<Self> {
        let (namespace, (route, unwritten)) = Namespace::create("the fabric", || {
            // It sends nothing by itself. It has no address and no route, so it forwards
            // nothing.
            let unwritten = sysctl::write_all([("ipv6/conf/all/disable_ipv6", "1")])?;
            if let Err(errno) = recorder::start(wire::FIRST_HIDDEN) {
                logging::not_recorded(errno);
            }
            Ok((Socket::open(NetlinkFamily::Route, "the fabric")?, unwritten))
        })?;
        let mut fabric = Self::without_nodes(namespace, route, panics);
        fabric.note(&unwritten);
        Ok(fabric)
    }

    fn without_nodes(namespace: Namespace, route: Socket, panics: Arc<Panics>) -> Self {
        Self {
            namespace,
            route,
            members: LiteMap::new(),
            used: UsedNodes::default(),
            may_be_asking: BTreeSet::new(),
            awaiting: BTreeSet::new(),
            hosts: Hosts::default(),
            forwarding: ForwardingTable::default(),
            bridges_unfiltered: false,
            splices: SpliceState::default(),
            new_link_ends: BTreeSet::new(),
            requests: RequestQueue::default(),
            written: LiteMap::new(),
            panics,
            refused: BTreeSet::new(),
            unnoted: BTreeMap::new(),
            notes: Vec::new(),
            attached: false,
        }
    }

    /// The network of a test that another process has built: its nodes, found by their
    /// names. They run code; changes and faults are left to the owner, which has the link
    /// ends and the wire.
    pub(crate) fn attach_to_nodes(panics: &Arc<Panics>, changes: &Changes) -> Result<Self> {
        // Nothing is done in these two, which take the place of the owner's.
        let namespace = Namespace::current("the fabric")?;
        let route = Socket::open(NetlinkFamily::Route, "the fabric")?;
        let mut fabric = Self::without_nodes(namespace, route, Arc::clone(panics));
        fabric.attached = true;
        for change in &changes.list {
            if let Change::AddNode { at, hostname } = change {
                fabric.members.insert(at.id, Member::open(at, hostname, panics)?);
            }
        }
        Ok(fabric)
    }

    /// # Errors
    /// If another process owns the network.
    pub(crate) fn check_owned(&self) -> Result<()> {
        if !self.attached {
            return Ok(());
        }
        Err(Error::new(ErrorCode::InUse, "change the test's network in this process")
            .source("the test started this process from its own binary; the network belongs to the process in which the test began")
            .help("change the network and inject faults there, and here only run code in its nodes"))
    }

    /// Takes the namespace that the test is in as its own node, and changes nothing in it.
    pub(crate) fn adopt(&mut self) -> Result<()> {
        let at = NodeRef { id: NodeId::TEST, name: NODE.to_owned() };
        let member = Member::joined(&at, NODE, &self.panics)?;
        self.insert(at.id, member);
        logging::adopted(&at);
        Ok(())
    }

    pub(super) fn insert(&mut self, id: NodeId, member: Member) {
        member.executor.report_use_to(&self.used, id.0);
        snapshot::nodes::add(id, member.executor.namespace());
        if member.forwards {
            self.may_be_asking.insert(id);
        }
        self.members.insert(id, member);
    }

    /// What runs code in a node.
    pub(crate) fn executor(&self, id: NodeId) -> Option<&Arc<NodeExecutor>> {
        Some(&self.members.get(&id)?.executor)
    }

    /// Settings that this machine refused.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Adds a request, which is sent before [`flush`](Self::flush) returns.
    pub(super) fn queue(&mut self, to: Owner, request: Request) -> Result<()> {
        if self.requests.to != Some(to) {
            self.flush()?;
            self.requests.to = Some(to);
        }
        self.requests.requests.push(request);
        Ok(())
    }

    /// Sends the requests that wait.
    pub(super) fn flush(&mut self) -> Result<()> {
        let RequestQueue { to, requests } = std::mem::take(&mut self.requests);
        match to {
            None => Ok(()),
            Some(Owner::Fabric) => self.route.batch(&requests),
            // A node that was removed needs no request.
            Some(Owner::Node(id)) => {
                self.members.get_mut(&id).map_or(Ok(()), |member| member.route.batch(&requests))
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn visit<R>(&self, body: impl FnOnce() -> R) -> R {
        self.namespace.enter(body).unwrap()
    }

    pub(crate) fn member(&mut self, at: &NodeRef) -> Result<&mut Member> {
        self.members.get_mut(&at.id).ok_or_else(|| {
            Error::new(ErrorCode::Namespace, format!("use node {at}, which has been removed"))
        })
    }

    /// The endpoints of the connections that a router tracks.
    pub(crate) fn translated(&mut self, at: &NodeRef) -> Result<Vec<Translated>> {
        rules::translated(self.member(at)?)
    }

    /// Keeps settings that were refused for [`note_unwritten`](Self::note_unwritten).
    pub(super) fn note(&mut self, unwritten: &[sysctl::Unwritten]) {
        for sysctl::Unwritten { key, value, cause } in unwritten {
            let setting = format!("{} to {value}", sysctl::name(key));
            if self.refused.insert(setting.clone()) {
                self.unnoted.entry(cause.to_string()).or_default().push(setting);
            }
        }
    }

    /// Adds a note about all settings that were refused for one cause since the last one.
    pub(super) fn note_unwritten(&mut self) {
        for (cause, settings) in std::mem::take(&mut self.unnoted) {
            let s = if settings.len() == 1 { "" } else { "s" };
            self.add_note(format!("could not set the sysctl{s} {}: {cause}", settings.join(", ")));
        }
    }

    /// Adds a note and prints it, each once.
    pub(crate) fn add_note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            eprintln!("nstest: note: {note}");
            self.notes.push(note);
        }
    }
}

/// Removes what a process that built the network, and has ended, left in the test's own
/// namespace and under its names. The kernel removes these interfaces by itself, but later.
pub(crate) fn remove_remains() -> Result<()> {
    for name in fs::read_dir(NETNS).into_iter().flatten().flatten() {
        let path = name.path();
        if path.is_symlink() && !path.exists() {
            // It fails for another user; then the network is built without this name.
            let _ = fs::remove_file(path);
        }
    }
    let mut socket = Socket::open(NetlinkFamily::Route, "the test")?;
    for interface in link::list(&mut socket)? {
        // The name and the index may be others, and the test may have given the MAC address.
        let slot = interface.index.checked_sub(interface_index(0));
        let is_named = slot.is_some_and(|slot| interface.name == format!("eth{slot}"));
        if is_named || interface.mac.is_some_and(|mac| mac.is_of_node(NodeId::TEST.0)) {
            // It fails if the kernel has been faster.
            let _ = socket.request(&link::delete(interface.index));
        }
    }
    Ok(())
}
