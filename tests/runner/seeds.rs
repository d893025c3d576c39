//! Seeds, plans, and faults that affected no packet. The fixtures report invented findings,
//! so that no network is needed.

use expect_test::expect;
use nstest::__private::{Findings, PlanOutcome, pretend};
use nstest::netns_test;
use nstest_tests::driver::{Run, failure};

fn random() {
    pretend(|run_config| {
        println!("seed {}", run_config.seed);
        Findings { random: true, ..Findings::default() }
    });
}

#[netns_test]
#[ignore = "fixture of another test"]
fn default_seed() {
    random();
    panic!("by chance");
}

#[netns_test(seed = 18446744073709551615)]
#[ignore = "fixture of another test"]
fn own_seed() {
    random();
    panic!("by chance");
}

#[netns_test(seed = 5)]
#[ignore = "fixture of another test"]
fn nothing_random() {
    panic!("by itself");
}

#[netns_test(seed = 5)]
#[ignore = "fixture of another test"]
fn dies() {
    std::process::abort();
}

#[test]
fn a_failure_that_may_be_random_prints_its_seed() {
    expect![[r#"
        seed 1

        thread 'seeds::default_seed' (TID) panicked at tests/runner/seeds.rs:LINE:COLUMN:
        by chance
        note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
        nstest: seed 1 (repeat with NSTEST_SEED=1)
    "#]]
    .assert_eq(&failure("seeds::default_seed"));
    expect![[r#"
        seed 18446744073709551615

        thread 'seeds::own_seed' (TID) panicked at tests/runner/seeds.rs:LINE:COLUMN:
        by chance
        note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
        nstest: seed 18446744073709551615 (repeat with NSTEST_SEED=18446744073709551615)
    "#]]
    .assert_eq(&failure("seeds::own_seed"));
    expect![[r#"

        thread 'seeds::nothing_random' (TID) panicked at tests/runner/seeds.rs:LINE:COLUMN:
        by itself
        note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
    "#]]
    .assert_eq(&failure("seeds::nothing_random"));
    expect![[r#"
        nstest: seed 5 (repeat with NSTEST_SEED=5)
        nstest[signal]: the test's process was killed by SIGABRT (signal 6) before the test ended
          help: abort() was called, as by a panic while panicking, a stack overflow or a failed allocation: see the output above
    "#]]
    .assert_eq(&failure("seeds::dies"));
    for fixture in ["seeds::default_seed", "seeds::own_seed"] {
        let shown = Run::of(&[fixture]).env("NSTEST_SEED", "0x10").run().shown();
        assert!(shown.contains("seed 16\n"), "{shown}");
        assert!(shown.contains("nstest: seed 16 (repeat with NSTEST_SEED=16)"), "{shown}");
    }
    let nonsense = Run::of(&["seeds::own_seed"]).env("NSTEST_SEED", "random").run();
    expect![[r#"
        nstest[config]: read NSTEST_SEED=random
          cause: it is no whole number below 2^64
          help: set it to a whole number below 2^64 such as 7 or 0xbeef; or unset it: the default is the test's `seed`, or 1
    "#]]
    .assert_eq(&nonsense.failure_of("seeds::own_seed"));
}

fn unmatched() {
    let unmatched = ["drop of the 3rd SYN to server", "reset of port 80"];
    let unmatched = unmatched.map(str::to_owned).to_vec();
    pretend(|run_config| Findings {
        unmatched,
        injected: run_config
            .plan
            .as_ref()
            .map(|_| PlanOutcome { unmatched: Vec::new(), packet: None }),
        ..Findings::default()
    });
}

#[netns_test]
#[ignore = "fixture of another test"]
fn passes_beside_its_faults() {
    unmatched();
}

#[netns_test]
#[ignore = "fixture of another test"]
fn fails_beside_its_faults() {
    unmatched();
    panic!("for a reason");
}

#[netns_test]
#[should_panic(expected = "for a reason")]
#[ignore = "fixture of another test"]
fn panics_beside_its_faults() {
    unmatched();
    panic!("for a reason");
}

#[test]
fn a_test_fails_if_its_faults_affected_no_packet() {
    expect![[r#"
        nstest[fault-unmatched]: a declared fault had no effect
          cause: drop of the 3rd SYN to server
            reset of port 80
          help: send matching packets or queries while it is active, or mark it `.optional()`
    "#]]
    .assert_eq(&failure("seeds::passes_beside_its_faults"));
    expect![[r#"

        thread 'seeds::fails_beside_its_faults' (TID) panicked at tests/runner/seeds.rs:LINE:COLUMN:
        for a reason
        note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
    "#]]
    .assert_eq(&failure("seeds::fails_beside_its_faults"));
    expect![[r#"
        test seeds::panics_beside_its_faults - should panic ... FAILED

        ---- seeds::panics_beside_its_faults stdout ----

        thread 'seeds::panics_beside_its_faults' (TID) panicked at tests/runner/seeds.rs:LINE:COLUMN:
        for a reason
        note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
        nstest[fault-unmatched]: a declared fault had no effect
          cause: drop of the 3rd SYN to server
            reset of port 80
          help: send matching packets or queries while it is active, or mark it `.optional()`
        note: test did not panic as expected at tests/runner/seeds.rs:LINE:COLUMN
    "#]]
    .assert_eq(&Run::of(&["seeds::panics_beside_its_faults"]).run().shown());
}

#[netns_test]
#[ignore = "fixture of another test"]
fn has_no_network() {
    assert_eq!(std::env::var_os("NSTEST_PLAN"), None);
}

#[test]
fn a_plan_must_have_been_applied() {
    let with = |plan: &str, fixture: &str| Run::of(&[fixture]).env("NSTEST_PLAN", plan).run();
    let fixture = "seeds::has_no_network";
    expect![[r#"
        nstest[config]: apply the plan `a: reset`
          cause: the plan was not applied, since nothing in the test asked for its network
          help: name the test that the plan is for (`cargo test -- --exact NAME`), or unset NSTEST_PLAN
    "#]]
    .assert_eq(&with("a: reset", fixture).failure_of(fixture));
    expect![[r#"
        nstest[config]: read NSTEST_PLAN=;
          cause: it has no fault
          help: set it to a plan of faults as a failed exploration prints it; or unset it
    "#]]
    .assert_eq(&with(";", fixture).failure_of(fixture));
    // A plan changes what the test sends, so the test's own faults may affect no packet.
    let fixture = "seeds::passes_beside_its_faults";
    with("a: reset", fixture).passed_silently(fixture);
}
