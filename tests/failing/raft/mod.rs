//! Consensus of three members: openraft, with its in-memory store, over TCP.

mod cluster;
mod elections;
mod history;
mod partitions;
mod transport;
