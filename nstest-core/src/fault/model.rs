//! Faults as data: target, packets, effect and schedule.

use std::fmt;
use std::time::Duration;

use super::action::Action;
use super::condition::Condition;
use super::occurrence::Occurrence;
use super::packets::Packets;
use super::partition::Partition;
use super::receipt::Receipt;
use super::rule::{Rule, RuleAction};
use super::schedule::FaultSchedule;
use crate::error::{Error, ErrorCode};
use crate::frame::Direction;

/// The target of a fault: one link, or the whole network.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FaultTarget {
    /// The link of a node. If the node has several, the interface selects one.
    Link {
        /// The name of the node.
        node: String,
        /// The name of its interface.
        interface: Option<String>,
    },
    /// The whole network, written `*`. Partitions have this target.
    Net,
}

impl From<&str> for FaultTarget {
    /// `server`, `server.eth1`, or `*`.
    fn from(text: &str) -> Self {
        if text == "*" {
            return Self::Net;
        }
        let (node, interface) = text.split_once('.').map_or((text, None), |(n, i)| (n, Some(i)));
        Self::Link { node: node.to_owned(), interface: interface.map(str::to_owned) }
    }
}

impl FaultTarget {
    /// Whether both can mean the same link.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Net, Self::Net) => true,
            (Self::Link { node: a, interface: i }, Self::Link { node: b, interface: j }) => {
                a == b && (i == j || i.is_none() || j.is_none())
            }
            _ => false,
        }
    }
}

impl fmt::Display for FaultTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net => f.write_str("*"),
            Self::Link { node, interface: None } => f.write_str(node),
            Self::Link { node, interface: Some(interface) } => write!(f, "{node}.{interface}"),
        }
    }
}

/// The effect of a fault.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultEffect {
    /// An action on each matching packet.
    Action(Action),
    /// A condition of the link.
    Condition(Condition),
    /// The link is down: both ends lose their carrier.
    Down,
    /// A partition of the network.
    Partition(Partition),
}

impl fmt::Display for FaultEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Action(action) => write!(f, "{action}"),
            Self::Condition(condition) => write!(f, "condition {condition}"),
            Self::Down => f.write_str("down"),
            Self::Partition(partition) => write!(f, "{partition}"),
        }
    }
}

/// A fault: a target, the packets that match, an effect, and a schedule.
///
/// ```
/// use nstest::{Action, Fault, PacketKind, Packets};
/// use std::time::Duration;
///
/// let fault = Fault::on("server")
///     .egress()
///     .packets(Packets::tcp().port(7000).kind(PacketKind::Data))
///     .nth(3)
///     .action(Action::Reset);
/// assert_eq!(fault.to_string(), "server egress tcp port 7000 data nth 3: reset");
/// assert_eq!(fault.to_string().parse::<Fault>()?, fault);
///
/// let flapping = Fault::on("server.eth1")
///     .down()
///     .at(Duration::from_millis(200))
///     .lasting(Duration::from_millis(100))
///     .every(Duration::from_secs(1));
/// assert_eq!(flapping.to_string(), "server.eth1: down at 200ms lasting 100ms every 1s");
/// # Ok::<(), nstest::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[must_use = "a fault has no effect until it is injected into a network"]
pub struct Fault {
    pub(crate) target: FaultTarget,
    pub(crate) direction: Option<Direction>,
    pub(crate) packets: Packets,
    pub(crate) occurrence: Occurrence,
    pub(crate) effect: FaultEffect,
    /// Whether the packets pass, and the action follows them.
    pub(crate) then: bool,
    pub(crate) schedule: FaultSchedule,
    pub(crate) optional: bool,
}

impl Fault {
    /// A fault of a link: `"server"`, or `"server.eth1"` if the node has several. `"*"` is
    /// the whole network. By default, the fault drops every packet in both directions.
    pub fn on(target: impl Into<FaultTarget>) -> Self {
        Self {
            target: target.into(),
            direction: None,
            packets: Packets::all(),
            occurrence: Occurrence::Every,
            effect: FaultEffect::Action(Action::Drop),
            then: false,
            schedule: FaultSchedule::default(),
            optional: false,
        }
    }

