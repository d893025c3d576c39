//! Faults of links, as a test author writes them, on the real kernel.
#![deny(unsafe_code)]

mod backends;
mod chance;
mod changes;
mod conformance;

mod links;
mod mistakes;
mod partitions;
mod receipts;
mod schedules;
mod seeds;
mod stream;
mod throughput;
mod traffic;
