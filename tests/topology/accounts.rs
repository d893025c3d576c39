//! Failures in nodes that the test function does not see are reported at its end.

use expect_test::expect;
use nstest::{Node, eventually, netns_test};
use nstest_tests::driver::{Run, failure, success};
use nstest_tests::marks;

#[netns_test]
#[ignore = "fixture of another test"]
fn leaves_a_panic_in_a_thread(peer: Node) {
    leave(&peer);
}

fn leave(peer: &Node) {
    let thread = peer.spawn(|| panic!("no join follows"));
    eventually(marks::DEADLINE, || thread.is_finished()).unwrap();
}

#[netns_test]
#[ignore = "fixture of another test"]
async fn leaves_a_panic_in_a_task(peer: Node) {
    let task = peer.spawn_async(async { panic!("no await follows: {}", 42) });
    while !task.is_finished() {
        tokio::task::yield_now().await;
    }
}

#[test]
fn an_unjoined_panic_fails_the_test() {
    expect![[r#"

        thread 'accounts::leaves_a_panic_in_a_thread in peer' (TID) panicked at tests/topology/accounts.rs:LINE:COLUMN:
        no join follows
        note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
        a thread or task in node peer panicked, and was not joined: no join follows
    "#]]
    .assert_eq(&failure("accounts::leaves_a_panic_in_a_thread"));
    expect![[r#"

        thread 'tokio in peer' (TID) panicked at tests/topology/accounts.rs:LINE:COLUMN:
        no await follows: 42
        note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
        a thread or task in node peer panicked, and was not joined: no await follows: 42
    "#]]
    .assert_eq(&failure("accounts::leaves_a_panic_in_a_task"));
}

#[netns_test]
#[ignore = "fixture of another test"]
#[should_panic(expected = "no join follows")]
fn expects_the_panic_of_a_thread(peer: Node) {
    leave(&peer);
}

#[test]
fn an_unjoined_panic_does_not_satisfy_should_panic() {
    let shown = Run::of(&["accounts::expects_the_panic_of_a_thread"]).run().shown();
    assert!(shown.contains("FAILED") && shown.contains("did not panic as expected"), "{shown}");
}

#[netns_test]
#[ignore = "fixture of another test"]
fn leaves_a_thread_behind(peer: Node) {
    let (started, starts) = std::sync::mpsc::channel();
    peer.run(|| {
        let builder = std::thread::Builder::new().name("pool-worker".to_owned());
        let hangs = move || {
            started.send(()).unwrap(); // it has its name by now
            marks::hang()
        };
        builder.spawn(hangs).unwrap();
    });
    starts.recv().unwrap();
    // A thread of `spawn` belongs to the node, and is not named.
    peer.spawn(marks::hang);
}

#[test]
fn a_thread_that_stayed_in_a_node_is_named() {
    let shown = success("accounts::leaves_a_thread_behind");
    let note = shown.lines().find(|line| line.starts_with("nstest: note: threads started inside"));
    let note = note.unwrap_or_else(|| panic!("{shown}"));
    assert!(note.contains("in that node") && note.contains(": pool-worker. "), "{note}");
}
