//! `explore(…)`: how the runner combines the findings of many runs.
//!
//! The fixtures report invented findings, so that no network is needed. The packets that a
//! census finds, and the injection of faults, are tested in `exploration`.

use expect_test::expect;
use nstest::__private::{Findings, FoundPoint, PlanOutcome, RunConfig, pretend};
use nstest::netns_test;
use nstest_tests::driver::{Run, failure, success};
use nstest_tests::marks;

/// The findings of a network with three packets.
fn three_points(run_config: &RunConfig) -> Findings {
    let point = |n| FoundPoint {
        point: format!("server ingress tcp port 80 #1 data nth {n}"),
        packet: format!("TCP 10.0.2.1:40000 > 10.0.2.2:80 PSH ACK seq 1 ack 1 len {n}"),
    };
    let points = if run_config.census { (1..=3).map(point).collect() } else { Vec::new() };
    let injected = run_config.plan.as_ref().map(|plan| PlanOutcome {
        unmatched: Vec::from_iter(plan.contains("data nth 3").then(|| plan.clone())),
        packet: Some("as it was in this run".to_owned()),
    });
    Findings { points, injected, ..Findings::default() }
}

/// The plan of this run; without one, the empty text.
fn explored() -> String {
    let mut plan = String::new();
    pretend(|run_config| {
        plan = run_config.plan.clone().unwrap_or_default();
        three_points(run_config)
    });
    plan
}

#[netns_test(explore(then reset, drop))]
#[ignore = "fixture of another test"]
fn passes() {
    let plan = explored();
    println!("printed with plan `{plan}`");
}

