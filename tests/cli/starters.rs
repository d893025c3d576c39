//! The commands that start a program: `nstest run`, `wrap` and `shell`.

use nstest::{Node, netns_test};
use nstest_tests::terminal::OnTerminal;

#[netns_test]
#[ignore = "fixture of other tests"]
fn is_paused(_server: Node) {
    panic!("the reason");
}

/// Calls a function with the arguments of each, without the program. `shell` enters a test that is
/// paused for as long.
pub(crate) fn each(mut check: impl FnMut(&[&str])) {
    check(&["run", "--"]);
    // The program is a child of the process in which the nodes live.
    check(&["run", "--peers", "1", "--"]);
    check(&["wrap", "--"]);
    let mut test = OnTerminal::paused("starters::is_paused", "failed");
    let target = format!("{}/server", pid_of_init(&test.wait_for_pause()));
    check(&["shell", &target, "--"]);
    test.type_in("\n");
    let (status, shown) = test.end();
    assert_eq!(status, Some(101), "{shown}");
}

/// From what a test shows that is paused.
pub(crate) fn pid_of_init(shown: &str) -> String {
    let (_, after) = shown.split_once("nsenter -t ").expect("a command");
    after.split(' ').next().expect("a PID").to_owned()
}
