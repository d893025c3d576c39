//! Faults of links, as a test author writes them, on the real kernel.
#![deny(unsafe_code)]

mod conditions;
mod engines;
mod partitions;
mod traffic;
