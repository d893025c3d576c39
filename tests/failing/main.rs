//! Real programs over networks that fail: each first in a network without faults, then in
//! the same one with faults.
#![deny(unsafe_code)]

mod http2;
mod postgres;
mod quic;
mod raft;
mod redis;
