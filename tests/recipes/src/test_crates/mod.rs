//! Crates that generate tests.

mod cases;
mod properties;
mod quickcheck;
