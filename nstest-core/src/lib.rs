//! What runs behind `nstest`. Users depend on the facade, not on this crate.
#![deny(unsafe_code)]

mod context;
mod error;
mod fixture;
mod preflight;
mod record;
mod runner;
mod sys;

pub use context::TestContext;
pub use error::{Code, Error, Result, TestError, TestResult};
pub use fixture::{Fixture, Param, Spec, World};
pub use runner::enter;

/// What the macros expand to; not for people.
#[doc(hidden)]
pub mod private {
    pub use crate::runner::{Fixtures, Options, Test, Timeout, run};
    #[cfg(feature = "tokio")]
    pub use crate::runner::{Runtime, run_async};
}
