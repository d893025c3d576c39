//! rusty-fork, and proptest with `fork` or `timeout`: they start the test binary again, in
//! the network of the test.

use std::net::{TcpListener, TcpStream};

use nstest::netns_test;
use nstest_tests::driver::Run;
use proptest::prelude::{ProptestConfig, prop_assert, proptest};
use rusty_fork::rusty_fork_test;

rusty_fork_test! {
    #[netns_test]
    fn a_fork_has_the_ports_of_its_test() {
        let _listener = TcpListener::bind("127.0.0.1:80").unwrap();
        TcpStream::connect("127.0.0.1:80").unwrap();
    }

    #[netns_test]
    fn a_fork_builds_the_network() {
        let net = nstest::net();
        let server = net.add_node("server").join(&net.add_lan("lan").build().unwrap());
        assert!(server.build().unwrap().run(|| TcpListener::bind("0.0.0.0:80")).is_ok());
    }

    #[netns_test]
    #[should_panic(expected = "child exited unsuccessfully")]
    fn a_fork_panics() {
        panic!("the test process panics, too");
    }

    #[netns_test]
    #[should_panic(expected = "child exited unsuccessfully")]
    fn a_fork_aborts() {
        std::process::abort();
    }

    #[netns_test]
    #[should_panic]
    #[ignore = "fixture of another test"]
    fn a_fork_should_panic() {}
}

#[test]
fn a_panic_that_a_fork_lacks_is_noticed() {
    let shown = Run::of(&["forks::a_fork_should_panic"]).run().shown();
    assert!(shown.contains("test did not panic as expected"), "{shown}");
}

/// `failure_persistence` would write files beside the sources.
fn config(fork: bool, timeout: u32) -> ProptestConfig {
    let config = ProptestConfig::with_cases(8);
    ProptestConfig { fork, timeout, failure_persistence: None, ..config }
}

proptest! {
    #![proptest_config(config(true, 0))]

    #[netns_test]
    fn a_property_holds_in_a_fork(port in 1u16..1024) {
        prop_assert!(TcpListener::bind(("127.0.0.1", port)).is_ok());
    }

    #[netns_test]
    #[should_panic(expected = "minimal failing input: port = 500")]
    fn a_property_fails_in_a_fork(port in 500u16..1024) {
        prop_assert!(port < 500);
    }

    #[netns_test]
    #[should_panic(expected = "minimal failing input")]
    fn a_property_crashes_in_a_fork(number in 500u16..502) {
        if number > 0 {
            std::process::abort();
        }
    }

    #[netns_test]
    #[should_panic]
    #[ignore = "fixture of another test"]
    fn a_property_should_fail_in_a_fork(port in 1u16..1024) {
        prop_assert!(TcpListener::bind(("127.0.0.1", port)).is_ok());
    }
}

proptest! {
    #![proptest_config(config(false, 60_000))]

    #[netns_test]
    fn a_property_has_a_timeout(port in 1u16..1024) {
        prop_assert!(TcpListener::bind(("127.0.0.1", port)).is_ok());
    }
}

#[test]
fn a_property_that_holds_does_not_count_as_a_panic() {
    let shown = Run::of(&["forks::a_property_should_fail_in_a_fork"]).run().shown();
    assert!(shown.contains("test did not panic as expected"), "{shown}");
}
