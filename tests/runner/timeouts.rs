//! `timeout = "…"` and `NSTEST_TIMEOUT`.

use std::fs::File;

use expect_test::expect;
use nix::fcntl::{Flock, FlockArg};
use nstest::{TestContext, netns, netns_test};
use nstest_tests::driver::Run;
use nstest_tests::marks;

#[netns_test(timeout = "100ms")]
#[ignore = "fixture of another test"]
fn hangs() {
    marks::hang();
}

#[netns_test(timeout = "none")]
#[ignore = "fixture of another test"]
fn may_take_for_ever(context: TestContext) {
    println!("{:?}", context.timeout());
}

#[netns_test(timeout = "1m 30s")]
#[ignore = "fixture of another test"]
fn may_take_a_while(context: TestContext) {
    println!("{:?}", context.timeout());
    assert!(context.remaining() <= context.timeout());
}

const A_WHILE: &str = "timeouts::may_take_a_while";
const FOR_EVER: &str = "timeouts::may_take_for_ever";

#[test]
fn the_variable_scales_the_timeout() {
    for (value, fixture, timeout) in [
        ("2", A_WHILE, "Some(180s)\n"),
        ("2", FOR_EVER, "None\n"),
        ("none", A_WHILE, "None\n"),
        ("none", FOR_EVER, "None\n"),
    ] {
        let run = Run::of(&[fixture]).args(["--show-output"]).env("NSTEST_TIMEOUT", value);
        assert_eq!(run.run().success_of(fixture), timeout, "with {value}");
    }
    let hangs = Run::of(&["timeouts::hangs"]).env("NSTEST_TIMEOUT", "1.5x").run();
    assert!(hangs.text().contains("did not end within 150ms"), "{}", hangs.text());
}

#[test]
fn an_invalid_value_of_the_variable_is_an_error() {
    for fixture in [A_WHILE, FOR_EVER] {
        let refused = Run::of(&[fixture]).env("NSTEST_TIMEOUT", "30s").run();
        expect![[r#"
            nstest[config]: read NSTEST_TIMEOUT=30s
              cause: it is neither a number above 0 nor `none`
              help: set it to a factor for every timeout, a number above 0 such as 3 or 0.5; or to `none` for no timeouts
        "#]].assert_eq(&refused.failure_of(fixture));
    }
}

#[test]
fn an_unknown_variable_is_an_error() {
    let refused = Run::of(&[A_WHILE]).env("NSTEST_TIMEOTU", "2").run();
    expect![[r#"
        nstest[config]: read NSTEST_TIMEOTU=2
          cause: nstest has no such variable
          help: correct it to one of NSTEST_TIMEOUT, NSTEST_INLINE, NSTEST_SEED, NSTEST_PLAN, NSTEST_JOBS, NSTEST_TMPFS_SIZE, NSTEST_RECORD, NSTEST_PAUSE, NSTEST_UNSUPPORTED; or give a variable of your own another prefix
    "#]].assert_eq(&refused.failure_of(A_WHILE));
}

#[netns_test(timeout = "2s")]
#[ignore = "fixture of another test"]
fn prints_for_ever() {
    let line = "y\n".repeat(8 * 1024);
    let mut stdout = std::io::stdout().lock();
    while std::io::Write::write_all(&mut stdout, line.as_bytes()).is_ok() {}
}

#[test]
fn a_flood_of_output_does_not_delay_the_timeout() {
    // `text` would take a minute for the hundred million lines.
    let text = Run::of(&["timeouts::prints_for_ever"]).run().whole_text();
    assert!(text.contains("nstest[timeout]: the test did not end within 2s"), "{}", text.len());
}

#[netns(timeout = "2s")]
fn wrapped() {}

/// As an attribute that nstest does not know expands to, below `#[netns]`.
#[test]
#[ignore = "fixture of another test"]
fn locks_a_file_in_both_processes() {
    let file = File::create(marks::directory().join("lock")).unwrap();
    let _lock = Flock::lock(file, FlockArg::LockExclusive).unwrap();
    wrapped();
}

#[test]
fn a_test_that_waits_for_its_own_lock_gets_the_remedy() {
    let fixture = "timeouts::locks_a_file_in_both_processes";
    let shown = Run::of(&[fixture]).run().failure_of(fixture);
    assert!(shown.contains("nstest[timeout]"), "{shown}");
    assert!(shown.contains("both processes of the test want the lock: write it above"), "{shown}");
}
