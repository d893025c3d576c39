//! Seeds, plans, and faults that touched nothing: orders to a body, and what it
//! tells of its network. The fixtures pretend what a network would tell.

use expect_test::expect;
use nstest::__private::{Applied, Findings, pretend};
use nstest::netns_test;
use nstest_tests::driver::Run;

fn random() {
    pretend(|orders| {
        println!("seed {}", orders.seed);
        Findings { random: true, ..Findings::default() }
    });
}

#[netns_test]
#[ignore = "fails on purpose; its case runs it"]
fn default_seed() {
    random();
    panic!("by chance");
}

#[netns_test(seed = 18446744073709551615)]
#[ignore = "fails on purpose; its case runs it"]
fn own_seed() {
    random();
    panic!("by chance");
}

#[netns_test(seed = 5)]
#[ignore = "fails on purpose; its case runs it"]
fn nothing_random() {
    panic!("by itself");
}

#[netns_test(seed = 5)]
#[ignore = "fails on purpose; its case runs it"]
fn dies() {
    std::process::abort();
}

#[test]
fn a_failure_by_chance_tells_its_seed() {
    let run = |fixture: &str| Run::of(&[fixture]).args(["--test-threads=1"]);
    expect![[r#"
        test seeds::default_seed ... FAILED

        ---- seeds::default_seed stdout ----
        seed 1

        thread 'seeds::default_seed' (TID) panicked at tests/runner/seeds.rs:LINE:COLUMN:
        by chance
        note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
        nstest: seed 1 (repeat with NSTEST_SEED=1)
    "#]]
    .assert_eq(&run("seeds::default_seed").run().shown());
    expect![[r#"
        test seeds::own_seed ... FAILED

        ---- seeds::own_seed stdout ----
        seed 18446744073709551615

        thread 'seeds::own_seed' (TID) panicked at tests/runner/seeds.rs:LINE:COLUMN:
        by chance
        note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
        nstest: seed 18446744073709551615 (repeat with NSTEST_SEED=18446744073709551615)
    "#]]
    .assert_eq(&run("seeds::own_seed").run().shown());
    expect![[r#"
        test seeds::nothing_random ... FAILED

        ---- seeds::nothing_random stdout ----

        thread 'seeds::nothing_random' (TID) panicked at tests/runner/seeds.rs:LINE:COLUMN:
        by itself
        note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
    "#]]
    .assert_eq(&run("seeds::nothing_random").run().shown());
    expect![[r#"
        test seeds::dies ... FAILED

        ---- seeds::dies stdout ----
        nstest: seed 5 (repeat with NSTEST_SEED=5)
        nstest[signal]: the test's process was killed by SIGABRT (signal 6) before the test function did
          help: abort() was called; a panic while panicking, a stack overflow and a failed allocation do so: see the output above
    "#]]
    .assert_eq(&run("seeds::dies").run().shown());
    for fixture in ["seeds::default_seed", "seeds::own_seed"] {
        let shown = run(fixture).env("NSTEST_SEED", "0x10").run().shown();
        assert!(shown.contains("seed 16\n"), "{shown}");
        assert!(shown.contains("nstest: seed 16 (repeat with NSTEST_SEED=16)"), "{shown}");
    }
    let nonsense = run("seeds::own_seed").env("NSTEST_SEED", "random").run().shown();
    expect![[r#"
        test seeds::own_seed ... FAILED

        ---- seeds::own_seed stdout ----
        nstest[config]: read NSTEST_SEED=random
          help: a seed is a whole number below 2^64 such as 7 or 0xbeef; unset, each test has its own
    "#]]
    .assert_eq(&nonsense);
}

fn unmatched() {
    let unmatched = ["drop of the 3rd SYN to server", "reset of port 80"];
    let unmatched = unmatched.map(str::to_owned).to_vec();
    pretend(|orders| Findings {
        unmatched,
        injected: orders.plan.as_ref().map(|_| Applied { reached: true, packet: None }),
        ..Findings::default()
    });
}

#[netns_test]
#[ignore = "fails on purpose; its case runs it"]
fn passes_beside_its_faults() {
    unmatched();
}

#[netns_test]
#[ignore = "fails on purpose; its case runs it"]
fn fails_beside_its_faults() {
    unmatched();
    panic!("for a reason");
}

#[netns_test]
#[should_panic(expected = "for a reason")]
#[ignore = "fails on purpose; its case runs it"]
fn panics_beside_its_faults() {
    unmatched();
    panic!("for a reason");
}

#[test]
fn a_test_whose_faults_touched_nothing_fails() {
    let run = |fixture: &str| Run::of(&[fixture]).run().shown();
    expect![[r#"
        test seeds::passes_beside_its_faults ... FAILED

        ---- seeds::passes_beside_its_faults stdout ----
        nstest[fault-unmatched]: inject every fault that the test declares
          cause: this touched nothing:
            drop of the 3rd SYN to server
            reset of port 80
          help: see that what it waits for is sent while it is there; or say `.optional()` of it
    "#]]
    .assert_eq(&run("seeds::passes_beside_its_faults"));
    expect![[r#"
        test seeds::fails_beside_its_faults ... FAILED

        ---- seeds::fails_beside_its_faults stdout ----

        thread 'seeds::fails_beside_its_faults' (TID) panicked at tests/runner/seeds.rs:LINE:COLUMN:
        for a reason
        note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
    "#]]
    .assert_eq(&run("seeds::fails_beside_its_faults"));
    expect![[r#"
        test seeds::panics_beside_its_faults - should panic ... FAILED

        ---- seeds::panics_beside_its_faults stdout ----

        thread 'seeds::panics_beside_its_faults' (TID) panicked at tests/runner/seeds.rs:LINE:COLUMN:
        for a reason
        note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
        nstest[fault-unmatched]: inject every fault that the test declares
          cause: this touched nothing:
            drop of the 3rd SYN to server
            reset of port 80
          help: see that what it waits for is sent while it is there; or say `.optional()` of it
        note: test did not panic as expected at tests/runner/seeds.rs:LINE:COLUMN
    "#]]
    .assert_eq(&run("seeds::panics_beside_its_faults"));
}

#[netns_test]
#[ignore = "its case runs it"]
fn has_no_network() {
    assert_eq!(std::env::var_os("NSTEST_PLAN"), None);
}

#[test]
fn a_plan_must_have_been_applied() {
    let run =
        |fixture: &str, plan: &str| Run::of(&[fixture]).env("NSTEST_PLAN", plan).run().shown();
    expect![[r#"
        test seeds::has_no_network ... FAILED

        ---- seeds::has_no_network stdout ----
        nstest[config]: apply the plan `a: reset`
          cause: the plan was never applied: nothing in the test asked for its network
          help: name the test that the plan is for (`cargo test -- --exact NAME`), or unset NSTEST_PLAN
    "#]]
    .assert_eq(&run("seeds::has_no_network", "a: reset"));
    expect![[r#"
        test seeds::has_no_network ... FAILED

        ---- seeds::has_no_network stdout ----
        nstest[config]: read NSTEST_PLAN= 
          help: a plan of faults is a text, as a failed exploration prints it; or unset it
    "#]]
    .assert_eq(&run("seeds::has_no_network", " "));
    // It changes the course of the test: faults of the test's own may miss.
    expect![[r#"
        test seeds::passes_beside_its_faults ... ok
    "#]]
    .assert_eq(&run("seeds::passes_beside_its_faults", "a: reset"));
}
