//! Splices the wire in at the end of a link.
//!
//! One filter for each direction redirects the frames of the link end's device to the
//! hidden devices, before any filter that forwards them. The change is between one frame
//! and the next: none is lost, duplicated or reordered. The first frames wait until those
//! that were forwarded directly have arrived. The wire stays until the link goes, because
//! removing a wire under load would reorder frames.

use std::sync::Arc;
use std::time::{Duration, Instant};

use litemap::LiteMap;
use nix::errno::Errno;

use super::base::Fabric;
use super::request_queue::Owner;
use super::splice_state::{SpliceState, filters_from_wire, filters_to_wire};
use crate::error::Result;
use crate::frame::Stage;
use crate::netlink::bpf_filter;
use crate::netlink::link::{self, NewLink};
use crate::netlink::u32_filter::Match;
use crate::netlink::{NetlinkFamily, Request, Socket, qdisc, refusal};
use crate::node::softnet;
use crate::sync::lock;
use crate::topology::spec::LinkEndId;
use crate::wire::{FastPaths, HiddenPair, MAX_SHORT, SharedStage, Wire};

/// A VLAN tag and the Ethernet header.
const HEADERS: usize = 18;

/// The longest time for which RTNL is kept busy, so that the ring of a wire comes sooner.
const KEEPS_RTNL: Duration = Duration::from_millis(3);

impl Fabric {
    /// Shows every frame of a link end, in both directions, to a stage, in place of its
    /// present stage. It holds for frames that arrive after the call. All wires wait while
    /// a stage is locked.
    pub(crate) fn splice(&mut self, end: LinkEndId, stage: SharedStage) -> Result<()> {
        self.splice_in(end, stage).map_err(|error| self.as_removed(end, error))
    }

    fn splice_in(&mut self, end: LinkEndId, stage: SharedStage) -> Result<()> {
        self.flush()?;
        self.begin_wire()?;
        if self.wire().stage(end.ifindex()).is_some() {
            self.attach(end, &stage)?;
            return self.direct(end, &*lock(&stage));
        }
        let pair = HiddenPair::of(end.ifindex());
        let created = self.create_pair(end, pair);
        let prepared = created.and_then(|()| self.attach(end, &stage));
        if let Err(error) = prepared.and_then(|()| self.await_wire()) {
            if let Some(wire) = &self.splices.wire {
                wire.detach(end.ifindex());
            }
            // The first error is the one to report.
            let _ = self.route.request(&link::delete(pair.outer));
            return Err(error);
        }
        self.update_fast_paths();
        // While the stage is locked, the wire keeps the frames that it gets. Its thread may
        // run on another processor than the one with the queue that older frames are in.
        let stage = lock(&stage);
        self.direct(end, &*stage)?;
        softnet::flush(std::thread::yield_now);
        Ok(())
    }

    /// Starts the wire, if it is not there yet. Its ring takes a while, so this comes before all
    /// else that a fault needs.
    pub(crate) fn begin_wire(&mut self) -> Result<()> {
        if self.splices.wire.is_none() {
            self.splices.wire = Some(Wire::start(self.namespace.enter(Wire::open)??)?);
        }
        Ok(())
    }

    /// Waits until the wire takes frames. If its ring is not there yet, RTNL is kept busy for a
    /// moment, so that it comes sooner.
    fn await_wire(&mut self) -> Result<()> {
        let awaited = self.await_capture();
        if awaited.is_err() {
            self.splices.wire = None; // the next fault tries again
        }
        awaited
    }

    fn await_capture(&mut self) -> Result<()> {
        if self.wire().captures()? {
            return Ok(());
        }
        let begin = Instant::now();
        let open = || Socket::open(NetlinkFamily::Route, "the fabric");
        let mut busy = self.namespace.enter(open)??;
        let requests = link::requests_without_effect();
        while begin.elapsed() < KEEPS_RTNL {
            busy.send_only(&requests)?;
            if self.wire().captures()? {
                return Ok(());
            }
        }
        self.wire().await_capture()
    }

    /// Adapts how frames arrive to what the stage of a link end needs now. Nothing arrives if a
    /// program has deleted the link.
    pub(crate) fn refresh(&mut self, end: LinkEndId) -> Result<()> {
        self.flush()?;
        let wire = self.splices.wire.as_ref();
        let Some(stage) = wire.and_then(|wire| wire.stage(end.ifindex())) else { return Ok(()) };
        let needs = lock(&stage).needs_segments();
        let attached = match self.splices.segments.get(&end) {
            Some(segments) if *segments == needs => Ok(()),
            _ => self.attach(end, &stage),
        };
        let result = attached.and_then(|()| self.direct(end, &*lock(&stage)));
        match result {
            Err(error) if refusal(&error) == Some(Errno::ENODEV) => Ok(()),
            result => result,
        }
    }

