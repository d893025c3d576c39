//! The test binary is started again with the test's name. A test that libtest does not
//! know by that name, or that is registered twice, must not pass.

use expect_test::expect;
use nstest::{netns, netns_test};
use nstest_tests::driver::Run;

#[netns]
fn unknown_to_libtest() {}

#[test]
#[ignore = "fixture of another test"]
fn calls_from_a_thread() {
    let called = std::thread::spawn(unknown_to_libtest).join();
    if let Err(payload) = called {
        std::panic::resume_unwind(payload);
    }
}

#[test]
fn a_name_that_libtest_does_not_know_fails() {
    expect![[r#"
        test names::calls_from_a_thread ... FAILED

        ---- names::calls_from_a_thread stdout ----
        nstest[not-started]: the test binary, started again with `--exact names::unknown_to_libtest`, did not run this test
          help: libtest must call the test under that name: with a macro that makes tests of its own, put #[netns] on a sync function and #[nstest::test] on an async one, below that macro
    "#]].assert_eq(&Run::of(&["names::calls_from_a_thread"]).run().shown());
}

#[test]
#[netns_test]
#[ignore = "fixture of another test"]
fn registered_twice() {}

#[test]
fn a_test_that_is_registered_twice_fails() {
    let run = |threads| Run::of(&["names::registered_twice"]).args([threads]).run();
    expect![[r#"
        test names::registered_twice ... ok
        test names::registered_twice ... FAILED

        ---- names::registered_twice stdout ----
        nstest[registered-twice]: run the test `names::registered_twice` a second time
          cause: libtest called it twice in one run, so another attribute registers the function, too
          help: remove its #[test]; or, under a macro that makes tests of its own, use #[netns] on a sync function and #[nstest::test] on an async one
    "#]].assert_eq(&run("--test-threads=1").shown());
    let parallel = run("--test-threads=2").text();
    assert!(parallel.contains("1 passed; 1 failed"), "{parallel}");
    assert!(parallel.contains("nstest[registered-twice]"), "{parallel}");
}

#[netns_test]
#[ignore = "fixture of another test"]
fn inner() {
    println!("inner {}", std::fs::read_dir("/proc/self/task").unwrap().count());
}

#[netns_test]
#[ignore = "fixture of another test"]
fn outer() {
    let bound = std::net::TcpListener::bind("127.0.0.1:80").unwrap();
    inner();
    drop(bound);
}

#[netns_test]
#[ignore = "fixture of another test"]
fn inner_fails() {
    let _bound = std::net::TcpListener::bind("127.0.0.1:80").unwrap();
    panic!("inside");
}

#[netns_test]
#[ignore = "fixture of another test"]
fn outer_fails() {
    let _bound = std::net::TcpListener::bind("127.0.0.1:80").unwrap();
    inner_fails();
}

#[test]
fn a_test_in_a_test_has_a_namespace_of_its_own() {
    // Real root's tests have a read-only /proc/sys, and those in them no fresh /proc.
    let run = |run: Run| {
        let shown = run.run().shown();
        let lines = shown.lines().filter(|line| !line.starts_with("nstest: note: "));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    expect![[r#"
        test names::outer ... ok

        successes:

        ---- names::outer stdout ----
        inner 2

        successes:
            names::outer
    "#]]
    .assert_eq(&run(Run::of(&["names::outer"]).args(["--show-output"])));
    expect![[r#"
        test names::outer_fails ... FAILED

        ---- names::outer_fails stdout ----

        thread 'names::inner_fails' (TID) panicked at tests/runner/names.rs:LINE:COLUMN:
        inside
        note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
    "#]]
    .assert_eq(&run(Run::of(&["names::outer_fails"])));
}

mod r#mod {
    use nstest::netns_test;

    #[netns_test]
    #[ignore = "fixture of another test"]
    fn r#fn() {}

    #[netns_test]
    #[ignore = "fixture of another test"]
    fn größe() {}
}

#[test]
fn raw_and_unicode_names_are_known() {
    let fixtures = ["names::r#mod::r#fn", "names::r#mod::größe"];
    let outcome = Run::of(&fixtures).args(["--test-threads=1"]).run();
    expect![[r#"
        test names::r#mod::größe ... ok
        test names::r#mod::r#fn ... ok
    "#]]
    .assert_eq(&outcome.shown());
}
