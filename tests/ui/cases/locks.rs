//! A lock above the attribute is taken in the test's own process, where no other test runs.
use nstest::{Node, netns, netns_test};
use serial_test::{file_parallel, file_serial, parallel, serial};

#[serial]
#[netns_test]
fn above(server: Node) {
    server.ip();
}

#[parallel(key)]
#[nstest::test]
async fn above_an_async_fn() -> nstest::TestResult {
    Ok(())
}

#[serial_test::serial]
#[netns]
fn between() {}

#[file_serial]
#[netns_test]
fn a_file_in_the_directory_of_the_test() {}

#[file_parallel(key)]
#[netns_test]
fn a_file_in_the_directory_of_the_test_by_key() {}

#[serial]
mod on_the_module {
    use super::*;

    #[netns_test]
    fn below() {}
}

fn main() {}