    /// As [`refresh`](Self::refresh), when the MTU of the link has changed.
    pub(super) fn adapt_to_mtu(&mut self, end: LinkEndId) -> Result<()> {
        self.splices.segments.remove(&end);
        self.refresh(end)
    }

    /// Leads the frames that a stage is to see to the wire.
    fn direct(&mut self, end: LinkEndId, stage: &dyn Stage) -> Result<()> {
        let discovery = stage.discovery();
        if self.splices.discovery.get(&end) != Some(&discovery) {
            let filters = filters_to_wire(HiddenPair::of(end.ifindex()), &discovery);
            self.route.batch(&filters.map(|filter| bpf_filter::set(&filter)))?;
            self.splices.discovery.insert(end, discovery);
        }
        Ok(())
    }

    /// Tells the wire which frames have a fast path now.
    pub(super) fn update_fast_paths(&self) {
        let SpliceState { wire: Some(wire), down, .. } = &self.splices else { return };
        let mut fast_paths = LiteMap::<u32, FastPaths>::new();
        for (end, matches, to) in self.forwarding.fast_paths() {
            if down.contains(&end) {
                continue;
            }
            let address = match matches {
                Match::All => None,
                Match::Destination(mac) => Some(mac),
            };
            fast_paths.entry(end.ifindex()).or_default().push((address, to));
        }
        wire.set_fast_paths(fast_paths);
    }

    /// Deletes the device of a link end, and the hidden devices that it may have.
    pub(super) fn delete_link_end(&mut self, end: LinkEndId) -> Result<()> {
        self.forwarding.forget(end);
        self.splices.down.remove(&end);
        self.update_fast_paths();
        let hidden = self.unsplice(end);
        let all = hidden.into_iter().chain([link::delete(end.ifindex())]);
        all.into_iter().try_for_each(|request| self.queue(Owner::Fabric, request))
    }

    /// Takes the wire away from a link end that is to be deleted: the request that deletes
    /// its hidden devices.
    fn unsplice(&mut self, end: LinkEndId) -> Option<Request> {
        let wire = self.splices.wire.as_ref()?;
        wire.stage(end.ifindex())?;
        wire.detach(end.ifindex());
        self.splices.discovery.remove(&end);
        self.splices.segments.remove(&end);
        Some(link::delete(HiddenPair::of(end.ifindex()).outer))
    }

    /// Waits until all frames that were sent before have met their faults: [`Wire::settle`].
    pub(crate) fn settle_wire(&self) {
        if let Some(wire) = &self.splices.wire {
            wire.settle();
        }
    }

    /// Ends the wire, when the test has ended.
    pub(crate) fn end_wire(&mut self) {
        if let Some(wire) = &mut self.splices.wire {
            wire.end();
        }
    }

    /// What has failed on the wire.
    pub(crate) fn wire_failure(&self) -> Option<String> {
        self.splices.wire.as_ref()?.failure()
    }

    fn wire(&mut self) -> &mut Wire {
        self.splices.wire.as_mut().expect("a wire that has been spliced is there")
    }

    /// Creates the hidden devices of a link end and their filters. No frame is redirected
    /// to them yet.
    fn create_pair(&mut self, end: LinkEndId, pair: HiddenPair) -> Result<()> {
        let (outer, inner) = (pair.outer_name(), pair.inner_name());
        // No frame is too long for them, whatever the MTU of the link.
        let mtu = Some(link::MAX_MTU);
        let near = NewLink { index: Some(pair.outer), mtu, ..NewLink::named(&outer) };
        let far = NewLink { index: Some(pair.inner), mtu, ..NewLink::named(&inner) };
        let mut requests = vec![
            link::veth(&near, &far).described(format!("make the wire of link end {end}")),
            qdisc::clsact(pair.outer),
            qdisc::clsact(pair.inner),
        ];
        requests.extend(self.forwarding.prepare(end));
        requests.extend(filters_from_wire(pair).map(|filter| bpf_filter::set(&filter)));
        requests.push(link::set(pair.inner).up().request());
        self.route.batch(&requests)?;
        for device in [pair.outer, pair.inner] {
            link::flush_carrier(&mut self.route, device)?;
        }
        Ok(())
    }

    /// Lets frames arrive as the stage needs them, and shows them to it.
    fn attach(&mut self, end: LinkEndId, stage: &SharedStage) -> Result<()> {
        let segments = lock(stage).needs_segments();
        let mtu = link::get(&mut self.route, end.ifindex())?.mtu as usize;
        let is_long = mtu + HEADERS > MAX_SHORT;
        let namespace = self.namespace.clone();
        let wire = self.wire();
        if (!segments || is_long) && wire.lacks_long_ring() {
            wire.want_long_ring(move || namespace.enter(Wire::open_long)?);
        }
        if is_long {
            wire.await_long_ring()?;
        }
        wire.attach(end.ifindex(), Arc::clone(stage), segments)?;
        self.splices.segments.insert(end, segments);
        Ok(())
    }
}
