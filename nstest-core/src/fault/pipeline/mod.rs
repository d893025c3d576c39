//! The pipeline: decides about each frame at a link end.
//!
//! A frame passes these stages in order: cuts and black holes, reset connections, the rules
//! in the order of their addition, the condition of its direction. A frame that one stage
//! drops does not come to the next, and no later rule counts it. Conditions do not apply to
//! control traffic.

mod flows;
mod line;

use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, Instant};

use self::flows::Flows;
use self::line::{Copies, Line};
use super::action::Action;
use super::condition::Condition;
use super::model::FaultTarget;
use super::point::{Conversation, InjectionPoint};
use super::random::{Draw, Draws};
use super::receipt::Receipt;
use super::rule::{Rule, RuleAction};
use crate::frame::build;
use crate::frame::flow::Flow;
use crate::frame::kind::{ControlKind, PacketKind};
use crate::frame::view::{PacketView, flag};
use crate::frame::{Direction, Discovery, Emission, Outlet, Stage};

/// A rule of a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RuleId(u64);

/// Is called with each packet that is an injection point, before the decision about it.
pub(crate) type CensusHook = Box<dyn FnMut(Direction, &PacketView<'_>, &InjectionPoint) + Send>;

/// Is called for a [`RuleAction::Notify`] with its number and the time.
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
    flows: Flows,
    /// The connections that are reset whenever one of their ends sends.
    reset: HashMap<Flow, ResetConnection>,
    cut: Cut,
    census: Option<CensusHook>,
    counts: HashMap<(Direction, Conversation, PacketKind), u64>,
    listener: Option<Listener>,
    traffic: Option<TrafficListener>,
}

struct Numbered {
    id: RuleId,
    rule: Rule,
    matched: u64,
}

/// A connection that a rule has reset.
struct ResetConnection {
    /// The sequence number of its SYN, if the SYN passed here.
    opened: Option<u32>,
    receipt: Receipt,
}

/// Directions in which everything is dropped, each with the rule that caused it.
#[derive(Default)]
struct Cut {
    all: Option<(RuleId, Receipt)>,
    blackholed: [Option<(RuleId, Receipt)>; 2],
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
            flows: Flows::default(),
            reset: HashMap::new(),
            cut: Cut::default(),
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

    /// Adds a rule after all others.
    pub(crate) fn add(&mut self, rule: Rule) -> RuleId {
        self.added += 1;
        let id = RuleId(self.added);
        self.rules.push(Numbered { id, rule, matched: 0 });
        id
    }