#[test]
fn a_test_that_passes_reports_the_number_of_runs() {
    expect![[r#"
        printed with plan ``
        nstest: passed 6 runs (3 points x 2 faults)

        no fault injected in 2 runs, which did not reach the point:
          server ingress tcp port 80 #1 data nth 3: then reset
          server ingress tcp port 80 #1 data nth 3: drop
    "#]]
    .assert_eq(&success("exploration::passes"));
}

#[netns_test(seed = 9, timeout = "2s", explore(then reset, drop))]
#[ignore = "fixture of another test"]
fn fails_in_every_way() {
    let plan = explored();
    println!("plan `{plan}`");
    match plan.as_str() {
        "server ingress tcp port 80 #1 data nth 1: drop" => assert_eq!(1 + 1, 3, "sums"),
        "server ingress tcp port 80 #1 data nth 2: then reset" => std::process::abort(),
        "server ingress tcp port 80 #1 data nth 2: drop" => marks::hang(),
        "server ingress tcp port 80 #1 data nth 3: then reset" => std::process::exit(0),
        _ => {}
    }
}

const IN_EVERY_WAY: &str = "exploration::fails_in_every_way";

#[test]
fn the_first_failure_is_shown_and_all_are_listed() {
    let run = || {
        let directory = env!("CARGO_MANIFEST_DIR");
        Run::of(&[IN_EVERY_WAY]).env("CARGO_PKG_NAME", "shop").env("CARGO_MANIFEST_DIR", directory)
    };
    expect![[r#"
        plan ``
        nstest[exploration]: the test passes without faults, but fails in 4 of 6 runs (3 points x 2 faults)

        first failure: server ingress tcp port 80 #1 data nth 1: drop
          packet: as it was in this run
          panicked: assertion `left == right` failed: sums
              left: 2
             right: 3
          output:
            plan `server ingress tcp port 80 #1 data nth 1: drop`

            thread 'exploration::fails_in_every_way' (TID) panicked at tests/runner/exploration.rs:LINE:COLUMN:
            assertion `left == right` failed: sums
              left: 2
             right: 3
            note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace

        all failures:
          server ingress tcp port 80 #1 data nth 1: drop        panicked: assertion `left == right` failed: sums
          server ingress tcp port 80 #1 data nth 2: then reset  the test's process was killed by SIGABRT (signal 6) before the test ended
          server ingress tcp port 80 #1 data nth 2: drop        the test did not end within 2s; it was killed
          server ingress tcp port 80 #1 data nth 3: then reset  the test's process exited with status 0 before the test ended

        no fault injected in 1 run, which did not reach the point:
          server ingress tcp port 80 #1 data nth 3: drop

        repeat the first failure:
          NSTEST_PLAN="server ingress tcp port 80 #1 data nth 1: drop" NSTEST_SEED=9 cargo test -p shop --test runner -- --include-ignored --exact exploration::fails_in_every_way
    "#]]
    .assert_eq(&run().run().failure_of(IN_EVERY_WAY));
    // The report does not depend on which run ends first, or on capturing.
    let one = run().env("NSTEST_JOBS", "1").run().shown();
    assert_eq!(one, run().env("NSTEST_JOBS", "7").run().shown());
    let streamed = run().args(["--nocapture"]).run().text();
    assert!(
        streamed.contains("first failure: server ingress tcp port 80 #1 data nth 1: drop"),
        "{streamed}"
    );
    assert!(
        !streamed.contains("plan `server ingress tcp port 80 #1 data nth 1: then reset`"),
        "{streamed}"
    );
}

#[test]
fn with_a_plan_the_test_runs_once() {
    let with = |plan: &str| Run::of(&[IN_EVERY_WAY]).env("NSTEST_PLAN", plan).run();
    expect![[r#"
        plan `server ingress tcp port 80 #1 data nth 1: drop`

        thread 'exploration::fails_in_every_way' (TID) panicked at tests/runner/exploration.rs:LINE:COLUMN:
        assertion `left == right` failed: sums
          left: 2
         right: 3
        note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
    "#]]
    .assert_eq(&with("server ingress tcp port 80 #1 data nth 1: drop").failure_of(IN_EVERY_WAY));
    with("server ingress tcp port 80 #1 data nth 1: then reset").passed_silently(IN_EVERY_WAY);
    expect![[r#"
        plan `server ingress tcp port 80 #1 data nth 3: drop`
        nstest[fault-unmatched]: apply the plan `server ingress tcp port 80 #1 data nth 3: drop`
          cause: these had no effect:
            server ingress tcp port 80 #1 data nth 3: drop
          help: correct its names, packets or numbers; a plan that was printed belongs to the test as it was then
    "#]]
    .assert_eq(&with("server ingress tcp port 80 #1 data nth 3: drop").failure_of(IN_EVERY_WAY));
}

#[netns_test(explore(then reset))]
#[ignore = "fixture of another test"]
fn fails_without_a_fault() {
    explored();
    panic!("anyway");
}

#[netns_test(explore(then reset))]
#[ignore = "fixture of another test"]
fn has_no_network() {}

#[netns_test(explore(then reset))]
#[ignore = "fixture of another test"]
fn is_never_the_same() {
    pretend(|run_config| {
        let mut findings = three_points(run_config);
        findings.injected =
            findings.injected.map(|i| PlanOutcome { unmatched: vec!["the fault".to_owned()], ..i });
        findings
    });
}

#[test]
fn an_exploration_that_tests_nothing_fails() {
    expect![[r#"

        thread 'exploration::fails_without_a_fault' (TID) panicked at tests/runner/exploration.rs:LINE:COLUMN:
        anyway
        note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
        nstest: nothing was explored: the test fails in its run without faults
    "#]].assert_eq(&failure("exploration::fails_without_a_fault"));
    expect![[r#"
        nstest[exploration]: explore the test: find a point at which to inject a fault
          cause: no packet crossed a link in the run without faults
          help: give the test a node as a parameter (`server: Node`), and exchange packets with it
    "#]]
    .assert_eq(&failure("exploration::has_no_network"));
    expect![[r#"
        nstest[exploration]: explore the test: inject a fault in any of 3 runs (3 points x 1 fault)
          cause: no run reached its injection point: the test sends different packets in each run
          help: let the test send the same packets in each run: use fixed ports, and open connections in a fixed order
    "#]].assert_eq(&failure("exploration::is_never_the_same"));
}

/// Many times more than a pipe holds.
const MANY: usize = 20_000;

#[netns_test(explore(then cut, then reset, drop, max = 3))]
#[ignore = "fixture of another test"]
fn has_many_points() {
    pretend(|run_config| {
        let mut findings = three_points(run_config);
        let point = |n| FoundPoint {
            point: format!("server ingress tcp port 80 #1 data nth {n}"),
            packet: "x".repeat(100),
        };
        findings.points =
            if run_config.census { (1..=MANY).map(point).collect() } else { Vec::new() };
        findings
    });
}

#[test]
fn a_census_may_be_larger_than_the_pipe_and_be_sampled() {
    expect![[r#"
        nstest: passed 3 runs (20000 points x 3 faults)
        the 3 runs are a sample of 60000, drawn with seed 1 (`max = 3`)
    "#]]
    .assert_eq(&success("exploration::has_many_points"));
}

#[test]
fn inline_mode_runs_one_plan_and_refuses_an_exploration() {
    let fixture = "exploration::passes";
    let inline = Run::of(&[fixture]).env("NSTEST_INLINE", "1");
    expect![[r#"
        nstest[inline]: explore a test in the test binary's own process
          cause: each run of an exploration has a process of its own
          help: unset NSTEST_INLINE; or set NSTEST_PLAN to a plan that the exploration printed, to play one run
    "#]]
    .assert_eq(&inline.run().failure_of(fixture));
    // A single run works, for debuggers.
    let mut command = std::process::Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net"]);
    let run = Run::under(command, &[fixture]).args(["--show-output"]).env("NSTEST_INLINE", "1");
    expect![[r#"
        printed with plan `server ingress tcp port 80 #1 data nth 1: drop`
    "#]]
    .assert_eq(
        &run.env("NSTEST_PLAN", "server ingress tcp port 80 #1 data nth 1: drop")
            .run()
            .success_of(fixture),
    );
}

#[test]
fn an_invalid_number_of_jobs_is_refused() {
    let outcome = Run::of(&["exploration::passes"]).env("NSTEST_JOBS", "many").run();
    expect![[r#"
        nstest[config]: read NSTEST_JOBS=many
          cause: it is no whole number from 1 to 1024
          help: set it to the most runs of explorations at a time, a whole number from 1 to 1024; or unset it, for 2 on each processor
    "#]]
    .assert_eq(&outcome.failure_of("exploration::passes"));
}

/// Holds a job in each run until the test below ends it.
#[netns_test(explore(then cut, then reset))]
#[ignore = "fixture of another test"]
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
        running.wait_for(&format!("server ingress tcp port 80 #1 data nth {plan}"));
    }
    assert!(!running.case().join("server ingress tcp port 80 #1 data nth 2: then reset").exists());
    running.signal(nix::sys::signal::Signal::SIGKILL);
    running.end(); // checks that no process is left
}

/// Fails if another run is active at the same time.
fn is_alone() {
    if explored().is_empty() {
        return;
    }
    let mark = marks::directory().join("inside");
    std::fs::File::create_new(&mark).expect("only one run at a time");
    for _ in 0..10 {
        assert!(std::process::Command::new("true").status().unwrap().success());
    }
    std::fs::remove_file(&mark).unwrap();
}

#[netns_test(explore(then cut, then reset))]
#[ignore = "fixture of another test"]
fn is_alone_first() {
    is_alone();
}

#[netns_test(explore(then cut, then reset))]
#[ignore = "fixture of another test"]
fn is_alone_second() {
    is_alone();
}

/// Under libtest. tests/toolchain has the same test under nextest.
#[test]
fn explorations_share_their_jobs() {
    let fixtures = ["exploration::is_alone_first", "exploration::is_alone_second"];
    let outcome = Run::of(&fixtures).args(["--test-threads=2"]).env("NSTEST_JOBS", "1").run();
    assert!(outcome.text().contains("2 passed"), "{}", outcome.text());
}
