//! Conditions that a qdisc of the kernel implements exactly.

use std::time::Duration;

use super::condition::Condition;

/// The longest frame in octets: an MTU of 1500 and the Ethernet header.
const FRAME: u64 = 1514;

/// The parameters of a qdisc. None of them is random.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The rate in bytes per second, and the queue limit in bytes.
    Rate { rate: u64, queue: u32 },
    /// A delay, possibly a rate in bytes per second, and the queue limit in packets.
    Delay { delay: Duration, rate: Option<u64>, queue: u32 },
}

impl Shape {
    /// The shape of a condition; `None` if no qdisc implements it exactly.
    pub(crate) fn of(condition: &Condition) -> Option<Self> {
        let Condition { delay, rate, queue_limit, .. } = *condition;
        let random =
            Condition { delay: Duration::ZERO, rate: None, queue_limit: None, ..*condition };
        if random != Condition::new() {
            return None;
        }
        let bytes = rate.map(|rate| rate.bits_per_second() / 8);
        let packets = queue_limit.unwrap_or(Condition::DEFAULT_QUEUE_LIMIT);
        match (delay.is_zero(), bytes, queue_limit) {
            // No qdisc has a rate of 0.
            (_, Some(0), _) => None,
            // tbf limits its queue in bytes, so it cannot implement a limit in packets.
            (true, Some(rate), None) => {
                let queue = u32::try_from(u64::from(packets) * FRAME).unwrap_or(u32::MAX);
                Some(Self::Rate { rate, queue })
            }
            (false, rate, _) => Some(Self::Delay { delay, rate, queue: packets }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::{Percent, Rate};

    #[test]
    fn fixed_rates_and_delays_have_a_shape() {
        let ten = Duration::from_millis(10);
        let rate = Condition::new().rate(Rate::mbit(8));
        assert_eq!(Shape::of(&rate), Some(Shape::Rate { rate: 1_000_000, queue: 1_514_000 }));
        let delay = Condition::new().delay(ten);
        let expected =
            Shape::Delay { delay: ten, rate: None, queue: Condition::DEFAULT_QUEUE_LIMIT };
        assert_eq!(Shape::of(&delay), Some(expected));
        for none in [
            Condition::new(),
            rate.queue_limit(10),
            rate.loss(Percent::new(1.0)),
            Condition::new().rate(Rate::ZERO),
        ] {
            assert_eq!(Shape::of(&none), None, "{none}");
        }
    }
}
