//! What runs behind `nstest`. Users depend on the facade, not on this crate.
#![deny(unsafe_code)]

mod error;
mod fixture;
#[cfg(target_os = "linux")]
#[cfg_attr(
    not(test),
    expect(
        dead_code,
        unused_imports,
        reason = "topology, which applies plans, calls it"
    )
)]
mod netlink;
#[cfg(target_os = "linux")]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "topology, which applies plans, calls it")
)]
mod netns;
mod runner;
#[cfg(target_os = "linux")]
mod sys;
#[cfg(target_os = "linux")]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "topology, which applies plans, calls it")
)]
mod sysctl;

pub use error::{Code, Error, Result, TestError, TestResult};
pub use fixture::{Fixture, Param, Spec, World};
pub use runner::TestContext;

#[cfg(all(test, target_os = "linux"))]
mod testing;

/// What the macros expand to; not for people.
#[doc(hidden)]
pub mod private {
    #[cfg(feature = "tokio")]
    pub use crate::runner::run_async;
    pub use crate::runner::{Fixtures, Options, Runtime, Test, Timeout, run};
}
