//! Faults of links, as a test author writes them, on the real kernel.
#![deny(unsafe_code)]

mod chance;
mod changes;
mod conformance;
mod links;
mod partitions;
mod schedules;
mod stream;
mod throughput;
mod traffic;
