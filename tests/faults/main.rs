//! Fault injection through the public API, on the real kernel.
#![deny(unsafe_code)]

mod carriers;
mod chance;
mod changes;
mod conformance;
mod fragments;
mod lasting;
mod links;
mod mistakes;
mod neighbours;
mod partitions;
mod rates;
mod receipts;
mod resets;
mod schedules;
mod seeds;
mod stream;
mod throughput;
mod traffic;
