//! Servers, clients and tools in nodes: from Debian's packages and from crates.io.
#![deny(unsafe_code)]

mod iperf;
mod mdns;
mod nginx;
mod ping;
mod postgres;
mod redis;
mod web;
