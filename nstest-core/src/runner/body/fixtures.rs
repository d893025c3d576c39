//! Makes the parameters of a test, in two phases: all parameters plan, then the network is
//! built, then all parameters are set up.

use super::current::{Current, Entered};
use super::setup_failure;
use crate::error::Result;
use crate::fixture::{Fixture, FixtureParam};

/// Makes the parameters of one test.
#[derive(Debug)]
pub struct Fixtures {
    pub(super) current: Entered,
}

impl Fixtures {
    pub(super) fn new(current: Result<Current>) -> Self {
        Self { current: Entered::enter(or_unwind(current)) }
    }

    /// The first phase of one parameter. Ends the test if it fails.
    pub fn plan<F: Fixture>(&mut self, name: &str) -> F::Plan {
        or_unwind(self.current.plan(|spec| F::plan(spec, FixtureParam::new(name))))
    }

    /// The second phase of one parameter; the first call builds the network. Ends the test
    /// if it fails.
    pub fn setup<F: Fixture>(&mut self, plan: F::Plan) -> F {
        let world = or_unwind(self.current.world());
        or_unwind(F::setup(plan, world))
    }
}

/// The value; an error [ends the test](setup_failure::unwind).
pub(super) fn or_unwind<T>(result: Result<T>) -> T {
    result.unwrap_or_else(|error| setup_failure::unwind(&error))
}
