use expect_test::expect;

use super::*;
use crate::fault::{Action, ExploreFault};
use crate::run_config::FoundPoint;
use crate::runner::explore::sweep::CaseResult;
use crate::runner::record::TestRecord;
use crate::runner::test::Explore;

const RESET: ExploreFault = ExploreFault { then: true, action: Action::Reset };
const DROP: ExploreFault = ExploreFault { then: false, action: Action::Drop };

fn points() -> Vec<FoundPoint> {
    let point = |n| FoundPoint {
        point: format!("server ingress tcp port 80 #1 data nth {n}"),
        packet: format!("TCP 10.0.2.1:40000 > 10.0.2.2:80 PSH ACK seq 1 ack 1 len {n}"),
    };
    (1..=3).map(point).collect()
}

fn failure(text: &str) -> CaseResult {
    let text = text.to_owned();
    CaseResult::Failed(CaseFailure { text, not_reached: false, packet: None })
}

fn results(list: Vec<CaseResult>, printed: &str) -> Results {
    Results { list, printed: printed.to_owned(), record: TestRecord::default() }
}

fn cases(points: &[FoundPoint], max: Option<u32>) -> Cases<'_> {
    Cases::of(points, &Explore { faults: &[RESET, DROP], max }, 7).unwrap()
}

const SELECTION: &str = "-p shop --test shop -- ";

fn report<'a>(cases: &'a Cases<'a>, results: &'a Results) -> Report<'a> {
    assert_eq!(cases.list.len(), results.list.len());
    Report { name: "pays::twice", seed: 7, cases, results }
}

#[test]
fn the_first_failure_is_shown_whole_and_all_in_a_table() {
    let results = results(
        vec![
            CaseResult::Passed,
            CaseResult::NotReached,
            failure("panicked: assertion failed\n  left: 1\n right: 2"),
            CaseResult::Passed,
            failure(
                "the test did not end within 10s; it was killed; processes alive then:\n  PID 2 (sleeping): shop",
            ),
            CaseResult::Failed(CaseFailure {
                text: "returned the exit code 1".to_owned(),
                not_reached: true,
                packet: None,
            }),
        ],
        "paid\nthread 'pays::twice' panicked\n",
    );
    expect![[r#"
        nstest[exploration]: the test passes without faults, but fails in 3 of 6 runs (3 points x 2 faults)

        first failure: server ingress tcp port 80 #1 data nth 2: then reset
          packet: TCP 10.0.2.1:40000 > 10.0.2.2:80 PSH ACK seq 1 ack 1 len 2
          panicked: assertion failed
              left: 1
             right: 2
          output:
            paid
            thread 'pays::twice' panicked

        all failures:
          server ingress tcp port 80 #1 data nth 2: then reset  panicked: assertion failed
          server ingress tcp port 80 #1 data nth 3: then reset  the test did not end within 10s; it was killed
          server ingress tcp port 80 #1 data nth 3: drop        returned the exit code 1

        no fault injected in 2 runs, which did not reach the point:
          server ingress tcp port 80 #1 data nth 1: drop
          server ingress tcp port 80 #1 data nth 3: drop

        repeat the first failure:
          NSTEST_PLAN="server ingress tcp port 80 #1 data nth 2: then reset" NSTEST_SEED=7 cargo test -p shop --test shop -- --exact pays::twice
    "#]]
    .assert_eq(&report(&cases(&points(), None), &results).failed(SELECTION));
}

#[test]
fn one_failure_needs_no_table() {
    let fate = CaseResult::Failed(CaseFailure {
        text: "panicked: x".to_owned(),
        not_reached: true,
        packet: Some("as it was in this run".to_owned()),
    });
    let results = results(vec![fate, CaseResult::Passed], "");
    expect![[r#"
        nstest[exploration]: the test passes without faults, but fails in 1 of 2 runs (3 points x 2 faults)
        the 2 runs are a sample of 6, drawn with seed 7 (`max = 2`)

        first failure: server ingress tcp port 80 #1 data nth 2: drop
          packet: as it was in this run
          panicked: x
          the fault affected no packet in this run: the test fails at random

        no fault injected in 1 run, which did not reach the point:
          server ingress tcp port 80 #1 data nth 2: drop

        repeat the first failure:
          NSTEST_PLAN="server ingress tcp port 80 #1 data nth 2: drop" NSTEST_SEED=7 cargo test -p shop --test shop -- --exact pays::twice
    "#]]
    .assert_eq(&report(&cases(&points(), Some(2)), &results).failed(SELECTION));
}

#[test]
fn a_test_that_passes_reports_the_number_of_runs() {
    let all = results(vec![CaseResult::Passed; 6], "");
    expect![[r#"
        nstest: passed 6 runs (3 points x 2 faults)
    "#]]
    .assert_eq(&report(&cases(&points(), None), &all).passed());
    let sample = results(vec![CaseResult::Passed, CaseResult::NotReached], "");
    expect![[r#"
        nstest: passed 2 runs (3 points x 2 faults)
        the 2 runs are a sample of 6, drawn with seed 7 (`max = 2`)

        no fault injected in 1 run, which did not reach the point:
          server ingress tcp port 80 #1 data nth 3: drop
    "#]]
    .assert_eq(&report(&cases(&points(), Some(2)), &sample).passed());
}

#[test]
fn an_exploration_without_an_injected_fault_is_an_error() {
    let none = results(vec![CaseResult::NotReached; 6], "");
    assert!(none.none_reached());
    expect![[r#"
        nstest[exploration]: explore the test: inject a fault in any of 6 runs (3 points x 2 faults)
          cause: no run reached its injection point: the test sends different packets in each run
          help: let the test send the same packets in each run: use fixed ports, and open connections in a fixed order
    "#]]
    .assert_eq(&format!("{:?}\n", report(&cases(&points(), None), &none).none_reached()));
}
