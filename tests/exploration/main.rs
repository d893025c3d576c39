//! Exploration finds known bugs, and correct programs pass at every point.
//!
//! Each file has a program with a well-known bug, and a correct one. The program with the bug
//! is in an ignored test, the fixture. Another test runs it and asserts what exploration
//! finds. The correct program is in a test like those of users.
#![deny(unsafe_code)]

mod census;
mod commits;
mod datagrams;
mod found;
mod hangs;
mod redis;
mod retries;
mod runners;
