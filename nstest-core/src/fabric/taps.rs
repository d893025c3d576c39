//! Splicing the wire into a port.
//!
//! One filter for each direction leads the port's frames into the hidden devices,
//! before any filter that forwards them: from one frame to the next, with none lost,
//! sent twice or overtaken. The wire stays until the port goes: what is still inside
//! would be overtaken by what does not go in any more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Fabric;
use super::queue::Owner;
use crate::error::Result;
use crate::frame::Direction;
use crate::netlink::bpf_filter::{self, BpfFilter, ClsactHook, FilterAction, MarkMatch};
use crate::netlink::link::{self, NewLink};
use crate::netlink::u32_filter::Match;
use crate::netlink::{Request, qdisc};
use crate::topology::spec::LinkEndId;
use crate::wire::{Ends, SHORT, Shared, Ways, Wire};

/// The wire, once there is one. A test without faults has none, and pays for none.
#[derive(Debug, Default)]
pub(super) struct Taps {
    wire: Option<Wire>,
    /// Ports that are down: nothing that their nodes have sent goes on.
    pub(super) pulled: BTreeSet<LinkEndId>,
    /// Ports that have a qdisc.
    pub(super) shaped: BTreeSet<LinkEndId>,
}

/// So that no frame is too long for a hidden device, whatever the port's MTU.
const MTU: u32 = 65535;

/// A VLAN tag and the Ethernet header.
const HEADERS: usize = 18;

impl Fabric {
    /// Has every frame of a port, in both directions, pass a stage, in place of the
    /// one that it may pass already. In force for what comes in after the call. All wires
    /// wait while a stage is locked.
    pub(crate) fn splice(&mut self, port: LinkEndId, stage: Shared) -> Result<()> {
        self.flush()?;
        if self.taps.wire.is_none() {
            let opened = self.namespace.enter(Wire::open)??;
            self.taps.wire = Some(Wire::start(opened)?);
        }
        let spliced = self.wire().stage(port.ifindex()).is_some();
        if !spliced {
            let ends = Ends::of(port.ifindex());
            if let Err(error) = self.lay(port, ends) {
                // The first error is the one to report.
                let _ = self.route.request(&link::delete(ends.outer));
                return Err(error);
            }
        }
        self.provide(port, &stage)?;
        if spliced {
            return Ok(());
        }
        self.steer();
        let filters = lead_in(Ends::of(port.ifindex()));
        self.route.batch(&filters.map(|filter| bpf_filter::add(&filter)))
    }

    /// What a stage needs of its frames may have changed: has it so from here on.
    pub(crate) fn refresh(&mut self, port: LinkEndId) -> Result<()> {
        self.flush()?;
        let wire = self.taps.wire.as_ref();
        match wire.and_then(|wire| wire.stage(port.ifindex())) {
            Some(stage) => self.provide(port, &stage),
            None => Ok(()),
        }
    }

    /// Tells the wire which frames take the straight way, as things are now.
    pub(super) fn steer(&self) {
        let Taps { wire: Some(wire), pulled, shaped } = &self.taps else { return };
        let mut ways = BTreeMap::<u32, Ways>::new();
        for (port, matches, to) in self.joints.ways() {
            if pulled.contains(&port) || shaped.iter().any(|shaped| shaped.ifindex() == to) {
                continue;
            }
            let address = match matches {
                Match::All => None,
                Match::Destination(mac) => Some(mac),
            };
            ways.entry(port.ifindex()).or_default().push((address, to));
        }
        wire.steer(ways);
    }

    /// A port, with all that is there for its sake.
    pub(super) fn delete_port(&mut self, port: LinkEndId) -> Result<()> {
        self.joints.forget(port);
        self.taps.pulled.remove(&port);
        self.taps.shaped.remove(&port);
        self.steer();
        let hidden = self.unsplice(port);
        let all = hidden.into_iter().chain([link::delete(port.ifindex())]);
        all.into_iter().try_for_each(|request| self.queue(Owner::Fabric, request))
    }

