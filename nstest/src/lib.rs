//! `nstest`
#![forbid(unsafe_code)]

pub use nstest_core::{
    Code, Error, Fixture, Param, Result, Spec, TestContext, TestError, TestResult, World,
};

#[doc(hidden)]
pub use nstest_core::private as __private;