    /// A partition of the whole network.
    pub fn partition(partition: Partition) -> Self {
        let mut fault = Self::on(FaultTarget::Net);
        fault.effect = FaultEffect::Partition(partition);
        fault
    }

    /// Affects one direction only, seen from the node.
    pub fn direction(mut self, direction: Direction) -> Self {
        self.direction = Some(direction);
        self
    }

    /// Affects only packets that leave the node.
    pub fn egress(self) -> Self {
        self.direction(Direction::Egress)
    }

    /// Affects only packets that come to the node.
    pub fn ingress(self) -> Self {
        self.direction(Direction::Ingress)
    }

    /// Affects only these packets.
    pub fn packets(mut self, packets: Packets) -> Self {
        self.packets = packets;
        self
    }

    /// Affects only some of the matching packets.
    pub fn occurrence(mut self, occurrence: Occurrence) -> Self {
        self.occurrence = occurrence;
        self
    }

    /// Affects only the `n`th matching packet, counted from 1.
    ///
    /// # Panics
    /// If `n` is 0.
    #[track_caller]
    pub fn nth(self, n: u64) -> Self {
        self.occurrence(Occurrence::nth(n))
    }

    /// Affects only the first `n` matching packets.
    ///
    /// ```
    /// use nstest::{Fault, Packets};
    ///
    /// // The client has to send its request four times.
    /// let fault = Fault::on("server").packets(Packets::udp()).ingress().first(3);
    /// assert_eq!(fault.to_string(), "server ingress udp first 3: drop");
    /// ```
    ///
    /// # Panics
    /// If `n` is 0.
    #[track_caller]
    pub fn first(self, n: u64) -> Self {
        self.occurrence(Occurrence::first(n))
    }

    /// Affects every `n`th matching packet: the `n`th, the `2n`th, and so on.
    ///
    /// # Panics
    /// If `n` is 0.
    #[track_caller]
    pub fn every_nth(self, n: u64) -> Self {
        self.occurrence(Occurrence::every_nth(n))
    }

    /// Sets an action on each matching packet.
    pub fn action(mut self, action: Action) -> Self {
        (self.effect, self.then) = (FaultEffect::Action(action), false);
        self
    }

    /// Lets the matching packets pass, and applies the action after each: `Cut` and
    /// `Blackhole` right after it; `Reset` at the next packet of its connection, which is
    /// lost, or after 500 ms if there is none. In a plan this is `then reset`.
    pub fn then(mut self, action: Action) -> Self {
        (self.effect, self.then) = (FaultEffect::Action(action), true);
        self
    }

    /// Sets a condition of the link.
    pub fn condition(mut self, condition: Condition) -> Self {
        (self.effect, self.then) = (FaultEffect::Condition(condition), false);
        self
    }

    /// Takes the link down: both ends lose their carrier.
    pub fn down(mut self) -> Self {
        (self.effect, self.then) = (FaultEffect::Down, false);
        self
    }

    /// Starts this long after the injection, or after the packet that starts it. The default
    /// is 0. An action waits for its packet from then on.
    pub fn at(mut self, at: Duration) -> Self {
        self.schedule.at = at;
        self
    }

    /// Ends this long after its start. By default it has no end.
    ///
    /// A fault that selects packets (a filter, an occurrence) starts with the first packet
    /// that it affects, if its effect is `Reset`, `Blackhole`, `Cut`, a condition or `down`.
    /// Any other fault starts with its injection.
    ///
    /// ```
    /// use nstest::{Action, Fault, Packets};
    /// use std::time::Duration;
    ///
    /// // The server is silent for one second from the third request on.
    /// let hangs = Fault::on("server")
    ///     .egress()
    ///     .packets(Packets::udp().port(53))
    ///     .nth(3)
    ///     .action(Action::Blackhole)
    ///     .lasting(Duration::from_secs(1));
    /// assert_eq!(hangs.to_string(), "server egress udp port 53 nth 3: blackhole lasting 1s");
    /// ```
    pub fn lasting(mut self, lasting: Duration) -> Self {
        self.schedule.lasting = Some(lasting);
        self
    }

    /// Repeats with this period, from start to start.
    pub fn every(mut self, every: Duration) -> Self {
        self.schedule.every = Some(every);
        self
    }

