//! The command `nstest`, for the tests of it. `nstest::cli` has its code.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    nstest::cli::nstest()
}