    /// Removes a rule, and ends its cuts and black holes. Connections that it reset stay
    /// reset. Returns whether the rule existed.
    pub(crate) fn remove(&mut self, id: RuleId) -> bool {
        let before = self.rules.len();
        self.rules.retain(|numbered| numbered.id != id);
        let of_it = |cut: &Option<(RuleId, Receipt)>| cut.as_ref().is_some_and(|(by, _)| *by == id);
        for cut in self.cut.blackholed.iter_mut().chain([&mut self.cut.all]) {
            if of_it(cut) {
                *cut = None;
            }
        }
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
        if control.is_some() || (self.rules.is_empty() && self.census.is_none()) {
            return None;
        }
        let (flow, ends) = (view.flow()?, view.ends()?);
        let conversation = self.flows.conversation(flow, ends, view);
        let kind = view.kind();
        let is_point = kind.is_point() && !self.flows.is_retransmission(flow, direction, view);
        if let Some(census) = self.census.as_mut().filter(|_| is_point) {
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

    /// Whether a cut or a black hole drops the packet.
    fn is_cut(&self, direction: Direction, control: Option<ControlKind>) -> bool {
        let half = self.cut.blackholed[index(direction)].as_ref().filter(|_| control.is_none());
        match self.cut.all.as_ref().or(half) {
            None => false,
            Some((_, receipt)) => {
                count_lost(receipt, control);
                true
            }
        }
    }

    /// Whether the packet belongs to a connection that was reset. Then its sender gets
    /// another RST. A new connection with the same addresses and ports is not reset.
    fn is_reset(
        &mut self,
        direction: Direction,
        view: &PacketView<'_>,
        now: Instant,
        out: &mut Outlet,
    ) -> bool {
        if self.reset.is_empty() {
            return false;
        }
        let (Some(flow), Some(tcp)) = (view.flow(), view.tcp()) else { return false };
        let Some(connection) = self.reset.get(&flow) else { return false };
        let is_first = tcp.has(flag::SYN) && !tcp.has(flag::ACK);
        if is_first && connection.opened != Some(tcp.seq) {
            self.reset.remove(&flow);
            return false;
        }
        connection.receipt.count_one();
        emit(out, now, direction.reverse(), build::reset_answer(view));
        true
    }

    fn decide(
        &mut self,
        direction: Direction,
        (view, control): (&PacketView<'_>, Option<ControlKind>),
        now: Instant,
        out: &mut Outlet,
    ) {
        let draws = self.lines[index(direction)].draws(control.is_some());
        if self.is_cut(direction, control) || self.is_reset(direction, view, now, out) {
            return;
        }
        let Some(passing) = self.apply(direction, (view, control), draws, now, out) else { return };
        let Passing { copies, delay } = passing;
        let line = &mut self.lines[index(direction)];
        match control {
            None => line.carry(view, draws, copies, (now, delay), out),
            Some(_) => line.carry_unconditionally(view, copies, now + delay, out),
        }
    }

    /// Applies the rules to a packet; `None` if one of them drops it.
    fn apply(
        &mut self,
        direction: Direction,
        (view, control): (&PacketView<'_>, Option<ControlKind>),
        draws: Draws,
        now: Instant,
        out: &mut Outlet,
    ) -> Option<Passing> {
        let conversation = self.observe(direction, view, control);
        let mut passing = Passing { copies: Copies::default(), delay: Duration::ZERO };
        for numbered in &mut self.rules {
            let rule = &numbered.rule;
            let is_connection = rule.packets.connection.is_none_or(|nth| {
                conversation.is_some_and(|conversation| {
                    conversation.nth == nth
                        && rule.packets.port.is_none_or(|port| conversation.port == Some(port))
                })
            });
            if !is_connection || !rule.matches(direction, view, control) {
                continue;
            }
            let is_whole = matches!(rule.action, RuleAction::Action(Action::Mtu { mtu, .. }) if fits(view, mtu));
            if is_whole {
                continue;
            }
            numbered.matched += 1;
            if !rule.occurrence.includes(numbered.matched) {
                continue;
            }
            let (id, receipt) = (numbered.id, &rule.receipt);
            receipt.remember(|| view.to_string());
            let back = direction.reverse();
            match &rule.action {
                RuleAction::Notify(number) => {
                    if let Some(listener) = &mut self.listener {
                        listener(*number, now);
                    }
                }
                RuleAction::Action(Action::Duplicate(copies)) => {
                    passing.copies.more += u32::from(*copies);
                }
                RuleAction::Action(Action::Delay(delay)) => passing.delay += *delay,
                RuleAction::Action(Action::Corrupt) => {
                    passing.copies.corrupt = Some(draws.bits(Draw::CorruptBit));
                }
                RuleAction::Action(lost) => {
                    count_lost(receipt, control);
                    match lost {
                        Action::Reject(why) => emit(out, now, back, build::unreachable(view, *why)),
                        Action::Mtu { mtu, notify: true } => {
                            emit(out, now, back, build::too_big(view, *mtu));
                        }
                        Action::Reset => {
                            emit(out, now, back, build::reset_answer(view));
                            // After the packets that are already on the link.
                            let at = now + self.lines[index(direction)].delay();
                            let onward = match rule.then {
                                true => build::reset_after(view),
                                false => build::reset_onward(view),
                            };
                            emit(out, at, direction, onward);
                            if let (Some(flow), Some(tcp)) = (view.flow(), view.tcp()) {
                                let first = tcp.has(flag::SYN) && !tcp.has(flag::ACK);
                                let opened = first.then_some(tcp.seq);
                                let opened = opened.or_else(|| self.flows.opened(flow));
                                let connection =
                                    ResetConnection { opened, receipt: receipt.clone() };
                                self.reset.insert(flow, connection);
                            }
                        }
                        Action::Blackhole => {
                            self.cut.blackholed[index(direction)] = Some((id, receipt.clone()));
                        }
                        Action::Cut => self.cut.all = Some((id, receipt.clone())),
                        _ => {}
                    }
                    if rule.then {
                        continue;
                    }
                    return None;
                }
            }
            receipt.count_one();
        }
        Some(passing)
    }
}

impl Stage for Pipeline {
    fn pass(&mut self, direction: Direction, frame: &[u8], now: Instant, out: &mut Outlet) {
        let view = PacketView::parse(frame);
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
            || !self.reset.is_empty()
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

/// Whether a packet passes a link of this MTU, whole or in fragments.
fn fits(view: &PacketView<'_>, mtu: u32) -> bool {
    view.ip.as_ref().is_none_or(|ip| ip.total_len <= mtu as usize || !ip.dont_fragment)
}

fn count_lost(receipt: &Receipt, control: Option<ControlKind>) {
    if control != Some(ControlKind::Unsolicited) {
        receipt.count_one();
    }
}

fn emit(out: &mut Outlet, at: Instant, direction: Direction, frame: Option<Vec<u8>>) {
    out.emissions.extend(frame.map(|frame| Emission { at, direction, frame }));
}
