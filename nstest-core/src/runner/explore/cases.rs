//! The runs of an exploration: every fault at every point, or a sample of these.

use crate::error::Result;
use crate::fault::random::SplitMix;
use crate::fault::{ExploreFault, InjectionPoint, Plan};
use crate::run_config::FoundPoint;
use crate::runner::test::Explore;

/// One run: a fault at a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Case<'a> {
    pub(super) point: InjectionPoint,
    pub(super) fault: &'a ExploreFault,
    /// The packet at this point in the census, as text.
    pub(super) packet: &'a str,
}

impl Case<'_> {
    /// The plan that the run is started with.
    pub(super) fn plan(&self) -> Plan {
        Plan::new().with(self.fault.at(&self.point))
    }
}

/// All runs, by point, and at each point in the order of the attribute.
#[derive(Debug)]
pub(super) struct Cases<'a> {
    pub(super) list: Vec<Case<'a>>,
    pub(super) points: usize,
    pub(super) faults: usize,
    /// The number of runs without `max = N`.
    pub(super) all: usize,
}

impl<'a> Cases<'a> {
    /// # Errors
    /// `plan`, if a point of the census cannot be read.
    pub(super) fn of(points: &'a [FoundPoint], explore: &Explore, seed: u64) -> Result<Self> {
        let mut list = Vec::new();
        for FoundPoint { point, packet } in points {
            let point: InjectionPoint = point.parse()?;
            let faults = explore.faults.iter().filter(|fault| point.suits(&fault.action));
            list.extend(faults.map(|fault| Case { point: point.clone(), fault, packet }));
        }
        let all = list.len();
        let most = explore.max.map_or(all, |max| usize::try_from(max).unwrap_or(all));
        if most < all {
            let chosen = sample(all, most, seed);
            list = chosen.into_iter().map(|index| list[index].clone()).collect();
        }
        Ok(Self { list, points: points.len(), faults: explore.faults.len(), all })
    }

    /// The number of runs that are left out, because their fault cannot do anything at
    /// their point.
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
    use crate::fault::Action;

    const DROP: ExploreFault = ExploreFault { then: false, action: Action::Drop };
    const RESET: ExploreFault = ExploreFault { then: false, action: Action::Reset };
    const THEN_CUT: ExploreFault = ExploreFault { then: true, action: Action::Cut };

    fn points(count: usize) -> Vec<FoundPoint> {
        let point = |n| format!("a egress tcp port 1 #1 data nth {n}");
        (1..=count).map(|n| FoundPoint { point: point(n), packet: String::new() }).collect()
    }

    fn plans(cases: &Cases<'_>) -> Vec<String> {
        cases.list.iter().map(|case| case.plan().to_string()).collect()
    }

    fn all_plans(points: usize, max: Option<u32>, seed: u64) -> Vec<String> {
        let points = self::points(points);
        plans(&Cases::of(&points, &Explore { faults: &[RESET, DROP], max }, seed).unwrap())
    }

    #[test]
    fn each_fault_is_injected_at_each_point_in_order() {
        let all = ["1: reset", "1: drop", "2: reset", "2: drop"]
            .map(|end| format!("a egress tcp port 1 #1 data nth {end}"));
        assert_eq!(all_plans(2, None, 1), all);
        assert_eq!(all_plans(2, Some(4), 1), all);
        assert_eq!(all_plans(0, Some(4), 1), [""; 0]);
    }

    #[test]
    fn only_tcp_is_reset() {
        let point = |text: &str| FoundPoint { point: text.to_owned(), packet: String::new() };
        let points = [
            point("server egress udp port 53 #1 datagram nth 1"),
            point("server egress tcp port 53 #1 data nth 1"),
        ];
        let cases = Cases::of(&points, &Explore { faults: &[RESET, THEN_CUT], max: None }, 1);
        let cases = cases.unwrap();
        let all = [
            "server egress udp port 53 #1 datagram nth 1: then cut",
            "server egress tcp port 53 #1 data nth 1: reset",
            "server egress tcp port 53 #1 data nth 1: then cut",
        ];
        assert_eq!(plans(&cases), all);
        assert_eq!((cases.all, cases.unsuited()), (3, 1));
    }

    #[test]
    fn a_sample_follows_from_the_seed_and_keeps_the_order() {
        let sample = all_plans(100, Some(20), 1);
        assert_eq!(sample.len(), 20);
        assert_eq!(sample, all_plans(100, Some(20), 1));
        assert_ne!(sample, all_plans(100, Some(20), 2));
        let all = all_plans(100, None, 1);
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
