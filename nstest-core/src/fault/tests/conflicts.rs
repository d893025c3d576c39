//! Times, and faults that cannot be together.

use expect_test::expect;

use super::*;
use crate::fault::plan::Plan;
use crate::fault::schedule::FaultSchedule;

fn schedule(at: u64, lasting: Option<u64>, every: Option<u64>) -> FaultSchedule {
    FaultSchedule { at: ms(at), lasting: lasting.map(ms), every: every.map(ms) }
}

#[test]
fn a_schedule_starts_ends_and_repeats() {
    let changes = |schedule: FaultSchedule| {
        let mut changes = vec![(ms(0), schedule.is_on(ms(0)))];
        while changes.len() < 6 {
            let Some(next) = schedule.next_change(changes[changes.len() - 1].0) else { break };
            assert_eq!(schedule.is_on(next.0), next.1);
            changes.push(next);
        }
        changes.iter().map(|(at, on)| (at.as_millis(), *on)).collect::<Vec<_>>()
    };
    assert_eq!(changes(schedule(0, None, None)), [(0, true)]);
    assert_eq!(changes(schedule(200, None, None)), [(0, false), (200, true)]);
    assert_eq!(changes(schedule(0, Some(50), None)), [(0, true), (50, false)]);
    assert_eq!(
        changes(schedule(200, Some(100), Some(1000))),
        [(0, false), (200, true), (300, false), (1200, true), (1300, false), (2200, true)]
    );
}

/// Against a look at each millisecond.
#[test]
fn schedules_overlap_if_both_are_active_at_some_time() {
    let mut all = Vec::new();
    for at in [0, 3, 7] {
        all.push(schedule(at, None, None));
        for lasting in [1, 2, 5] {
            all.push(schedule(at, Some(lasting), None));
            for every in [6, 8, 9] {
                all.push(schedule(at, Some(lasting), Some(every)));
            }
        }
    }
    for one in &all {
        for other in &all {
            let both = |at| one.is_on(ms(at)) && other.is_on(ms(at));
            assert_eq!(one.overlaps(other), (0..200).any(both), "{one:?} {other:?}");
        }
    }
}

#[test]
fn faults_that_exclude_each_other_are_refused() {
    for (plan, fits) in [
        ("a: condition lte; a: condition loss 1%", false),
        ("a egress: condition lte; a: condition loss 1%", false),
        ("a egress: condition lte; a ingress: condition loss 1%", true),
        ("a: condition lte lasting 1s; a: condition loss 1% at 1s", true),
        ("a: condition lte lasting 1001ms; a: condition loss 1% at 1s", false),
        ("a: condition lte; b: condition lte", true),
        ("a: condition lte; a.eth1: condition wifi", false),
        ("a.eth0: condition lte; a.eth1: condition wifi", true),
        ("a: down; a: down at 1s", false),
        ("a: down; a: condition lte", true),
        ("a: down lasting 100ms every 1s; a: down at 500ms lasting 100ms every 1s", true),
        ("a: down lasting 100ms every 1s; a: down at 500ms lasting 100ms every 700ms", false),
        ("*: partition a | b; *: partition a | c", false),
        ("*: partition a | b lasting 1s; *: partition a | c at 2s", true),
        ("a: drop; a: drop", false),
        ("a tcp: drop; a udp: drop", true),
        ("a tcp nth 1: drop; a tcp nth 2: drop", true),
        ("a tcp nth 1: drop; a tcp nth 1: delay 5ms", true),
    ] {
        let result = plan.parse::<Plan>();
        assert_eq!(result.is_ok(), fits, "{plan}");
        if let Err(error) = result {
            assert_eq!(error.code().as_str(), "plan-conflict", "{plan}");
        }
    }
    let error = "server: condition lte; server egress: condition loss 1% at 1s".parse::<Plan>();
    expect![[r#"
        nstest[plan-conflict]: use `server: condition delay 35ms jitter 5ms normal loss 0.2% rate 12mbit` and `server egress: condition loss 1% at 1s` together
          cause: a direction of a link has one condition at a time
          help: remove one of them, or let the first end before the second starts (`lasting`)"#]].assert_eq(&format!("{:?}", error.unwrap_err()));
}

#[test]
fn plans_are_combined_if_their_faults_fit() {
    let plan = |text: &str| text.parse::<Plan>().unwrap();
    let both = plan("a: down lasting 1s").and(plan("a: down at 1s; b: drop")).unwrap();
    assert_eq!(both.to_string(), "a: down lasting 1s; a: down at 1s; b: drop");
    let error = both.and(plan("a: down at 5s")).unwrap_err();
    assert_eq!(error.to_string(), "use `a: down at 1s` and `a: down at 5s` together");
}
