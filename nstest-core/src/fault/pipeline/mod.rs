//! The pipeline: decides about each frame at a link end.
//!
//! A frame passes these steps in order: cuts and black holes, reset connections, the rules
//! in the order of their addition, the condition of its direction. A frame that one step
//! drops does not come to the next, and no later rule counts it. Conditions do not apply to
//! control traffic.

mod cuts;
pub(crate) mod earlier;
mod emit;
mod flows;
mod fragment_table;
mod line;
mod numbered;
mod resets;

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use self::cuts::Cuts;
use self::earlier::EarlierFlows;
use self::emit::{count_lost, emit_answer, emit_resets};
use self::flows::Flows;
use self::fragment_table::{DatagramId, FragmentTable};
use self::line::{Copies, Corruption, Line};
pub(crate) use self::numbered::RuleProgress;
use self::numbered::{Numbered, Taken};
use self::resets::{ResetDecision, Resets};
use super::action::Action;
use super::condition::Condition;
use super::conversation::Conversation;
use super::model::FaultTarget;
use super::packets::Packets;
use super::point::InjectionPoint;
use super::random::{Draw, Draws};
use super::receipt::Receipt;
use super::rule::{Packet, Rule, RuleAction};
use crate::frame::build;
use crate::frame::kind::{ControlKind, PacketKind};
use crate::frame::view::{PacketView, flag};
use crate::frame::{Direction, Discovery, Frame, Outlet, PacketEffect, Stage};

/// A rule of a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RuleId(u64);

