//! Losses that come together.

use std::fmt;

use super::percent::Percent;

/// Loss in burst_loss: Gilbert's and Elliott's model (E. N. Gilbert, 1960; E. O.
/// Elliott, 1963), as in netem's `loss gemodel` (tc-netem(8)).
///
/// A direction of a link is in a good or in a bad state, at first in the good one.
/// Each packet, before its fate is decided, may change the state: with `enter` from
/// good to bad, with `leave` back. In the long run a part of
/// `enter / (enter + leave)` of all packets meets the bad state, in runs of
/// `1 / leave` packets on average.
///
/// ```
/// use nstest::{Condition, GilbertElliott, Percent};
///
/// // One packet in 21 lost, in bursts of five.
/// const BURSTS: GilbertElliott = GilbertElliott::new(Percent::new(1.0), Percent::new(20.0));
/// let condition = Condition::new().burst_loss(BURSTS);
/// assert_eq!(condition.to_string(), "burst-loss 1% 20%");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GilbertElliott {
    pub(crate) enter: Percent,
    pub(crate) leave: Percent,
    pub(crate) bad: Percent,
    pub(crate) good: Percent,
}

impl GilbertElliott {
    /// Everything is lost in the bad state and nothing in the good one (Gilbert's
    /// simple model). `enter` and `leave` are the chances of a change, per packet.
    #[must_use]
    pub const fn new(enter: Percent, leave: Percent) -> Self {
        Self { enter, leave, bad: Percent::ALL, good: Percent::ZERO }
    }

    /// What is lost in the bad state: `1-h` in netem's terms.
    #[must_use]
    pub const fn loss_in_bad(mut self, loss: Percent) -> Self {
        self.bad = loss;
        self
    }

    /// What is lost in the good state: `1-k` in netem's terms.
    #[must_use]
    pub const fn loss_in_good(mut self, loss: Percent) -> Self {
        self.good = loss;
        self
    }

    /// The state for a packet, after the one before it.
    pub(crate) const fn step(self, is_bad: bool, draw: u64) -> bool {
        if is_bad { !self.leave.takes(draw) } else { self.enter.takes(draw) }
    }

    pub(crate) const fn loses(self, is_bad: bool, draw: u64) -> bool {
        if is_bad { self.bad.takes(draw) } else { self.good.takes(draw) }
    }
}

impl fmt::Display for GilbertElliott {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.enter, self.leave)?;
        if (self.bad, self.good) == (Percent::ALL, Percent::ZERO) {
            return Ok(());
        }
        write!(f, " {} {}", self.bad, self.good)
    }
}
