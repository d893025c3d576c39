//! `timeout = "…"` and `NSTEST_TIMEOUT`.

use expect_test::expect;
use nstest::{TestContext, netns_test};
use nstest_tests::driver::Run;
use nstest_tests::marks;

#[netns_test(timeout = "100ms")]
#[ignore = "fails on purpose; its case runs it"]
fn hangs() {
    marks::hang();
}

#[netns_test(timeout = "none")]
#[ignore = "its case runs it"]
fn may_take_for_ever(context: TestContext) {
    println!("{:?}", context.timeout());
}

#[netns_test(timeout = "1m 30s")]
#[ignore = "its case runs it"]
fn may_take_a_while(context: TestContext) {
    println!("{:?}", context.timeout());
    assert!(context.remaining() <= context.timeout());
}

const ALL: [&str; 2] = ["timeouts::may_take_a_while", "timeouts::may_take_for_ever"];

fn with(value: &str) -> Run {
    Run::of(&ALL).args(["--test-threads=1", "--show-output"]).env("NSTEST_TIMEOUT", value)
}

#[test]
fn the_variable_scales_the_timeout() {
    expect![[r#"
        test timeouts::may_take_a_while ... ok
        test timeouts::may_take_for_ever ... ok

        successes:

        ---- timeouts::may_take_a_while stdout ----
        Some(180s)

        ---- timeouts::may_take_for_ever stdout ----
        None

        successes:
            timeouts::may_take_a_while
            timeouts::may_take_for_ever
    "#]]
    .assert_eq(&with("2").run().shown());
    expect![[r#"
        test timeouts::may_take_a_while ... ok
        test timeouts::may_take_for_ever ... ok

        successes:

        ---- timeouts::may_take_a_while stdout ----
        None

        ---- timeouts::may_take_for_ever stdout ----
        None

        successes:
            timeouts::may_take_a_while
            timeouts::may_take_for_ever
    "#]]
    .assert_eq(&with("none").run().shown());
    let hangs = Run::of(&["timeouts::hangs"]).env("NSTEST_TIMEOUT", "1.5x").run();
    assert!(hangs.text().contains("did not end within 150ms"), "{}", hangs.text());
}

#[test]
fn nonsense_in_the_variable_is_an_error() {
    expect![[r#"
        test timeouts::may_take_a_while ... FAILED
        test timeouts::may_take_for_ever ... FAILED

        successes:

        successes:

        ---- timeouts::may_take_a_while stdout ----
        nstest[config]: read NSTEST_TIMEOUT=30s
          help: it multiplies every timeout: a number above 0 such as 3 or 0.5, or `none` for no timeouts

        ---- timeouts::may_take_for_ever stdout ----
        nstest[config]: read NSTEST_TIMEOUT=30s
          help: it multiplies every timeout: a number above 0 such as 3 or 0.5, or `none` for no timeouts
    "#]].assert_eq(&with("30s").run().shown());
}

#[netns_test(timeout = "2s")]
#[ignore = "fails on purpose; its case runs it"]
fn prints_for_ever() {
    let line = "y\n".repeat(8 * 1024);
    let mut stdout = std::io::stdout().lock();
    while std::io::Write::write_all(&mut stdout, line.as_bytes()).is_ok() {}
}

#[test]
fn a_flood_of_output_does_not_drown_the_timeout() {
    let text = Run::of(&["timeouts::prints_for_ever"]).run().text();
    let end = &text[text.len() - 2000..];
    assert!(end.contains("nstest[timeout]: the test did not end within 2s"), "{end}");
}
