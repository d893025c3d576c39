//! The command line: `nstest` and `cargo nstest`.

mod command;
mod job;
mod run;
mod show;
