//! Tests that run cargo: cargo-nextest, and builds of a small crate with other settings.

mod archive;
mod builds;
mod nextest;