/// Is called with each packet that is an injection point, before the decision about it.
pub(crate) type CensusHook = Box<dyn FnMut(Direction, &PacketView<'_>, &InjectionPoint) + Send>;

/// Is called for a [`RuleAction::Notify`], and for the first packet that a rule with
/// [`Rule::starts`] takes, with the number in there and the time.
pub(crate) type Listener = Box<dyn FnMut(u64, Instant) + Send>;

/// Is called with each packet that is not [`ControlKind::Unsolicited`], after the decision
/// about it, and with the time at which the last resulting frame leaves.
pub(crate) type TrafficListener = Box<dyn FnMut(Direction, &PacketView<'_>, Instant) + Send>;

/// The faults at one link end, and their state.
pub(crate) struct Pipeline {
    link: FaultTarget,
    lines: [Line; 2],
    rules: Vec<Numbered>,
    added: u64,
    earlier: EarlierFlows,
    flows: Flows,
    fragments: FragmentTable,
    resets: Resets,
    cuts: Cuts,
    census: Option<CensusHook>,
    counts: HashMap<(Direction, Conversation, PacketKind), u64>,
    listener: Option<Listener>,
    traffic: Option<TrafficListener>,
}

/// A packet that all rules let pass.
struct Passing {
    copies: Copies,
    /// The delay in addition to that of the condition.
    delay: Duration,
}

impl Pipeline {
    /// A pipeline without faults for the link `name` (`server`, or `server.eth1`). Random
    /// decisions follow only from `seed`, this name, the direction and the packets.
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        let line = |direction| Line::new(seed, name, direction);
        Self {
            link: FaultTarget::from(name),
            lines: Direction::BOTH.map(line),
            rules: Vec::new(),
            added: 0,
            earlier: EarlierFlows::default(),
            flows: Flows::default(),
            fragments: FragmentTable::default(),
            resets: Resets::default(),
            cuts: Cuts::default(),
            census: None,
            counts: HashMap::new(),
            listener: None,
            traffic: None,
        }
    }

    /// Sets the condition of a direction. It does not apply to packets that are in the queue
    /// or on the link.
    pub(crate) fn set_condition(
        &mut self,
        direction: Direction,
        condition: Option<(Condition, Receipt)>,
    ) {
        self.lines[index(direction)].set(condition);
    }

    /// Numbers the connections that passed before. To be called before the first frame.
    pub(crate) fn set_earlier(&mut self, earlier: EarlierFlows) {
        earlier.enter(&mut self.flows);
        self.earlier = earlier;
    }

    /// Why the connection of a packet filter cannot be found by its number, if it has one.
    pub(crate) fn connection_problem(&self, packets: &Packets) -> Option<String> {
        self.earlier.problem(packets)
    }

    /// Adds a rule after all others. It continues where it was at another link end.
    pub(crate) fn add(&mut self, rule: Rule, progress: RuleProgress) -> RuleId {
        self.added += 1;
        let id = RuleId(self.added);
        if progress.is_cut {
            self.cuts.cut(id, rule.receipt.clone());
        }
        for direction in progress.black_holes {
            self.cuts.blackhole(direction, id, rule.receipt.clone());
        }
        self.rules.push(Numbered::new(id, rule, progress.matched));
        id
    }

    /// How far a rule has come, if it exists.
    pub(crate) fn progress(&self, id: RuleId) -> Option<RuleProgress> {
        let numbered = self.rules.iter().find(|numbered| numbered.id == id)?;
        let (is_cut, black_holes) = self.cuts.of(id);
        Some(RuleProgress { matched: numbered.matched(), is_cut, black_holes })
    }

    /// Removes a rule, and ends its cuts and black holes. Connections that it reset stay
    /// reset. Returns whether the rule existed.
    pub(crate) fn remove(&mut self, id: RuleId) -> bool {
        let before = self.rules.len();
        self.rules.retain(|numbered| numbered.id != id);
        self.cuts.remove(id);
        self.rules.len() != before
    }

    /// Sets the census, and starts its counts again.
    pub(crate) fn set_census(&mut self, census: Option<CensusHook>) {
        self.census = census;
        self.counts.clear();
    }

    pub(crate) fn set_listener(&mut self, listener: Option<Listener>) {
        self.listener = listener;
    }

    pub(crate) fn set_traffic(&mut self, listener: TrafficListener) {
        self.traffic = Some(listener);
    }

    /// Shows the packet to the census if it is a point. Returns its conversation.
    fn observe(
        &mut self,
        direction: Direction,
        view: &PacketView<'_>,
        control: Option<ControlKind>,
    ) -> Option<Conversation> {
        // Connections are numbered from the first frame on, also before there is a rule.
        let is_needed = !self.rules.is_empty() || self.census.is_some();
        let begins = view.tcp().is_none_or(|tcp| tcp.has(flag::SYN));
        if control.is_some() || !(is_needed || begins) {
            return None;
        }
        let (flow, ends) = (view.flow().filter(|_| !view.is_later_fragment())?, view.ends()?);
        let conversation = self.flows.conversation(flow, ends, view);
        let Some(census) = &mut self.census else { return Some(conversation) };
        let kind = view.kind();
        if kind.is_point() && !self.flows.is_retransmission(flow, direction, view) {
            let count = self.counts.entry((direction, conversation, kind)).or_default();
            *count += 1;
            let point = InjectionPoint {
                link: self.link.clone(),
                direction,
                conversation,
                kind,
                nth: *count,
            };
            census(direction, view, &point);
        }
        Some(conversation)
    }

    /// Whether the packet is lost because its connection was reset. Then its sender, or
    /// both ends, get an RST.
    fn is_reset(
        &mut self,
        direction: Direction,
        view: &PacketView<'_>,
        now: Instant,
        out: &mut Outlet,
    ) -> bool {
        let (fault, onward) = match self.resets.decide(direction, view) {
            ResetDecision::Pass => return false,
            ResetDecision::ResetSender(fault) => (fault, None),
            ResetDecision::ResetBoth(fault) => (fault, build::reset_onward(view)),
        };
        let delay = self.lines[index(direction)].delay();
        out.note(fault, PacketEffect::Dropped);
        emit_resets(out, (direction, view), (now, delay), onward, fault);
        true
    }

    fn decide(
        &mut self,
        direction: Direction,
        (view, control): (&PacketView<'_>, Option<ControlKind>),
        now: Instant,
        out: &mut Outlet,
    ) {
        let draws = self.lines[index(direction)].draws(view, control.is_some());
        let datagram = self.fragments.note(direction, view);
        let followed_by = self.fragments.get(datagram).and_then(|datagram| datagram.followed_by);
        if let Some(receipt) = self.cuts.dropping(direction, control, followed_by) {
            out.note(receipt.number(), PacketEffect::Dropped);
            return count_lost(receipt, (view, control));
        }
        if self.is_reset(direction, view, now, out) {
            return;
        }
        let conversation = self.observe(direction, view, control);
        let packet = Packet { direction, view, control, conversation, ports: view.ports() };
        let passing = self.apply(packet, datagram, draws, now, out);
        let Some(Passing { copies, delay }) = passing else { return };
        let line = &mut self.lines[index(direction)];
        match control {
            None => {
                if let Some((_, receipt)) = &line.condition {
                    receipt.note_passed(view);
                }
                line.carry(view, draws, copies, (now, delay), out);
            }
            Some(_) => line.carry_unconditionally(view, copies, now + delay, out),
        }
    }

    /// Applies the rules to a packet; `None` if one of them drops it.
    fn apply(
        &mut self,
        mut packet: Packet<'_>,
        datagram: Option<DatagramId>,
        draws: Draws,
        now: Instant,
        out: &mut Outlet,
    ) -> Option<Passing> {
        let Packet { direction, view, control, .. } = packet;
        let mut datagram = self.fragments.get(datagram);
        if let Some(datagram) = datagram.as_deref_mut() {
            datagram.complete(&mut packet);
        }
        let mut passing = Passing { copies: Copies::default(), delay: Duration::ZERO };
        for numbered in &mut self.rules {
            let Some(taken) = numbered.take(&packet, datagram.as_deref_mut()) else {
                if control.is_none() && numbered.rule.concerns(direction) {
                    numbered.rule.receipt.note_passed(view);
                }
                continue;
            };
            let is_first = taken == Taken::Counted;
            if is_first {
                if let (Some(number), Some(listener)) = (numbered.begin(), &mut self.listener) {
                    listener(number, now);
                }
                numbered.rule.receipt.remember(|| view.to_string());
            }
            let (id, rule) = (numbered.id, &numbered.rule);
            let fault = rule.receipt.number();
            match &rule.action {
                RuleAction::Action(Action::Duplicate(copies)) => {
                    passing.copies.more += u32::from(*copies);
                    out.note(fault, PacketEffect::Duplicated);
                }
                RuleAction::Action(Action::Delay(delay)) => {
                    passing.delay += *delay;
                    out.note_delay(fault, *delay);
                }
                RuleAction::Notify(number) => {
                    if let Some(listener) = self.listener.as_mut().filter(|_| is_first) {
                        listener(*number, now);
                    }
                }
                RuleAction::Action(Action::Corrupt) => {
                    if is_first {
                        let draw = draws.bits(Draw::CorruptBit);
                        passing.copies.corrupt = Some(Corruption { draw, fault });
                    }
                }
                RuleAction::Action(lost) => {
                    if !rule.then {
                        out.note(fault, PacketEffect::Dropped);
                    }
                    if is_first {
                        count_lost(&rule.receipt, (view, control));
                        let packet = (direction, view);
                        match lost {
                            Action::Reject(why) => {
                                let answer = build::unreachable(view, *why);
                                emit_answer(out, now, direction, answer, fault);
                            }
                            Action::Mtu { mtu, notify: true } => {
                                let answer = build::too_big(view, *mtu);
                                emit_answer(out, now, direction, answer, fault);
                            }
                            Action::Reset => {
                                let (at, onward) = match rule.then {
                                    true => (now + resets::PATIENCE, build::reset_after(view)),
                                    false => (now, build::reset_onward(view)),
                                };
                                let delay = self.lines[index(direction)].delay();
                                emit_resets(out, packet, (at, delay), onward, fault);
                                let receipt = rule.receipt.clone();
                                self.resets.insert(packet, rule.then, &self.flows, receipt);
                            }
                            Action::Blackhole => {
                                self.cuts.blackhole(direction, id, rule.receipt.clone());
                            }
                            Action::Cut => self.cuts.cut(id, rule.receipt.clone()),
                            _ => {}
                        }
                    }
                    if !rule.then {
                        return None;
                    }
                    if let Some(datagram) = datagram.as_deref_mut().filter(|_| is_first) {
                        datagram.followed_by = Some(id);
                    }
                    continue;
                }
            }
            if is_first {
                rule.receipt.count(view);
            }
        }
        Some(passing)
    }
}

impl Stage for Pipeline {
    fn pass(&mut self, direction: Direction, frame: Frame<'_>, now: Instant, out: &mut Outlet) {
        let view = PacketView::of(frame);
        let control = view.control();
        self.decide(direction, (&view, control), now, out);
        // A node that solicits a neighbour has a packet to send.
        let counts = control != Some(ControlKind::Unsolicited);
        if let Some(traffic) = self.traffic.as_mut().filter(|_| counts) {
            let emitted = out.emissions.iter().map(|emission| emission.at);
            let sent = out.forward.iter().copied().chain(emitted).fold(now, Instant::max);
            traffic(direction, &view, sent);
        }
    }

    fn discovery(&self) -> Discovery {
        let rules = self.rules.iter().map(|numbered| numbered.rule.discovery());
        rules.fold(Discovery::NONE, Discovery::and)
    }

    fn needs_segments(&self) -> bool {
        let condition =
            |line: &Line| line.condition.as_ref().is_some_and(|(c, _)| c.is_per_packet());
        // Exploration adds rules for single packets later. Asking for segments from the
        // start saves the ring for frames before segmentation.
        self.census.is_some()
            || self.traffic.is_some()
            || !self.resets.is_empty()
            || self.lines.iter().any(condition)
            || self.rules.iter().any(|numbered| numbered.rule.is_per_packet())
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline").field("link", &self.link).finish_non_exhaustive()
    }
}

fn index(direction: Direction) -> usize {
    match direction {
        Direction::Egress => 0,
        Direction::Ingress => 1,
    }
}
