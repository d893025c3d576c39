//! Staged failures: for each, the card must name the cause.
//!
//! A fixture is a test that fails as tests of users do. Its card is compared to a snapshot,
//! in which times, ports, process ids and sequence numbers are masked.

mod fixtures;
