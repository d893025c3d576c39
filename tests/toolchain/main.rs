//! What needs cargo: cargo-nextest, and builds with other settings, each of a
//! small crate that depends on nstest.

mod builds;
mod nextest;