    /// Lets the test pass even if the fault affects no packet.
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// The target.
    #[must_use]
    pub fn target(&self) -> &FaultTarget {
        &self.target
    }

    /// The effect.
    #[must_use]
    pub fn effect(&self) -> &FaultEffect {
        &self.effect
    }

    /// The schedule.
    #[must_use]
    pub fn schedule(&self) -> FaultSchedule {
        self.schedule
    }

    /// A new receipt for it.
    pub(crate) fn receipt(&self) -> Receipt {
        let receipt = Receipt::new(self.to_string());
        if self.optional {
            receipt.optional();
        }
        receipt
    }

    /// Whether a packet starts it: its effect is not an action, and it selects packets.
    pub(crate) fn is_triggered(&self) -> bool {
        !matches!(self.effect, FaultEffect::Action(_)) && self.selects_packets()
    }

    /// Whether its schedule starts with the packet that its action follows: the packet is
    /// selected, and the action affects later ones. Without an end that makes no difference.
    pub(crate) fn starts_with_packet(&self) -> bool {
        let FaultEffect::Action(action) = &self.effect else { return false };
        let has_end = self.schedule.lasting.is_some();
        has_end && action.affects_later_packets() && self.selects_packets()
    }

    fn selects_packets(&self) -> bool {
        !self.packets.is_all() || self.occurrence != Occurrence::Every
    }

    /// The rule that notifies the listener with `number` of the packet that starts it.
    pub(crate) fn trigger(&self, number: u64, receipt: Receipt) -> Rule {
        let mut rule = Rule::new(self.packets, RuleAction::Notify(number), receipt);
        rule.direction = self.direction;
        rule.occurrence = match self.occurrence {
            Occurrence::Every => Occurrence::nth(1),
            occurrence => occurrence,
        };
        rule
    }

    /// The rule that carries it out at a link end, if its effect is an action. If its
    /// schedule starts with a packet, the rule notifies the listener with `number`.
    pub(crate) fn rule(&self, number: u64, receipt: Receipt) -> Option<Rule> {
        let FaultEffect::Action(action) = &self.effect else { return None };
        let mut rule = Rule::new(self.packets, RuleAction::Action(action.clone()), receipt);
        (rule.direction, rule.occurrence) = (self.direction, self.occurrence);
        rule.then = self.then;
        rule.starts = self.starts_with_packet().then_some(number);
        Some(rule)
    }

    /// Checks that its parts fit together and that it has an effect.
    ///
    /// # Errors
    /// `fault`, if they do not.
    pub fn check(&self) -> Result<(), Error> {
        if let FaultEffect::Condition(condition) = &self.effect {
            condition.check()?;
        }
        match self.problem() {
            None => Ok(()),
            Some((why, help)) => {
                Err(Error::new(ErrorCode::Fault, format!("use the fault `{self}`"))
                    .source(why)
                    .help(help))
            }
        }
    }

    /// Why it is not possible, and the remedy.
    pub(super) fn problem(&self) -> Option<(String, String)> {
        let says = |why: &str, help: &str| Some((why.to_owned(), help.to_owned()));
        if let Some((why, help)) = self.schedule.problem() {
            return says(why, help);
        }
        let chosen = self.selects_packets();
        match (&self.effect, &self.target) {
            (FaultEffect::Partition(partition), FaultTarget::Net) => {
                if let Some(why) = partition.problem() {
                    return says(&why, "name two or more groups, as in `partition a | b c`");
                }
                (chosen || self.direction.is_some()).then(|| {
                    let why = "a partition affects all packets of its nodes";
                    (why.to_owned(), "remove the packets and the direction".to_owned())
                })
            }
            (FaultEffect::Partition(_), _) => {
                says("a partition has no link", "start with `*`, as in `*: partition a | b`")
            }
            (_, FaultTarget::Net) => {
                says("only a partition has the target `*`", "start with the name of a node")
            }
            (FaultEffect::Down, _) if !chosen && self.direction.is_some() => {
                says("a link is down in both directions", "remove the direction")
            }
            (FaultEffect::Action(action), _) if self.then && !action.affects_later_packets() => {
                says("the action is on the packet itself, so it cannot follow it", "remove `then`")
            }
            (FaultEffect::Action(action), _) => action.problem(&self.packets),
            _ => None,
        }
    }
}
