//! Exploration finds known bugs, and what is right survives every point.
//!
//! Each file has a program with a bug that is well known, and the program put right.
//! The one with the bug is an ignored test, a fixture, that its case runs: it asserts
//! what is found. The other is a test as a user would write it.
#![deny(unsafe_code)]

mod census;
mod commits;
mod datagrams;
mod found;
mod hangs;
mod redis;
mod retries;
mod runners;
