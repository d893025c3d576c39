//! Which runs there are: every point with every fault, or a sample of them.

use crate::fault::random::SplitMix;
use crate::fault::{Action, InjectionPoint};
use crate::run_config::FoundPoint;
use crate::runner::test::Explore;

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
        // These come right after the packet; the others are of the packet itself.
        "cut" => "then cut",
        "reset" => "then reset",
        // In the direction of the packet; `cut` is both, and control, too.
        "blackhole" => "then blackhole",
        // As long as the first retransmission of TCP (RFC 6298, Linux's minimum).
        "delay" => "delay 200ms",
        fault => fault,
    }
}

/// Whether a fault can do anything at a point: only TCP can be reset.
fn suits(fault: &str, point: &FoundPoint) -> bool {
    let can_be_reset = |point: InjectionPoint| point.suits(&Action::Reset);
    fault != "reset" || point.point.parse().map_or(true, can_be_reset)
}

/// All runs, in the order of their points, and at one point in that of the faults
/// in the attribute.
#[derive(Debug)]
pub(super) struct Cases<'a> {
    pub(super) list: Vec<Case<'a>>,
    pub(super) points: usize,
    pub(super) faults: usize,
    /// How many there would be without `max = N`.
    pub(super) all: usize,
}

impl<'a> Cases<'a> {
    pub(super) fn of(points: &'a [FoundPoint], explore: &Explore, seed: u64) -> Self {
        let each = |point| explore.faults.iter().map(move |fault| Case { point, fault });
        let mut list: Vec<Case<'_>> = points.iter().flat_map(each).collect();
        list.retain(|case| suits(case.fault, case.point));
        let all = list.len();
        let most = explore.max.map_or(all, |max| usize::try_from(max).unwrap_or(all));
        if most < all {
            list = sample(all, most, seed).into_iter().map(|index| list[index]).collect();
        }
        Self { list, points: points.len(), faults: explore.faults.len(), all }
    }

    /// How many runs there are not, since their fault can do nothing at their point.
    pub(super) fn unsuited(&self) -> usize {
        self.points * self.faults - self.all
    }
}

/// `count` of the numbers below `all`, in order; the same ones for the same seed.
fn sample(all: usize, count: usize, seed: u64) -> Vec<usize> {
    let mut numbers: Vec<usize> = (0..all).collect();
    let mut random = SplitMix::new(seed);
    for place in 0..count {
        // The bias of the remainder is of the order of `all` in 2^64.
        let left = (all - place) as u64;
        numbers.swap(place, place + (random.next() % left) as usize);
    }
    numbers.truncate(count);
    numbers.sort_unstable();
    numbers
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
        let all = ["p0: then reset", "p0: drop", "p1: then reset", "p1: drop"];
        assert_eq!(plans(2, None, 1), all);
        assert_eq!(plans(2, Some(4), 1), all);
        assert_eq!(plans(0, Some(4), 1), [""; 0]);
    }

    #[test]
    fn only_tcp_is_reset() {
        let point = |text: &str| FoundPoint { point: text.to_owned(), packet: String::new() };
        let points = [
            point("server egress udp port 53 #1 datagram nth 1"),
            point("server egress tcp port 53 #1 data nth 1"),
        ];
        let explore = Explore { faults: &["reset", "cut"], max: None };
        let cases = Cases::of(&points, &explore, 1);
        let plans: Vec<String> = cases.list.iter().map(Case::plan).collect();
        let all = ["udp port 53 #1 datagram nth 1: then cut"].into_iter().chain([
            "tcp port 53 #1 data nth 1: then reset",
            "tcp port 53 #1 data nth 1: then cut",
        ]);
        assert_eq!(plans, all.map(|it| format!("server egress {it}")).collect::<Vec<_>>());
        assert_eq!((cases.all, cases.unsuited()), (3, 1));
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
}
