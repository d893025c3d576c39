//! The steps of a test, which its author names.

use std::fmt::Display;

use crate::evidence::timeline::TimelineEvent;
use crate::recorder;
use crate::snapshot::nodes;

/// Says in the record of the test that it has reached a step.
///
/// If the test fails, the step stands among its packets and faults at its time, with its thread
/// and its node. It is not printed. It takes some microseconds; a test that is not recorded does
/// not make the text.
///
/// ```no_run
/// use nstest::{Node, TestResult, netns_test};
///
/// # {
/// # use nstest::netns as netns_test;
/// #[netns_test]
/// fn elects_a_leader(a: Node, b: Node) -> TestResult {
///     nstest::step("both are up");
///     a.link().down()?;
///     nstest::step(format_args!("{a:?} is gone"));
///     b.link().up()?;
///     Ok(())
/// }
/// # }
/// ```
pub fn step(text: impl Display) {
    recorder::record(|| {
        let thread = std::thread::current();
        vec![TimelineEvent::Step {
            text: text.to_string(),
            node: nodes::of_this_thread(),
            thread: thread.name().unwrap_or_default().to_owned(),
        }]
    });
}
