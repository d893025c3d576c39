//! Random numbers that are the same on every machine and in every release.
//!
//! *Random v1.* The generator is SplitMix64 (Steele, Lea and Flood, "Fast Splittable
//! Pseudorandom Number Generators", OOPSLA 2014). Its n-th output is a function of its seed
//! and n only. So the random numbers of a packet follow from the packet's number, and
//! decisions about one packet do not change those about another.
//!
//! Each stream has a seed of its own, made of the test's seed, the name of the link, the
//! direction and the class of the packets. The k-th packet of a class has the outputs `16 k`
//! to `16 k + 15`; [`Draw`] lists their purposes in order. Users rely on all of this: another
//! algorithm needs a new version.

use super::gauss;
use crate::frame::Direction;

/// The version of everything in this file.
pub(crate) const VERSION: u64 = 1;

/// What SplitMix64 adds at each step: 2^64 divided by the golden ratio.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// The number of outputs for each packet.
const DRAWS: u64 = 16;

/// The packets that share a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Sent by programs.
    Payload,
    /// Control traffic, which the kernel sends at times of its own.
    Control,
}

/// The purposes of a packet's random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Draw {
    Loss,
    /// The step of the Gilbert-Elliott chain.
    BurstState,
    BurstLoss,
    Duplicate,
    Corrupt,
    CorruptBit,
    Reorder,
    Jitter,
    CopyReorder,
    CopyJitter,
}

/// The generator, for decisions that are not about packets.
#[derive(Debug)]
pub(crate) struct SplitMix(u64);

impl SplitMix {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GAMMA);
        mix(self.0)
    }
}

/// The random numbers of one packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Draws {
    /// The state of the generator before the first one.
    state: u64,
}

impl Draws {
    /// 64 random bits for a purpose.
    pub(crate) fn bits(self, draw: Draw) -> u64 {
        mix(self.state.wrapping_add(GAMMA.wrapping_mul(draw as u64 + 1)))
    }
}

/// FNV-1a (Fowler, Noll and Vo), of 64 bits.
pub(crate) fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The random numbers of a sequence of packets.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    state: u64,
}

impl Stream {
    pub(crate) fn new(seed: u64, link: &str, direction: Direction, class: Class) -> Self {
        let class = match class {
            Class::Payload => "payload",
            Class::Control => "control",
        };
        let name = fnv1a(format!("{link}\n{direction}\n{class}").as_bytes());
        Self { state: mix(mix(seed.wrapping_add(GAMMA.wrapping_mul(VERSION))) ^ name) }
    }

    /// The random numbers of the next packet.
    #[cfg(test)]
    pub(crate) fn next(&mut self) -> Draws {
        self.next_of(1)
    }

    /// The random numbers of the next of so many packets, which use up those of all.
    pub(crate) fn next_of(&mut self, packets: u64) -> Draws {
        let draws = Draws { state: self.state };
        self.state = self.state.wrapping_add(GAMMA.wrapping_mul(DRAWS.wrapping_mul(packets)));
        draws
    }
}

/// The finaliser of SplitMix64 (Stafford's Mix13).
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Uniform in [-1, 1).
pub(crate) fn symmetric(bits: u64) -> f64 {
    // 53 bits: each value is exact.
    (bits >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

/// Normal, of mean 0 and standard deviation 1.
pub(crate) fn normal(bits: u64) -> f64 {
    // The centres of 2^52 equal parts of (0, 1): neither 0 nor 1.
    gauss::quantile(((bits >> 12) as f64 + 0.5) / (1u64 << 52) as f64)
}

/// Pareto of the second kind (Lomax) with shape 3 and mean 1, from 0 to 100.
///
/// A Lomax value is `scale * (U^(-1/3) - 1)`, with the mean `scale / 2`. The cube root of a
/// uniform number has the distribution of the largest of three uniform numbers, so no root
/// is calculated. The three have 21 bits each.
pub(crate) fn pareto(bits: u64) -> f64 {
    let part = |shift: u32| (bits >> shift) & 0x1f_ffff;
    let largest = part(0).max(part(21)).max(part(42));
    let root = (largest as f64 + 0.5) / (1u64 << 21) as f64;
    (2.0 * (1.0 / root - 1.0)).min(100.0)
}

#[cfg(test)]
impl Stream {
    pub(super) fn of_state(state: u64) -> Self {
        Self { state }
    }
}
