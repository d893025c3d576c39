//! Loss in bursts: the Gilbert-Elliott model.

use std::fmt;

use super::percent::Percent;

/// Loss in bursts: the Gilbert-Elliott model (E. N. Gilbert, 1960; E. O. Elliott, 1963), as
/// in netem's `loss gemodel` (tc-netem(8)).
///
/// A direction of a link is in a good or a bad state, and starts in the good one. Before
/// each packet the state may change: from good to bad with the chance `enter`, back with
/// `leave`. In the long run, `enter / (enter + leave)` of all packets are in the bad state,
/// in bursts of `1 / leave` packets on average.
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
    /// The simple model by Gilbert: all packets are lost in the bad state, none in the good
    /// one. `enter` and `leave` are the chances of a change, per packet.
    #[must_use]
    pub const fn new(enter: Percent, leave: Percent) -> Self {
        Self { enter, leave, bad: Percent::ALL, good: Percent::ZERO }
    }

    /// The loss in the bad state: `1-h` in netem's terms.
    #[must_use]
    pub const fn loss_in_bad(mut self, loss: Percent) -> Self {
        self.bad = loss;
        self
    }

    /// The loss in the good state: `1-k` in netem's terms.
    #[must_use]
    pub const fn loss_in_good(mut self, loss: Percent) -> Self {
        self.good = loss;
        self
    }

    /// The state for the next packet: whether it is the bad one.
    pub(crate) const fn step(self, is_bad: bool, draw: u64) -> bool {
        if is_bad { !self.leave.hits(draw) } else { self.enter.hits(draw) }
    }

    pub(crate) const fn loses(self, is_bad: bool, draw: u64) -> bool {
        if is_bad { self.bad.hits(draw) } else { self.good.hits(draw) }
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
