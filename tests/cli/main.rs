//! The command line: `nstest` and `cargo nstest`.

mod arguments;
mod broken_record;
mod cargo;
mod command;
mod doctor;
mod host_port;
mod job;
mod leftovers;
mod record;
mod run;
mod shell;
mod show;
mod starters;
