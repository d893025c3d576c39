//! Faults of links, as a test author writes them, on the real kernel.
#![deny(unsafe_code)]

mod chance;
mod conformance;
mod partitions;
mod stream;
mod throughput;
mod traffic;
