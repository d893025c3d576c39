//! Fault plans.

use std::fmt;

use super::model::{Fault, FaultEffect};
use crate::error::{Error, ErrorCode};

/// A fault plan: the faults of one run of a test.
///
/// As text, its faults are separated by `;` or new lines. `NSTEST_PLAN` contains a plan, and
/// a failed run prints one.
///
/// ```
/// use nstest::Plan;
///
/// let plan: Plan = "server: condition delay 40ms loss 1%; *: partition a | b c at 1s lasting 2s"
///     .parse()?;
/// assert_eq!(plan.faults().len(), 2);
///
/// let error = "server: down; server: down at 3s".parse::<Plan>().unwrap_err();
/// assert_eq!(error.code().as_str(), "plan-conflict");
/// # Ok::<(), nstest::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[must_use = "a plan has no effect until it is applied to a network"]
pub struct Plan {
    faults: Vec<Fault>,
}

impl Plan {
    /// A plan without faults.
    pub const fn new() -> Self {
        Self { faults: Vec::new() }
    }

    /// Adds a fault.
    pub fn with(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// The faults.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Combines two plans.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn and(mut self, other: Self) -> Result<Self, Error> {
        self.faults.extend(other.faults);
        self.check()?;
        Ok(self)
    }

    /// Checks each fault, and that no two of them exclude each other.
    ///
    /// # Errors
    /// `fault`, if a fault is not possible. `plan-conflict`, if two faults are active at the
    /// same time and exclude each other: two conditions of one direction of a link, one link
    /// down twice, two partitions, or twice the same fault.
    pub fn check(&self) -> Result<(), Error> {
        for (index, fault) in self.faults.iter().enumerate() {
            fault.check()?;
            for earlier in &self.faults[..index] {
                check_pair(earlier, fault)?;
            }
        }
        Ok(())
    }
}

/// Checks that two faults do not exclude each other.
///
/// # Errors
/// `plan-conflict`, with both of them.
fn check_pair(first: &Fault, second: &Fault) -> Result<(), Error> {
    match clash(first, second) {
        None => Ok(()),
        Some(why) => Err(conflict(first, second, why)),
    }
}

/// Why two faults exclude each other, if they do.
pub(crate) fn clash(first: &Fault, second: &Fault) -> Option<&'static str> {
    if !(first.target.overlaps(&second.target) && first.schedule.overlaps(&second.schedule)) {
        return None;
    }
    let same_way = match (first.direction, second.direction) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    };
    match (&first.effect, &second.effect) {
        (FaultEffect::Condition(_), FaultEffect::Condition(_)) if same_way => {
            Some("a direction of a link has one condition at a time")
        }
        (FaultEffect::Down, FaultEffect::Down) => Some("the link would be down twice"),
        (FaultEffect::Partition(_), FaultEffect::Partition(_)) => {
            Some("a network has one partition at a time")
        }
        (FaultEffect::Action(one), FaultEffect::Action(other))
            if one == other
                && first.then == second.then
                && first.direction == second.direction
                && first.packets == second.packets
                && first.occurrence == second.occurrence =>
        {
            Some("both are the same fault")
        }
        _ => None,
    }
}

/// The error for two faults that exclude each other.
pub(crate) fn conflict(first: &Fault, second: &Fault, why: &'static str) -> Error {
    Error::new(ErrorCode::PlanConflict, format!("use `{first}` and `{second}` together"))
        .source(why)
        .help("remove one of them, or let the first end before the second starts (`lasting`)")
}

impl FromIterator<Fault> for Plan {
    fn from_iter<I: IntoIterator<Item = Fault>>(faults: I) -> Self {
        Self { faults: faults.into_iter().collect() }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<String> = self.faults.iter().map(Fault::to_string).collect();
        f.write_str(&faults.join("; "))
    }
}
