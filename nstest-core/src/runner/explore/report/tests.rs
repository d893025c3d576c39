use expect_test::expect;

use super::*;
use crate::run_config::FoundPoint;
use crate::runner::explore::sweep::Fate;
use crate::runner::test::Explore;

fn points() -> Vec<FoundPoint> {
    let point = |n| FoundPoint {
        point: format!("client > server: tcp data {n}"),
        packet: format!("10.0.2.1:40000 > 10.0.2.2:80 [ACK, PSH] {n} bytes"),
    };
    (1..=3).map(point).collect()
}

fn failing(how: &str) -> Fate {
    Fate::Failed(Failing { how: how.to_owned(), missed: false, packet: None })
}

fn swept(fates: Vec<Fate>, printed: &str) -> Swept {
    Swept { fates, printed: printed.to_owned() }
}

fn cases(points: &[FoundPoint], max: Option<u32>) -> Cases<'_> {
    Cases::of(points, &Explore { faults: &["reset", "drop"], max }, 7)
}

fn report<'a>(cases: &'a Cases<'a>, swept: &'a Swept) -> Report<'a> {
    assert_eq!(cases.list.len(), swept.fates.len());
    let package = Some("shop".to_owned());
    Report { name: "pays::twice", package, seed: 7, cases, swept }
}

#[test]
fn the_first_failure_is_told_whole_and_all_in_a_table() {
    let swept = swept(
        vec![
            Fate::Survived,
            Fate::NotReached,
            failing("panicked: assertion failed\n  left: 1\n right: 2"),
            Fate::Survived,
            failing(
                "the test did not end within 10s; it was killed; processes alive then:\n  PID 2 (sleeping): shop",
            ),
            Fate::Failed(Failing {
                how: "returned a failure: 1".to_owned(),
                missed: true,
                packet: None,
            }),
        ],
        "paid\nthread 'pays::twice' panicked\n",
    );
    expect![[r#"
        nstest[exploration]: without a fault the test passes; with one it fails in 3 of 6 runs (3 points x 2 faults)

        first: client > server: tcp data 2: then reset
          packet: 10.0.2.1:40000 > 10.0.2.2:80 [ACK, PSH] 2 bytes
          panicked: assertion failed
              left: 1
             right: 2
          it printed:
            paid
            thread 'pays::twice' panicked

        all that fail:
          client > server: tcp data 2: then reset  panicked: assertion failed
          client > server: tcp data 3: then reset  the test did not end within 10s; it was killed
          client > server: tcp data 3: drop        returned a failure: 1

        2 runs did not come to the point, so that nothing was injected:
          client > server: tcp data 1: drop
          client > server: tcp data 3: drop

        the first one alone:
          NSTEST_PLAN="client > server: tcp data 2: then reset" NSTEST_SEED=7 cargo test -p shop -- --include-ignored --exact pays::twice
    "#]]
    .assert_eq(&report(&cases(&points(), None), &swept).failed());
}

#[test]
fn one_failure_needs_no_table() {
    let fate = Fate::Failed(Failing {
        how: "panicked: x".to_owned(),
        missed: true,
        packet: Some("as it was in this run".to_owned()),
    });
    let swept = swept(vec![fate, Fate::Survived], "");
    expect![[r#"
        nstest[exploration]: without a fault the test passes; with one it fails in 1 of 2 runs (3 points x 2 faults)
        sampled from 6 runs by seed 7, since `max = 2`

        first: client > server: tcp data 2: drop
          packet: as it was in this run
          panicked: x
          its fault affected nothing: the test fails by chance

        1 run did not come to the point, so that nothing was injected:
          client > server: tcp data 2: drop

        the first one alone:
          NSTEST_PLAN="client > server: tcp data 2: drop" NSTEST_SEED=7 cargo test -p shop -- --include-ignored --exact pays::twice
    "#]]
    .assert_eq(&report(&cases(&points(), Some(2)), &swept).failed());
}

#[test]
fn a_test_that_survives_says_how_much() {
    let all = swept(vec![Fate::Survived; 6], "");
    expect![[r#"
        nstest: survived 3 points x 2 faults, in 6 runs
    "#]]
    .assert_eq(&report(&cases(&points(), None), &all).survived());
    let sample = swept(vec![Fate::Survived, Fate::NotReached], "");
    expect![[r#"
        nstest: survived 3 points x 2 faults, in 2 runs
        sampled from 6 runs by seed 7, since `max = 2`

        1 run did not come to the point, so that nothing was injected:
          client > server: tcp data 3: drop
    "#]]
    .assert_eq(&report(&cases(&points(), Some(2)), &sample).survived());
}

#[test]
fn an_exploration_that_injected_nothing_is_an_error() {
    let none = swept(vec![Fate::NotReached; 6], "");
    assert!(none.reaches_nothing());
    expect![[r#"
        nstest[exploration]: explore the test: inject a fault in any of 6 runs (3 points x 2 faults)
          cause: the packets of its run without faults did not come in any other run: each time it sends others
          help: let the test do the same each time: fixed ports and one order of its connections
    "#]]
    .assert_eq(&format!("{:?}\n", report(&cases(&points(), None), &none).nothing_reached()));
}

#[test]
fn the_line_to_repeat_a_run_is_for_a_shell() {
    assert_eq!(quoted("a > b: drop"), "\"a > b: drop\"");
    assert_eq!(quoted("a'$b"), r"'a'\''$b'");
    assert_eq!(quoted("a!"), "'a!'");
}
