//! What runs behind `nstest`. Users depend on the facade, not on this crate.
#![deny(unsafe_code)]

mod context;
mod error;
mod fixture;
mod record;
mod runner;
#[allow(unsafe_code, reason = "the one place for it; see its documentation")]
mod sys;

pub use context::TestContext;
pub use error::{Code, Error, Result, TestError, TestResult};
pub use fixture::{Fixture, Param, Spec, World};
pub use runner::enter;

/// What the macros expand to; not for people.
#[doc(hidden)]
pub mod private {
    #[cfg(feature = "tokio")]
    pub use crate::runner::run_async;
    pub use crate::runner::{Fixtures, Options, Runtime, Test, Timeout, run};
}
