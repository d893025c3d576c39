//! Conditions: the quality of a link, such as delay, loss and rate.

use std::fmt;
use std::time::Duration;

use super::burst_loss::GilbertElliott;
use super::duration;
use super::jitter::Jitter;
use super::percent::Percent;
use super::rate::Rate;
use crate::error::{Error, ErrorCode};

/// The quality of a link in one direction.
///
/// Its parts apply to a packet in this order: loss (`loss`, `burst_loss`), `duplicate`,
/// `corrupt`, the queue in front of the link (`queue_limit`), the bandwidth (`rate`), and
/// the propagation delay (`delay`, `jitter`, `reorder`). It does not apply to control traffic
/// (ARP, ND, MLD, IGMP): a fault for [`Packets::control`](crate::Packets::control) does.
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
    /// The queue limit of a link that has a rate and no [`queue_limit`](Self::queue_limit),
    /// in packets. It is netem's default (tc-netem(8)), and Linux's `txqueuelen`.
    pub const DEFAULT_QUEUE_LIMIT: u32 = 1000;

    /// A perfect link: no loss, no delay, no limit.
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

    /// The one-way delay. If both directions have the same, it is half of the round-trip
    /// time.
    #[must_use]
    pub const fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// The variation of the delay. It can reorder packets.
    #[must_use]
    pub const fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = Some(jitter);
        self
    }

    /// The chance that a packet is lost, independent of all others (Bernoulli).
    #[must_use]
    pub const fn loss(mut self, loss: Percent) -> Self {
        self.loss = loss;
        self
    }

    /// Loss in bursts. It applies in addition to [`loss`](Self::loss).
    #[must_use]
    pub const fn burst_loss(mut self, burst_loss: GilbertElliott) -> Self {
        self.burst_loss = Some(burst_loss);
        self
    }

    /// The chance that a packet arrives twice.
    #[must_use]
    pub const fn duplicate(mut self, duplicate: Percent) -> Self {
        self.duplicate = duplicate;
        self
    }

    /// The chance that a packet is sent without delay, as with netem, so that it overtakes
    /// those before it. This needs a [`delay`](Self::delay).
    #[must_use]
    pub const fn reorder(mut self, reorder: Percent) -> Self {
        self.reorder = reorder;
        self
    }

    /// The chance that one bit of a packet is inverted, so that its checksum is wrong.
    #[must_use]
    pub const fn corrupt(mut self, corrupt: Percent) -> Self {
        self.corrupt = corrupt;
        self
    }

    /// The bandwidth. Packets that come faster wait in a queue, one after the other, each as
    /// long as a physical link would make it. The queue is that of a bottleneck on the way: a
    /// sender is not slowed down by it, and has its packets dropped if the queue is full.
    #[must_use]
    pub const fn rate(mut self, rate: Rate) -> Self {
        self.rate = Some(rate);
        self
    }

    /// The number of packets that the queue in front of the link holds, including the one
    /// that is being sent; without it, [`DEFAULT_QUEUE_LIMIT`](Self::DEFAULT_QUEUE_LIMIT).
    /// Packets that find it full are dropped. Beside a bulk transfer, a packet waits for the
    /// whole queue: 50 packets of 1514 bytes at 10 Mbit/s take 61 ms. This needs a
    /// [`rate`](Self::rate): without one, no packet waits.
    #[must_use]
    pub const fn queue_limit(mut self, packets: u32) -> Self {
        self.queue_limit = Some(packets);
        self
    }

    /// Whether any part of it is random.
    pub(crate) fn is_random(&self) -> bool {
        let chances = [self.loss, self.duplicate, self.reorder, self.corrupt];
        chances.iter().any(|chance| chance.is_chance())
            || self.corrupt == Percent::ALL
            || self.jitter.is_some()
            || self.burst_loss.is_some()
    }

    /// Whether it needs single packets, of the size that they have on a physical link. Frames
    /// that segmentation offload has not cut yet can only be dropped and delayed as a whole.
    pub(crate) fn is_per_packet(&self) -> bool {
        self.is_random() || self.duplicate == Percent::ALL || self.rate.is_some()
    }

    /// Checks that every part has an effect.
    ///
    /// # Errors
    /// `fault`, if it has a queue limit without a rate, or reordering without a delay.
    pub fn check(&self) -> Result<(), Error> {
        match self.problem() {
            None => Ok(()),
            Some((why, help)) => {
                Err(Error::new(ErrorCode::Fault, format!("use the condition `{self}`"))
                    .source(why)
                    .help(help))
            }
        }
    }

    /// Why a part of it has no effect, and the remedy.
    pub(super) fn problem(&self) -> Option<(&'static str, &'static str)> {
        match self {
            Self { queue_limit: Some(_), rate: None, .. } => Some((
                "without a rate no packet waits in the queue",
                "add a rate, as in `rate 10mbit queue-limit 100`",
            )),
            Self { reorder, delay: Duration::ZERO, .. } if *reorder != Percent::ZERO => Some((
                "a reordered packet is sent without the delay of the others, and there is no delay",
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
            words.push(format!("delay {}", duration::text(self.delay)));
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
