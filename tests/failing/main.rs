//! Programs that nobody here wrote, and what becomes of them when their network
//! fails: first each of them in a network that works, then the same set-up with
//! faults put in between.
#![deny(unsafe_code)]

mod http2;
mod postgres;
mod quic;
mod raft;
mod redis;
