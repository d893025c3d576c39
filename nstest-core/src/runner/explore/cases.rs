//! Which runs there are: every point with every fault, or a sample of them.

use crate::orders::FoundPoint;
use crate::runner::Explore;

/// One run: a fault, at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Case<'a> {
    pub(super) point: &'a FoundPoint,
    pub(super) fault: &'static str,
}

impl Case<'_> {
    /// The case as a plan: this is where a point and a fault become one.
    pub(super) fn plan(&self) -> String {
        format!("{}: {}", self.point.point, action(self.fault))
    }
}

/// What a plan calls a fault of the attribute.
fn action(fault: &'static str) -> &'static str {
    match fault {
        // From this packet on, and in its direction; `cut` is both, and upkeep, too.
        "blackhole" => "half-open",
        // As long as the first retransmission of TCP (RFC 6298, Linux's minimum).
        "delay" => "delay 200ms",
        fault => fault,
    }
}

/// All runs, in the order of their points, and at one point in that of the faults
/// in the attribute.
#[derive(Debug)]
pub(super) struct Cases<'a> {
    pub(super) list: Vec<Case<'a>>,
    pub(super) points: usize,
    pub(super) faults: usize,
}

impl<'a> Cases<'a> {
    pub(super) fn of(points: &'a [FoundPoint], explore: &Explore, seed: u64) -> Self {
        let faults = explore.faults;
        let case = |index: usize| Case {
            point: &points[index / faults.len()],
            fault: faults[index % faults.len()],
        };
        let all = points.len() * faults.len();
        let most = explore.max.map_or(all, |max| usize::try_from(max).unwrap_or(all));
        let list = match most < all {
            true => sample(all, most, seed).into_iter().map(case).collect(),
            false => (0..all).map(case).collect(),
        };
        Self { list, points: points.len(), faults: faults.len() }
    }

    /// How many there would be without `max = N`.
    pub(super) fn all(&self) -> usize {
        self.points * self.faults
    }
}

/// `count` of the numbers below `all`, in order; the same ones for the same seed.
fn sample(all: usize, count: usize, seed: u64) -> Vec<usize> {
    let mut numbers: Vec<usize> = (0..all).collect();
    let mut random = SplitMix(seed);
    for place in 0..count {
        // The bias of the remainder is of the order of `all` in 2^64.
        let left = (all - place) as u64;
        numbers.swap(place, place + (random.next() % left) as usize);
    }
    numbers.truncate(count);
    numbers.sort_unstable();
    numbers
}

/// SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number
/// generators", OOPSLA 2014; the constants of its reference, splitmix64.c.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(count: usize) -> Vec<FoundPoint> {
        let point = |n| FoundPoint { point: format!("p{n}"), packet: String::new() };
        (0..count).map(point).collect()
    }

    fn plans(points: usize, max: Option<u32>, seed: u64) -> Vec<String> {
        let explore = Explore { faults: &["reset", "drop"], max };
        let points = self::points(points);
        Cases::of(&points, &explore, seed).list.iter().map(Case::plan).collect()
    }

    #[test]
    fn each_point_meets_each_fault_in_order() {
        let all = ["p0: reset", "p0: drop", "p1: reset", "p1: drop"];
        assert_eq!(plans(2, None, 1), all);
        assert_eq!(plans(2, Some(4), 1), all);
        assert_eq!(plans(0, Some(4), 1), [""; 0]);
    }

    #[test]
    fn a_sample_follows_from_the_seed_and_keeps_the_order() {
        let sample = plans(100, Some(20), 1);
        assert_eq!(sample.len(), 20);
        assert_eq!(sample, plans(100, Some(20), 1));
        assert_ne!(sample, plans(100, Some(20), 2));
        let all = plans(100, None, 1);
        let places: Vec<_> = sample.iter().map(|s| all.iter().position(|a| a == s)).collect();
        assert!(places.is_sorted() && places.windows(2).all(|two| two[0] != two[1]), "{places:?}");
    }

    #[test]
    fn every_case_is_in_some_sample() {
        let mut seen: Vec<usize> = (0..64).flat_map(|seed| sample(16, 4, seed)).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, (0..16).collect::<Vec<_>>());
    }

    #[test]
    fn the_generator_is_the_published_one() {
        let mut random = SplitMix(1_234_567);
        let first = [random.next(), random.next()];
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }
}
