//! Names and services.

mod hickory;
mod mdns;
