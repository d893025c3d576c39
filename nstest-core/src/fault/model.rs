//! A fault, as data.

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

/// Where a fault is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FaultTarget {
    /// The link of a node; if it has several, the named interface's.
    Link {
        /// The name of the node.
        node: String,
        /// The name of its interface.
        interface: Option<String>,
    },
    /// The whole network, written `*`: where a partition is.
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
    /// Whether both may be one link.
    pub(super) fn meets(&self, other: &Self) -> bool {
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

/// What a fault does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultEffect {
    /// Something becomes of the packets that it takes.
    Action(Action),
    /// The link gets worse.
    Condition(Condition),
    /// The cable is pulled.
    Down,
    /// The network falls apart.
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

/// Something that goes wrong: where, with which packets, what, and when.
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
#[must_use = "a fault is data: it happens when it is given to a network"]
pub struct Fault {
    pub(crate) target: FaultTarget,
    pub(crate) direction: Option<Direction>,
    pub(crate) packets: Packets,
    pub(crate) occurrence: Occurrence,
    pub(crate) effect: FaultEffect,
    /// The packets pass, and the action comes after them.
    pub(crate) passes: bool,
    pub(crate) schedule: FaultSchedule,
    pub(crate) optional: bool,
}

impl Fault {
    /// A fault of a link: `"server"`, or `"server.eth1"` where the node has several;
    /// or of the whole network, `"*"`. Until something else is said, it drops every
    /// packet in both directions.
    pub fn on(target: impl Into<FaultTarget>) -> Self {
        Self {
            target: target.into(),
            direction: None,
            packets: Packets::all(),
            occurrence: Occurrence::Every,
            effect: FaultEffect::Action(Action::Drop),
            passes: false,
            schedule: FaultSchedule::default(),
            optional: false,
        }
    }

    /// These groups of nodes apart from each other.
    pub fn partition(partition: Partition) -> Self {
        let mut fault = Self::on(FaultTarget::Net);
        fault.effect = FaultEffect::Partition(partition);
        fault
    }

    /// In one direction only, as the node sees it.
    pub fn direction(mut self, direction: Direction) -> Self {
        self.direction = Some(direction);
        self
    }

    /// Only with what leaves the node.
    pub fn egress(self) -> Self {
        self.direction(Direction::Egress)
    }

    /// Only with what comes to the node.
    pub fn ingress(self) -> Self {
        self.direction(Direction::Ingress)
    }

    /// Only with these packets.
    pub fn packets(mut self, packets: Packets) -> Self {
        self.packets = packets;
        self
    }

    /// Only with some of the packets.
    pub fn occurrence(mut self, occurrence: Occurrence) -> Self {
        self.occurrence = occurrence;
        self
    }

    /// Only with the `n`th of the packets, from 1.
    ///
    /// # Panics
    /// If `n` is 0.
    #[track_caller]
    pub fn nth(self, n: u64) -> Self {
        self.occurrence(Occurrence::nth(n))
    }

    /// What becomes of the packets.
    pub fn action(mut self, action: Action) -> Self {
        (self.effect, self.passes) = (FaultEffect::Action(action), false);
        self
    }

    /// The packets pass, and right after each of them this happens: a reset, or that
    /// the link is cut or a black hole. `then reset` in a plan.
    pub fn then(mut self, action: Action) -> Self {
        (self.effect, self.passes) = (FaultEffect::Action(action), true);
        self
    }

    /// The link is like this.
    pub fn condition(mut self, condition: Condition) -> Self {
        (self.effect, self.passes) = (FaultEffect::Condition(condition), false);
        self
    }

    /// The cable is pulled.
    pub fn down(mut self) -> Self {
        (self.effect, self.passes) = (FaultEffect::Down, false);
        self
    }

    /// It begins so long after the start of the plan; at once, if not said.
    pub fn at(mut self, at: Duration) -> Self {
        self.schedule.at = at;
        self
    }

    /// It ends so long after it began; never, if not said.
    pub fn lasting(mut self, lasting: Duration) -> Self {
        self.schedule.lasting = Some(lasting);
        self
    }

    /// It comes again so long after it last began.
    pub fn every(mut self, every: Duration) -> Self {
        self.schedule.every = Some(every);
        self
    }

    /// The test may pass though this affected no packet.
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Where it is.
    #[must_use]
    pub fn target(&self) -> &FaultTarget {
        &self.target
    }

    /// What it does.
    #[must_use]
    pub fn effect(&self) -> &FaultEffect {
        &self.effect
    }

    /// When it is there.
    #[must_use]
    pub fn schedule(&self) -> FaultSchedule {
        self.schedule
    }

    /// A record for it.
    pub(crate) fn receipt(&self) -> Receipt {
        let receipt = Receipt::new(self.to_string());
        if self.optional {
            receipt.optional();
        }
        receipt
    }

    /// Whether it begins with a packet: its effect is not about packets, and packets
    /// are chosen.
    pub(crate) fn is_triggered(&self) -> bool {
        !matches!(self.effect, FaultEffect::Action(_)) && self.is_choosy()
    }

    fn is_choosy(&self) -> bool {
        !self.packets.is_all() || self.occurrence != Occurrence::Every
    }

    /// The rule that waits for the packet that it begins with, and tells `number`.
    pub(crate) fn trigger(&self, number: u64, receipt: Receipt) -> Rule {
        let mut rule = Rule::new(self.packets, RuleAction::Tell(number), receipt);
        rule.direction = self.direction;
        rule.occurrence = match self.occurrence {
            Occurrence::Every => Occurrence::nth(1),
            occurrence => occurrence,
        };
        rule
    }

    /// The rule that carries it out at a port, if packets are what it is about.
    pub(crate) fn rule(&self, receipt: Receipt) -> Option<Rule> {
        let FaultEffect::Action(action) = &self.effect else { return None };
        let mut rule = Rule::new(self.packets, RuleAction::Action(action.clone()), receipt);
        (rule.direction, rule.occurrence) = (self.direction, self.occurrence);
        rule.passes = self.passes;
        Some(rule)
    }

    /// Whether it can be.
    ///
    /// # Errors
    /// `fault`: a part that does not go with another, or that would never do
    /// anything.
    pub fn check(&self) -> Result<(), Error> {
        if let FaultEffect::Condition(condition) = &self.effect {
            condition.check()?;
        }
        match self.nonsense() {
            None => Ok(()),
            Some((why, help)) => {
                Err(Error::new(ErrorCode::Fault, format!("take the fault `{self}`"))
                    .source(why)
                    .help(help))
            }
        }
    }

    /// Why it cannot be, and what to do about it.
    pub(super) fn nonsense(&self) -> Option<(String, String)> {
        let says = |why: &str, help: &str| Some((why.to_owned(), help.to_owned()));
        if let Some((why, help)) = self.schedule.nonsense() {
            return says(why, help);
        }
        let chosen = self.is_choosy();
        match (&self.effect, &self.target) {
            (FaultEffect::Partition(partition), FaultTarget::Net) => {
                if let Some(why) = partition.nonsense() {
                    return says(&why, "name two groups or more, as in `partition a | b c`");
                }
                (chosen || self.direction.is_some()).then(|| {
                    let why = "a partition takes all packets of its nodes";
                    (why.to_owned(), "leave packets and direction out".to_owned())
                })
            }
            (FaultEffect::Partition(_), _) => {
                says("a partition is not of one link", "begin with `*`, as in `*: partition a | b`")
            }
            (_, FaultTarget::Net) => says("it is of one link", "begin with the name of a node"),
            (FaultEffect::Down, _) if !chosen && self.direction.is_some() => {
                says("a cable is pulled for both directions", "leave the direction out")
            }
            (FaultEffect::Action(action), _) if self.passes && !action.outlasts_its_packet() => {
                says("that is of the packet itself, which cannot have passed", "leave `then` out")
            }
            (FaultEffect::Action(action), _) => action.nonsense(&self.packets),
            _ => None,
        }
    }
}