    /// The port is about to go: the request that takes its hidden devices along.
    fn unsplice(&mut self, port: LinkEndId) -> Option<Request> {
        let wire = self.taps.wire.as_ref()?;
        wire.stage(port.ifindex())?;
        wire.detach(port.ifindex());
        Some(link::delete(Ends::of(port.ifindex()).outer))
    }

    /// Waits until what was sent before has met its faults: [`Wire::settle`].
    pub(crate) fn settle_wire(&self) {
        if let Some(wire) = &self.taps.wire {
            wire.settle();
        }
    }

    /// Nothing passes the wire any more, since the test has ended.
    pub(crate) fn end_wire(&mut self) {
        if let Some(wire) = &mut self.taps.wire {
            wire.end();
        }
    }

    /// What went wrong on the wire, if anything did.
    pub(crate) fn wire_failure(&self) -> Option<String> {
        self.taps.wire.as_ref()?.failure()
    }

    fn wire(&mut self) -> &mut Wire {
        self.taps.wire.as_mut().expect("a wire that has been spliced is there")
    }

    /// Makes the hidden devices, which lead back to the port, and nothing to them.
    fn lay(&mut self, port: LinkEndId, ends: Ends) -> Result<()> {
        let (outer, inner) = (ends.outer_name(), ends.inner_name());
        let near = NewLink { index: Some(ends.outer), mtu: Some(MTU), ..NewLink::named(&outer) };
        let far = NewLink { index: Some(ends.inner), mtu: Some(MTU), ..NewLink::named(&inner) };
        let mut requests = vec![
            link::veth(&near, &far).described(format!("make the wire of port {port}")),
            qdisc::clsact(ends.outer),
            qdisc::clsact(ends.inner),
        ];
        requests.extend(self.joints.prepare(port));
        requests.extend(lead_out(ends).map(|filter| bpf_filter::add(&filter)));
        requests.push(link::set(ends.inner).up().request());
        self.route.batch(&requests)?;
        for device in [ends.outer, ends.inner] {
            link::flush_carrier(&mut self.route, device)?;
        }
        Ok(())
    }

    /// Has frames come as the stage needs them, and to it.
    fn provide(&mut self, port: LinkEndId, stage: &Shared) -> Result<()> {
        let segments =
            stage.lock().unwrap_or_else(std::sync::PoisonError::into_inner).needs_segments();
        let mtu = link::get(&mut self.route, port.ifindex())?.mtu as usize;
        if !segments || mtu + HEADERS > SHORT {
            let wire = self.taps.wire.as_mut().expect("a wire that has been spliced is there");
            self.namespace.enter(|| wire.take_long_frames())??;
        }
        let wire = self.wire();
        wire.set_segments(port.ifindex(), segments)?;
        wire.attach(port.ifindex(), Arc::clone(stage), segments);
        Ok(())
    }
}

/// From the hidden devices: what the wire has let out goes to the port as if it came
/// in there; what the wire takes goes no further by itself.
fn lead_out(ends: Ends) -> [BpfFilter; 3] {
    let Ends { port, outer, inner } = ends;
    let mark = ends.mark(Direction::Egress);
    let hook = ClsactHook::Ingress;
    [
        BpfFilter {
            device: outer,
            hook,
            takes: MarkMatch::With(mark),
            fate: FilterAction::ReceivedOn(port),
        },
        BpfFilter {
            device: outer,
            hook,
            takes: MarkMatch::Without(mark),
            fate: FilterAction::Dropped,
        },
        BpfFilter {
            device: inner,
            hook,
            takes: MarkMatch::Without(mark),
            fate: FilterAction::Dropped,
        },
    ]
}

/// From the port to the hidden devices, all that the wire has not let out.
fn lead_in(ends: Ends) -> [BpfFilter; 2] {
    let Ends { port, outer, inner } = ends;
    let takes = |direction| MarkMatch::Without(ends.mark(direction));
    [
        BpfFilter {
            device: port,
            hook: ClsactHook::Ingress,
            takes: takes(Direction::Egress),
            fate: FilterAction::SentOn(outer),
        },
        BpfFilter {
            device: port,
            hook: ClsactHook::Egress,
            takes: takes(Direction::Ingress),
            fate: FilterAction::SentOn(inner),
        },
    ]
}
