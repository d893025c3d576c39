//! The faults that an exploration injects at each point.

use std::fmt;

use super::action::Action;
use super::model::Fault;
use super::point::InjectionPoint;

/// A fault of `explore(…)`: an action, and whether the packet arrives before it.
///
/// It is printed as the plan grammar writes it behind a colon: `reset`, `then reset`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ExploreFault {
    /// Whether the packet arrives, and the action follows it.
    pub then: bool,
    /// What happens to the packet, or after it.
    pub action: Action,
}

impl ExploreFault {
    /// The fault at one point.
    pub(crate) fn at(&self, point: &InjectionPoint) -> Fault {
        let fault = point.fault(self.action.clone());
        if self.then { fault.then(self.action.clone()) } else { fault }
    }
}

impl fmt::Display for ExploreFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let then = if self.then { "then " } else { "" };
        write!(f, "{then}{}", self.action)
    }
}
