//! The command line: `nstest` and `cargo nstest`.

mod command;
mod run;
