//! Faults together.

use std::fmt;

use super::model::{Fault, FaultEffect};
use crate::error::{Error, ErrorCode};

/// Faults that happen in one test, each at its time.
///
/// It is written fault after fault, with `;` or a new line between them; what
/// `NSTEST_PLAN` holds, and what a failed run prints.
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
#[must_use = "a plan is data: it happens when it is given to a network"]
pub struct Plan {
    faults: Vec<Fault>,
}

impl Plan {
    /// Nothing goes wrong.
    pub const fn new() -> Self {
        Self { faults: Vec::new() }
    }

    /// With one more.
    pub fn with(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// What it consists of.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Both together.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn and(mut self, other: Self) -> Result<Self, Error> {
        self.faults.extend(other.faults);
        self.check()?;
        Ok(self)
    }

    /// Whether all of it can be, and be together.
    ///
    /// # Errors
    /// `fault`, for one that cannot be; `plan-conflict`, for two that cannot be at
    /// the same time: two conditions of one direction of a link, a cable pulled
    /// twice, two partitions, or the same fault twice.
    pub fn check(&self) -> Result<(), Error> {
        for (index, fault) in self.faults.iter().enumerate() {
            fault.check()?;
            for earlier in &self.faults[..index] {
                against(earlier, fault)?;
            }
        }
        Ok(())
    }
}

/// Whether two faults can be at the same time.
///
/// # Errors
/// `plan-conflict`, with both of them.
fn against(first: &Fault, second: &Fault) -> Result<(), Error> {
    match clash(first, second) {
        None => Ok(()),
        Some(why) => Err(conflict(first, second, why)),
    }
}

/// Why two faults cannot be at the same time, if so.
pub(crate) fn clash(first: &Fault, second: &Fault) -> Option<&'static str> {
    if !(first.target.meets(&second.target) && first.schedule.meets(&second.schedule)) {
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
        (FaultEffect::Down, FaultEffect::Down) => Some("the cable would be pulled twice"),
        (FaultEffect::Partition(_), FaultEffect::Partition(_)) => {
            Some("the network falls apart in one way at a time")
        }
        (FaultEffect::Action(one), FaultEffect::Action(other))
            if one == other
                && first.passes == second.passes
                && first.direction == second.direction
                && first.packets == second.packets
                && first.occurrence == second.occurrence =>
        {
            Some("both are the same")
        }
        _ => None,
    }
}

/// The error for two faults that cannot be at the same time.
pub(crate) fn conflict(first: &Fault, second: &Fault, why: &'static str) -> Error {
    Error::new(ErrorCode::PlanConflict, format!("take `{first}` and `{second}` together"))
        .source(why)
        .help("make one of the two, or let the first end before the second begins (`lasting`)")
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
