//! The command line: `nstest` and `cargo nstest`.

mod cargo;
mod command;
mod doctor;
mod job;
mod run;
mod show;
