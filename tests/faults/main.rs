//! Faults of links, as a test author writes them, on the real kernel.
#![deny(unsafe_code)]

mod chance;
mod changes;
mod conformance;
mod links;
mod partitions;
mod stream;
mod throughput;
mod traffic;
