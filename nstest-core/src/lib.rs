//! What runs behind `nstest`. Users depend on the facade, not on this crate.
#![deny(unsafe_code)]

mod error;
mod fixture;
mod runner;
#[cfg_attr(
    not(test),
    expect(
        dead_code,
        reason = "the world that carries plans out is not built yet"
    )
)]
mod topology;

pub use error::{Code, Error, Result, TestError, TestResult};
pub use fixture::{Fixture, Param, Spec, World};
pub use runner::TestContext;
pub use topology::{Firewall, MacAddr, Nat, Nat6, NatFiltering, NatMapping, Protocol, Subnet};

/// What the macros expand to; not for people.
#[doc(hidden)]
pub mod private {
    #[cfg(feature = "tokio")]
    pub use crate::runner::run_async;
    pub use crate::runner::{Fixtures, Options, Runtime, Test, Timeout, run};
}
