//! `explore(…)`: what the runner makes of the findings of many runs.
//!
//! The fixtures pretend findings, so that no network is needed: what the world
//! finds, and how it injects, has tests of its own.

use expect_test::expect;
use nstest::__private::{Findings, FoundPoint, PlanOutcome, RunConfig, pretend};
use nstest::netns_test;
use nstest_tests::driver::{Run, failure, success};
use nstest_tests::marks;

/// What a network with three packets would find.
fn three_points(orders: &RunConfig) -> Findings {
    let point = |n| FoundPoint {
        point: format!("test > server: udp {n}"),
        packet: format!("10.0.2.1:40000 > 10.0.2.2:53, {n} bytes"),
    };
    let points = if orders.census { (1..=3).map(point).collect() } else { Vec::new() };
    let injected = orders.plan.as_ref().map(|plan| PlanOutcome {
        reached: !plan.starts_with("test > server: udp 3"),
        packet: Some("as it was in this run".to_owned()),
    });
    Findings { points, injected, ..Findings::default() }
}

/// The plan of this run; without one, the empty text.
fn explored() -> String {
    let mut plan = String::new();
    pretend(|orders| {
        plan = orders.plan.clone().unwrap_or_default();
        three_points(orders)
    });
    plan
}

#[netns_test(explore(reset, drop))]
#[ignore = "its case runs it"]
fn survives() {
    let plan = explored();
    println!("printed with plan `{plan}`");
}

