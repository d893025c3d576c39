//! The Rust blocks of the book and of README.md: `build.rs` collects them.
#![cfg(test)]
#![cfg_attr(test, allow(dead_code, unused, clippy::all))]

mod given;
mod reader;

include!(concat!(env!("OUT_DIR"), "/book.rs"));
