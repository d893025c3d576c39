//! The recipes of the book: tests that users copy. `docs/src/recipes` shows these files, so
//! each is complete in itself, and imports what a user would import.
#![cfg(test)]
#![forbid(unsafe_code)]

mod consensus;
mod databases;
mod discovery;
mod hole_punching;
mod http;
mod programs;
mod quic_and_tls;
mod rpc;
mod runtimes;
mod test_crates;
mod tunnel;
