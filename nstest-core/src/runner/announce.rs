//! Reports a verdict to libtest.

use std::io::Write;

use super::test::Test;
use super::verdict::{SeededVerdict, Verdict};
use crate::ipc::Failure;
use crate::preflight::policy::Policy;

/// Returns, prints and returns, or panics, so that libtest shows the verdict.
/// `unsupported` says what becomes of a test that the machine cannot run.
///
/// Only a panic of the body may look like one. Where one is expected (`#[should_panic]`),
/// every other failure is printed and then returned from, and libtest reports that the
/// test did not panic.
pub(super) fn announce(test: &Test, verdict: SeededVerdict, unsupported: Policy) {
    let SeededVerdict { verdict, note, seed, evidence } = verdict;
    if let (Some(seed), false) = (seed, matches!(verdict, Verdict::Passed)) {
        eprintln!("nstest: seed {seed} (repeat with NSTEST_SEED={seed})");
    }
    if let Some(note) = note {
        eprintln!("{note:?}");
    }
    let show_evidence = || {
        if let Some(evidence) = &evidence {
            eprintln!("{evidence}");
        }
    };
    let (error, text) = match verdict {
        Verdict::Passed => return show_evidence(),
        Verdict::Failed(Failure::Panic(text)) => {
            show_evidence();
            panic_as_the_body(test, text)
        }
        Verdict::Failed(Failure::PanicAny) => {
            show_evidence();
            std::panic::resume_unwind(Box::new(NotText))
        }
        Verdict::Failed(Failure::Returned(None) | Failure::Error(_)) => (None, String::new()),
        Verdict::Failed(Failure::Returned(Some(code))) => {
            (None, format!("the test returned the exit code {code}"))
        }
        Verdict::Failed(Failure::Reported(report)) => (None, report),
        Verdict::Broken(error) | Verdict::NotStarted(error) => {
            let text = format!("{error:?}");
            (Some(error), text)
        }
    };
    if error.is_some_and(|error| unsupported.skips(&error)) {
        return skip(test, &text);
    }
    if !text.is_empty() {
        eprintln!("{text}");
    }
    show_evidence();
    if test.options.should_panic.is_none() {
        // Without the panic hook, which would print the text again.
        std::panic::resume_unwind(Box::new(text));
    }
}

/// Prints past libtest's capture, since libtest has no word for a test that was skipped at
/// run time. A test that should panic does so, to count as skipped.
fn skip(test: &Test, text: &str) {
    // It fails if standard error is closed; then there is nowhere to print.
    let _ = writeln!(std::io::stderr(), "nstest: SKIPPED {}: {text}", test.path());
    if let Some(expected) = test.options.should_panic {
        std::panic::resume_unwind(Box::new(expected.to_owned()));
    }
}

/// Where panics abort, libtest compares the message of `#[should_panic]` in a panic hook,
/// so only a new panic will do; it prints the message once more.
fn panic_as_the_body(test: &Test, text: String) -> ! {
    if cfg!(panic = "abort") && test.options.should_panic.is_some() {
        std::panic::panic_any(text);
    }
    std::panic::resume_unwind(Box::new(text));
}

/// Replaces a panic payload that is not text, which cannot be sent to the parent.
struct NotText;
