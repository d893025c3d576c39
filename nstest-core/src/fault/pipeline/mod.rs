//! The end of a link, where it is decided what becomes of each frame.
//!
//! A frame meets, in this order: what is cut already, the connections that were
//! reset, the rules in the order in which they were added, the condition of its
//! direction. What a rule lets pass meets the next; what it takes away, nothing
//! else, and no later rule counts it.

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
use crate::frame::{Direction, Emission, Outlet, Stage};

/// A rule of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RuleId(u64);

/// Is shown every packet that is a point, before anything happens to it.
pub(crate) type Census = Box<dyn FnMut(Direction, &PacketView<'_>, &InjectionPoint) + Send>;

/// Is told of a [`RuleAction::Tell`]: its number, and when.
pub(crate) type Listener = Box<dyn FnMut(u64, Instant) + Send>;

/// Is called with each packet that is not [`ControlKind::Unsolicited`], after the decision
/// about it, and with the time at which the last resulting frame leaves.
pub(crate) type TrafficListener = Box<dyn FnMut(Direction, &PacketView<'_>, Instant) + Send>;

/// What there is to decide at one end of a link.
pub(crate) struct Pipeline {
    link: FaultTarget,
    lines: [Line; 2],
    rules: Vec<Numbered>,
    added: u64,
    flows: Flows,
    /// Connections that are reset whenever they send.
    reset: HashMap<Flow, Dead>,
    cut: Cut,
    census: Option<Census>,
    counts: HashMap<(Direction, Conversation, PacketKind), u64>,
    listener: Option<Listener>,
    traffic: Option<TrafficListener>,
}

struct Numbered {
    id: RuleId,
    rule: Rule,
    matched: u64,
}

/// A connection that was reset, and on whose account.
struct Dead {
    /// The first sequence number of the connection, if it was seen.
    opened: Option<u32>,
    receipt: Receipt,
}

/// Directions in which nothing passes any more, and on whose account.
#[derive(Default)]
struct Cut {
    all: Option<(RuleId, Receipt)>,
    half: [Option<(RuleId, Receipt)>; 2],
}

/// What the rules leave of a packet.
struct Passing {
    copies: Copies,
    /// Held back on top of the condition.
    held: Duration,
}

impl Pipeline {
    /// A port of the link `name` (`server`, or `server.eth1`), with nothing wrong.
    /// Chance comes from `seed`, this name, the direction and the packets only.
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

    /// What the link is like in a direction from now on. What is on its way or in
    /// the queue stays what it is.
    pub(crate) fn set_condition(
        &mut self,
        direction: Direction,
        condition: Option<(Condition, Receipt)>,
    ) {
        self.lines[index(direction)].set(condition);
    }

    /// A rule behind all others.
    pub(crate) fn add(&mut self, rule: Rule) -> RuleId {
        self.added += 1;
        let id = RuleId(self.added);
        self.rules.push(Numbered { id, rule, matched: 0 });
        id
    }

    /// Takes a rule away, with what it has cut; whether there was one. Connections
    /// that it reset stay so.
    pub(crate) fn remove(&mut self, id: RuleId) -> bool {
        let before = self.rules.len();
        self.rules.retain(|numbered| numbered.id != id);
        let of_it = |cut: &Option<(RuleId, Receipt)>| cut.as_ref().is_some_and(|(by, _)| *by == id);
        for cut in self.cut.half.iter_mut().chain([&mut self.cut.all]) {
            if of_it(cut) {
                *cut = None;
            }
        }
        self.rules.len() != before
    }

    /// Who is shown every packet that is a point. Counting starts anew.
    pub(crate) fn set_census(&mut self, census: Option<Census>) {
        self.census = census;
        self.counts.clear();
    }

    pub(crate) fn set_listener(&mut self, listener: Option<Listener>) {
        self.listener = listener;
    }

    pub(crate) fn set_traffic(&mut self, listener: TrafficListener) {
        self.traffic = Some(listener);
    }

    /// The packet as a point, and its conversation.
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
        let conversation = self.flows.of(flow, ends, view);
        let kind = view.kind();
        let is_point = kind.is_point() && !self.flows.is_sent_again(flow, direction, view);
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

    /// Whether the packet ends at a cut.
    fn is_cut(&self, direction: Direction, control: Option<ControlKind>) -> bool {
        let half = self.cut.half[index(direction)].as_ref().filter(|_| control.is_none());
        match self.cut.all.as_ref().or(half) {
            None => false,
            Some((_, receipt)) => {
                touch_lost(receipt, control);
                true
            }
        }
    }

    /// Whether the packet is of a connection that was reset: then its sender is
    /// told again. A new connection of the same addresses and ports is none.
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
        let Some(dead) = self.reset.get(&flow) else { return false };
        let is_first = tcp.has(flag::SYN) && !tcp.has(flag::ACK);
        if is_first && dead.opened != Some(tcp.seq) {
            self.reset.remove(&flow);
            return false;
        }
        dead.receipt.touch();
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
        let Passing { copies, held } = passing;
        self.lines[index(direction)].carry((view, control), draws, copies, now + held, out);
    }

    /// What the rules make of a packet; `None` if it ends here.
    fn apply(
        &mut self,
        direction: Direction,
        (view, control): (&PacketView<'_>, Option<ControlKind>),
        draws: Draws,
        now: Instant,
        out: &mut Outlet,
    ) -> Option<Passing> {
        let conversation = self.observe(direction, view, control);
        let mut passing = Passing { copies: Copies::default(), held: Duration::ZERO };
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
            if !rule.occurrence.takes(numbered.matched) {
                continue;
            }
            let (id, receipt) = (numbered.id, &rule.receipt);
            receipt.remember(|| view.to_string());
            let back = direction.reverse();
            match &rule.action {
                RuleAction::Tell(number) => {
                    if let Some(listener) = &mut self.listener {
                        listener(*number, now);
                    }
                }
                RuleAction::Action(Action::Duplicate(copies)) => {
                    passing.copies.more += u32::from(*copies);
                }
                RuleAction::Action(Action::Delay(delay)) => passing.held += *delay,
                RuleAction::Action(Action::Corrupt) => {
                    passing.copies.corrupt = Some(draws.bits(Draw::CorruptBit));
                }
                RuleAction::Action(lost) => {
                    touch_lost(receipt, control);
                    match lost {
                        Action::Reject(why) => emit(out, now, back, build::unreachable(view, *why)),
                        Action::Mtu { mtu, told: true } => {
                            emit(out, now, back, build::too_big(view, *mtu));
                        }
                        Action::Reset => {
                            emit(out, now, back, build::reset_answer(view));
                            // Behind what is on its way already.
                            let at = now + self.lines[index(direction)].length();
                            let onward = match rule.passes {
                                true => build::reset_after(view),
                                false => build::reset_onward(view),
                            };
                            emit(out, at, direction, onward);
                            if let (Some(flow), Some(tcp)) = (view.flow(), view.tcp()) {
                                let first = tcp.has(flag::SYN) && !tcp.has(flag::ACK);
                                let opened = first.then_some(tcp.seq);
                                let opened = opened.or_else(|| self.flows.opened(flow));
                                let dead = Dead { opened, receipt: receipt.clone() };
                                self.reset.insert(flow, dead);
                            }
                        }
                        Action::Blackhole => {
                            self.cut.half[index(direction)] = Some((id, receipt.clone()));
                        }
                        Action::Cut => self.cut.all = Some((id, receipt.clone())),
                        _ => {}
                    }
                    if rule.passes {
                        continue;
                    }
                    return None;
                }
            }
            receipt.touch();
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

    fn needs_segments(&self) -> bool {
        let condition =
            |line: &Line| line.condition.as_ref().is_some_and(|(c, _)| c.is_per_packet());
        // What is explored is one packet each: said before any rule is there, this
        // saves a ring for frames that are yet to be cut.
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

/// Whether a packet gets through a link of this MTU, as it is or in fragments.
fn fits(view: &PacketView<'_>, mtu: u32) -> bool {
    view.ip.as_ref().is_none_or(|ip| ip.total_len <= mtu as usize || !ip.dont_fragment)
}

fn touch_lost(receipt: &Receipt, control: Option<ControlKind>) {
    if control != Some(ControlKind::Unsolicited) {
        receipt.touch();
    }
}

fn emit(out: &mut Outlet, at: Instant, direction: Direction, frame: Option<Vec<u8>>) {
    out.emissions.extend(frame.map(|frame| Emission { at, direction, frame }));
}
