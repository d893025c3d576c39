//! What runs behind `nstest`. Users depend on the facade, not on this crate.
#![deny(unsafe_code)]
#![cfg_attr(
    any(not(target_os = "linux"), miri, nstest_stub),
    allow(dead_code, reason = "what only the runner uses")
)]

mod context;
mod error;
mod fixture;
#[cfg(all(target_os = "linux", not(any(miri, nstest_stub))))]
mod preflight;
#[cfg(all(target_os = "linux", not(any(miri, nstest_stub))))]
mod record;
// All that differs where there are no network namespaces.
#[cfg_attr(any(not(target_os = "linux"), miri, nstest_stub), path = "stub.rs")]
mod runner;
#[cfg(all(target_os = "linux", not(any(miri, nstest_stub))))]
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
