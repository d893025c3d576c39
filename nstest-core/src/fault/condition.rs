//! What a direction of a link is like.

use std::fmt;
use std::time::Duration;

use super::burst_loss::GilbertElliott;
use super::jitter::Jitter;
use super::percent::Percent;
use super::rate::Rate;
use super::span;
use crate::error::{Error, ErrorCode};

/// What happens to the packets in one direction of a link.
///
/// They pass these, in this order: loss (`loss`, `burst_loss`), `duplicate`,
/// `corrupt`, the queue in front of the link (`queue_limit`), the link's speed
/// (`rate`), and its length (`delay`, `jitter`, `reorder`).
///
/// ```
/// use nstest::{Condition, Jitter, Percent, Rate};
/// use std::time::Duration;
///
/// const BAD: Condition = Condition::new()
///     .delay(Duration::from_millis(40))
///     .jitter(Jitter::uniform(Duration::from_millis(10)))
///     .loss(Percent::new(2.5))
///     .rate(Rate::mbit(2));
///
/// assert_eq!(BAD.to_string(), "delay 40ms jitter 10ms loss 2.5% rate 2mbit");
/// assert_eq!("delay 40ms jitter 10ms loss 2.5% rate 2mbit".parse::<Condition>()?, BAD);
/// # Ok::<(), nstest::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Condition {
    pub(crate) delay: Duration,
    pub(crate) jitter: Option<Jitter>,
    pub(crate) loss: Percent,
    pub(crate) burst_loss: Option<GilbertElliott>,
    pub(crate) duplicate: Percent,
    pub(crate) reorder: Percent,
    pub(crate) corrupt: Percent,
    pub(crate) rate: Option<Rate>,
    pub(crate) queue_limit: Option<u32>,
}

impl Condition {
    /// How many packets wait for a link with a rate where `queue_limit` is not given:
    /// netem's default (tc-netem(8)), and Linux's `txqueuelen`.
    pub const DEFAULT_QUEUE_LIMIT: u32 = 1000;

    /// A perfect link: everything passes at once.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            delay: Duration::ZERO,
            jitter: None,
            loss: Percent::ZERO,
            burst_loss: None,
            duplicate: Percent::ZERO,
            reorder: Percent::ZERO,
            corrupt: Percent::ZERO,
            rate: None,
            queue_limit: None,
        }
    }

    /// How long a packet takes, in this direction: half of what a round trip takes
    /// where both have it.
    #[must_use]
    pub const fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// How the delay varies. It may let packets overtake each other.
    #[must_use]
    pub const fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = Some(jitter);
        self
    }

    /// How likely a packet is lost, each independently (Bernoulli).
    #[must_use]
    pub const fn loss(mut self, loss: Percent) -> Self {
        self.loss = loss;
        self
    }

    /// Loss in bursts. With [`loss`](Self::loss) beside it, either may lose a packet.
    #[must_use]
    pub const fn burst_loss(mut self, burst_loss: GilbertElliott) -> Self {
        self.burst_loss = Some(burst_loss);
        self
    }

    /// How likely a packet arrives twice.
    #[must_use]
    pub const fn duplicate(mut self, duplicate: Percent) -> Self {
        self.duplicate = duplicate;
        self
    }

    /// How likely a packet overtakes those before it: it has no delay (as with
    /// netem), which therefore has to be set.
    #[must_use]
    pub const fn reorder(mut self, reorder: Percent) -> Self {
        self.reorder = reorder;
        self
    }

    /// How likely a packet arrives with one bit wrong, so that its checksum fails.
    #[must_use]
    pub const fn corrupt(mut self, corrupt: Percent) -> Self {
        self.corrupt = corrupt;
        self
    }

    /// How fast the link carries. Packets wait their turn.
    #[must_use]
    pub const fn rate(mut self, rate: Rate) -> Self {
        self.rate = Some(rate);
        self
    }

    /// How many packets may wait for the link or be on their way into it; those
    /// that come to a full queue are dropped. It needs a rate: without, nobody waits.
    #[must_use]
    pub const fn queue_limit(mut self, packets: u32) -> Self {
        self.queue_limit = Some(packets);
        self
    }

    /// Whether anything is left to chance.
    pub(crate) fn is_random(&self) -> bool {
        let chances = [self.loss, self.duplicate, self.reorder, self.corrupt];
        chances.iter().any(|chance| chance.is_chance())
            || self.corrupt == Percent::ALL
            || self.jitter.is_some()
            || self.burst_loss.is_some()
    }

    /// Whether each packet has to be looked at by itself. What has not been cut
    /// into segments yet can only be dropped, delayed and paced as a whole.
    pub(crate) fn is_per_packet(&self) -> bool {
        self.is_random() || self.duplicate == Percent::ALL || self.queue_limit.is_some()
    }

    /// Whether it means what it says.
    ///
    /// # Errors
    /// `fault`: a queue without a rate, or reordering without a delay, since
    /// neither would ever do anything.
    pub fn check(&self) -> Result<(), Error> {
        match self.nonsense() {
            None => Ok(()),
            Some((why, help)) => {
                Err(Error::new(ErrorCode::Fault, format!("take the condition `{self}`"))
                    .source(why)
                    .help(help))
            }
        }
    }

    /// Why it cannot be, and what to do about it.
    pub(super) fn nonsense(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self { queue_limit: Some(_), rate: None, .. } => Some((
                "without a rate no packet waits, and the queue is always empty",
                "add a rate, as in `rate 10mbit queue-limit 100`",
            )),
            Self { reorder, delay: Duration::ZERO, .. } if *reorder != Percent::ZERO => Some((
                "a reordered packet is one without the delay of the others, and there is none",
                "add a delay, as in `delay 10ms reorder 25%`",
            )),
            _ => None,
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        if self.delay != Duration::ZERO {
            words.push(format!("delay {}", span::text(self.delay)));
        }
        words.extend(self.jitter.map(|jitter| format!("jitter {jitter}")));
        let chance = |name, chance| (chance != Percent::ZERO).then(|| format!("{name} {chance}"));
        words.extend(chance("loss", self.loss));
        words.extend(self.burst_loss.map(|burst_loss| format!("burst-loss {burst_loss}")));
        words.extend(chance("duplicate", self.duplicate));
        words.extend(chance("reorder", self.reorder));
        words.extend(chance("corrupt", self.corrupt));
        words.extend(self.rate.map(|rate| format!("rate {rate}")));
        words.extend(self.queue_limit.map(|limit| format!("queue-limit {limit}")));
        if words.is_empty() {
            return f.write_str("perfect");
        }
        f.write_str(&words.join(" "))
    }
}
