//! From events to the verdict.

use super::*;

fn verdict(events: &[Event], timed_out: bool) -> Verdict {
    let mut observed = Observed::default();
    events.iter().cloned().for_each(|event| observed.note(event));
    observed.timed_out = timed_out.then(|| (Duration::from_secs(1), String::new()));
    observed.explanation =
        observed.refusal().map(|refusal| Error::new(ErrorCode::Setup, refusal.step));
    observed.verdict("a::b", false)
}

fn code(events: &[Event], timed_out: bool) -> ErrorCode {
    match verdict(events, timed_out) {
        Verdict::Broken(error) | Verdict::NotStarted(error) => error.code(),
        other => panic!("{other:?}"),
    }
}

const STARTED: Event = Event::Started(2);
const EXIT_0: Event = Event::Ended(0);

#[test]
fn only_started_passed_and_status_0_is_a_pass() {
    assert!(matches!(verdict(&[STARTED, Event::Passed, EXIT_0], false), Verdict::Passed));
    for (events, expected) in [
        (vec![EXIT_0], ErrorCode::NotStarted),
        (vec![Event::Passed, EXIT_0], ErrorCode::NotStarted),
        (vec![STARTED, EXIT_0], ErrorCode::EarlyExit),
        (vec![STARTED, Event::PipeClosed, Event::Ended(FAILED << 8)], ErrorCode::VerdictLost),
        (vec![STARTED, Event::Ended(121 << 8)], ErrorCode::EarlyExit),
        (vec![STARTED, Event::Ended(libc::SIGSEGV)], ErrorCode::Signal),
        (vec![STARTED], ErrorCode::Signal),
        (vec![STARTED, Event::Passed, Event::Ended(1 << 8)], ErrorCode::ExitAfterPass),
        (vec![STARTED, Event::Passed], ErrorCode::ExitAfterPass),
        (vec![Event::InitFailed(libc::ENOMEM), STARTED, Event::Passed, EXIT_0], ErrorCode::Setup),
        (vec![STARTED, Event::NotAwaited(libc::EPERM)], ErrorCode::Setup),
    ] {
        assert_eq!(code(&events, false), expected, "{events:?}");
    }
}

#[test]
fn a_timeout_overrides_the_reported_result() {
    assert_eq!(code(&[STARTED, Event::Passed, EXIT_0], true), ErrorCode::Timeout);
}

#[test]
fn an_aborting_panic_is_a_panic() {
    let events = [STARTED, Event::Panicked("x".into()), Event::Ended(libc::SIGABRT)];
    let Verdict::Failed(failure) = verdict(&events, false) else { panic!() };
    assert_eq!(failure, Failure::Panic("x".into()));
}

#[test]
fn an_interruption_is_the_verdict_unless_the_body_has_reported_one() {
    let verdict = |events: &[Event]| {
        let mut observed = Observed { interrupted: Some(Signal::SIGTERM), ..Observed::default() };
        events.iter().cloned().for_each(|event| observed.note(event));
        observed.verdict("a::b", false)
    };
    assert!(matches!(verdict(&[STARTED, Event::Passed, EXIT_0]), Verdict::Passed));
    let Verdict::Broken(error) = verdict(&[STARTED, Event::Ended(libc::SIGTERM)]) else { panic!() };
    assert!(error.to_string().contains("did not end before SIGTERM"), "{error}");
}
