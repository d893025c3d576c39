//! What a failed test leaves: its record, and what is made of it.
#![deny(unsafe_code)]

mod browser;
mod exploration;
mod kept;
mod logs;
mod pause;
mod picture;
mod record;
mod report;
mod secrets;
mod sockets;
mod staged;