#[test]
fn a_test_that_survives_says_how_much() {
    expect![[r#"
        printed with plan ``
        nstest: survived 3 points x 2 faults, in 6 runs

        2 runs did not come to the point, so that nothing was injected:
          test > server: udp 3: then reset
          test > server: udp 3: drop
    "#]]
    .assert_eq(&success("exploration::survives"));
}

#[netns_test(seed = 9, timeout = "2s", explore(reset, drop))]
#[ignore = "fails on purpose; its case runs it"]
fn fails_in_every_way() {
    let plan = explored();
    println!("plan `{plan}`");
    match plan.as_str() {
        "test > server: udp 1: drop" => assert_eq!(1 + 1, 3, "sums"),
        "test > server: udp 2: then reset" => std::process::abort(),
        "test > server: udp 2: drop" => marks::hang(),
        "test > server: udp 3: then reset" => std::process::exit(0),
        _ => {}
    }
}

const IN_EVERY_WAY: &str = "exploration::fails_in_every_way";

#[test]
fn the_first_failing_point_is_told_and_all_are_listed() {
    let run = || Run::of(&[IN_EVERY_WAY]).env("CARGO_PKG_NAME", "shop");
    expect![[r#"
        plan ``
        nstest[exploration]: without a fault the test passes; with one it fails in 4 of 6 runs (3 points x 2 faults)

        first: test > server: udp 1: drop
          packet: as it was in this run
          panicked: assertion `left == right` failed: sums
              left: 2
             right: 3
          it printed:
            plan `test > server: udp 1: drop`

            thread 'exploration::fails_in_every_way' (TID) panicked at tests/runner/exploration.rs:LINE:COLUMN:
            assertion `left == right` failed: sums
              left: 2
             right: 3
            note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace

        all that fail:
          test > server: udp 1: drop        panicked: assertion `left == right` failed: sums
          test > server: udp 2: then reset  the test's process was killed by SIGABRT (signal 6) before the test function returned
          test > server: udp 2: drop        the test did not end within 2s; it was killed
          test > server: udp 3: then reset  the test's process exited with status 0 before the test function returned

        1 run did not come to the point, so that nothing was injected:
          test > server: udp 3: drop

        the first one alone:
          NSTEST_PLAN="test > server: udp 1: drop" NSTEST_SEED=9 cargo test -p shop -- --include-ignored --exact exploration::fails_in_every_way
    "#]]
    .assert_eq(&run().run().failure_of(IN_EVERY_WAY));
    // The same whatever ends first, and also where output is not captured.
    let one = run().env("NSTEST_JOBS", "1").run().shown();
    assert_eq!(one, run().env("NSTEST_JOBS", "7").run().shown());
    let streamed = run().args(["--nocapture"]).run().text();
    assert!(streamed.contains("first: test > server: udp 1: drop"), "{streamed}");
    assert!(!streamed.contains("plan `test > server: udp 1: then reset`"), "{streamed}");
}

#[test]
fn a_plan_makes_one_run() {
    let with = |plan: &str| Run::of(&[IN_EVERY_WAY]).env("NSTEST_PLAN", plan).run();
    expect![[r#"
        plan `test > server: udp 1: drop`

        thread 'exploration::fails_in_every_way' (TID) panicked at tests/runner/exploration.rs:LINE:COLUMN:
        assertion `left == right` failed: sums
          left: 2
         right: 3
        note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
    "#]]
    .assert_eq(&with("test > server: udp 1: drop").failure_of(IN_EVERY_WAY));
    with("test > server: udp 1: then reset").passed_silently(IN_EVERY_WAY);
    expect![[r#"
        plan `test > server: udp 3: drop`
        nstest[fault-unmatched]: apply the plan `test > server: udp 3: drop`
          cause: it affected no packet, since none of those that it describes was sent
          help: check that the plan belongs to this test, and that the test has not changed since the plan was printed
    "#]]
    .assert_eq(&with("test > server: udp 3: drop").failure_of(IN_EVERY_WAY));
}

#[netns_test(explore(reset))]
#[ignore = "fails on purpose; its case runs it"]
fn fails_without_a_fault() {
    explored();
    panic!("anyway");
}

#[netns_test(explore(reset))]
#[ignore = "fails on purpose; its case runs it"]
fn has_no_network() {}

#[netns_test(explore(reset))]
#[ignore = "fails on purpose; its case runs it"]
fn is_never_the_same() {
    pretend(|orders| {
        let mut findings = three_points(orders);
        findings.injected = findings.injected.map(|i| PlanOutcome { reached: false, ..i });
        findings
    });
}

#[test]
fn an_exploration_that_shows_nothing_fails() {
    expect![[r#"

        thread 'exploration::fails_without_a_fault' (TID) panicked at tests/runner/exploration.rs:LINE:COLUMN:
        anyway
        note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
        nstest: nothing was explored: the test fails in its run without faults
    "#]].assert_eq(&failure("exploration::fails_without_a_fault"));
    expect![[r#"
        nstest[exploration]: explore the test: find a point at which to inject a fault
          cause: in its run without faults no packet went over its network
          help: let the test take its nodes as parameters (`server: Node`), and talk to them
    "#]]
    .assert_eq(&failure("exploration::has_no_network"));
    expect![[r#"
        nstest[exploration]: explore the test: inject a fault in any of 3 runs (3 points x 1 fault)
          cause: the packets of its run without faults did not come in any other run: each time it sends others
          help: let the test do the same each time: fixed ports and one order of its connections
    "#]].assert_eq(&failure("exploration::is_never_the_same"));
}

/// More than a pipe holds, many times over.
const MANY: usize = 20_000;

#[netns_test(explore(cut, reset, drop, max = 3))]
#[ignore = "its case runs it"]
fn has_many_points() {
    pretend(|orders| {
        let mut findings = three_points(orders);
        let point = |n| FoundPoint { point: format!("point {n}"), packet: "x".repeat(100) };
        findings.points = if orders.census { (0..MANY).map(point).collect() } else { Vec::new() };
        findings
    });
}

#[test]
fn a_census_may_be_larger_than_the_pipe_and_a_sample_is_told() {
    expect![[r#"
        nstest: survived 20000 points x 3 faults, in 3 runs
        sampled from 60000 runs by seed 1, since `max = 3`
    "#]]
    .assert_eq(&success("exploration::has_many_points"));
}

#[test]
fn inline_mode_plays_one_run_and_explores_nothing() {
    let fixture = "exploration::survives";
    let inline = Run::of(&[fixture]).env("NSTEST_INLINE", "1");
    expect![[r#"
        nstest[inline]: explore a test in the test binary's own process
          cause: each run of an exploration has a process of its own
          help: unset NSTEST_INLINE; or set NSTEST_PLAN to a plan that the exploration printed, to play one run
    "#]]
    .assert_eq(&inline.run().failure_of(fixture));
    // One run can be played, for a debugger.
    let mut command = std::process::Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net"]);
    let run = Run::under(command, &[fixture]).args(["--show-output"]).env("NSTEST_INLINE", "1");
    expect![[r#"
        printed with plan `test > server: udp 1: drop`
    "#]]
    .assert_eq(&run.env("NSTEST_PLAN", "test > server: udp 1: drop").run().success_of(fixture));
}

#[test]
fn a_number_of_jobs_that_is_none_is_refused() {
    let outcome = Run::of(&["exploration::survives"]).env("NSTEST_JOBS", "many").run();
    expect![[r#"
        nstest[config]: read NSTEST_JOBS=many
          help: set it to the most runs of explorations at a time, a whole number from 1 to 1024; or unset it, for 2 on each processor
    "#]]
    .assert_eq(&outcome.failure_of("exploration::survives"));
}

/// Waits in each run, with a job, until its driver has seen enough.
#[netns_test(explore(cut, reset))]
#[ignore = "its case runs it"]
fn waits_in_each_run() {
    let plan = explored();
    if !plan.is_empty() {
        marks::set(&plan);
        marks::wait("go");
    }
}

#[test]
fn explorations_die_with_their_parent() {
    let running = Run::of(&["exploration::waits_in_each_run"]).env("NSTEST_JOBS", "3").start();
    for plan in ["1: then cut", "1: then reset", "2: then cut"] {
        running.wait_for(&format!("test > server: udp {plan}"));
    }
    assert!(!running.case().join("test > server: udp 2: then reset").exists());
    running.signal(nix::sys::signal::Signal::SIGKILL);
    running.end(); // which sees that none is left
}

/// Each run has the mark to itself for a while; another one at the same time sees it.
fn is_alone() {
    if explored().is_empty() {
        return;
    }
    let mark = marks::directory().join("inside");
    std::fs::File::create_new(&mark).expect("there is one run at a time");
    for _ in 0..10 {
        assert!(std::process::Command::new("true").status().unwrap().success());
    }
    std::fs::remove_file(&mark).unwrap();
}

#[netns_test(explore(cut, reset))]
#[ignore = "its case runs it"]
fn is_alone_first() {
    is_alone();
}

#[netns_test(explore(cut, reset))]
#[ignore = "its case runs it"]
fn is_alone_second() {
    is_alone();
}

/// Under libtest; tests/toolchain has the same under nextest.
#[test]
fn explorations_share_their_jobs() {
    let fixtures = ["exploration::is_alone_first", "exploration::is_alone_second"];
    let outcome = Run::of(&fixtures).args(["--test-threads=2"]).env("NSTEST_JOBS", "1").run();
    assert!(outcome.text().contains("2 passed"), "{}", outcome.text());
}
