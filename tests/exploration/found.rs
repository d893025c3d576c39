//! Runs explorations that fail, and reads their reports.

use nstest_tests::driver::Run;

/// The report of an exploration that found a failure.
#[derive(Debug)]
pub(crate) struct Found {
    /// The whole output.
    pub(crate) text: String,
    /// The plans with which the test fails, in order.
    pub(crate) plans: Vec<String>,
    /// The plan in the command that repeats the first failure.
    pub(crate) again: String,
}

/// Runs the exploration of a fixture, which must fail.
#[track_caller]
pub(crate) fn explore(fixture: &str) -> Found {
    let text = Run::of(&[fixture]).run().shown();
    assert!(text.contains(&format!("test {fixture} ... FAILED")), "{text}");
    assert!(text.contains("the test passes without faults"), "{text}");
    let block = |from: &str| text.split(from).nth(1).and_then(|rest| rest.split("\n\n").next());
    let plan = |line: &str| line.trim().split("  ").next().unwrap_or_default().to_owned();
    let plans: Vec<String> = match block("\nall failures:\n") {
        Some(table) => table.lines().map(plan).collect(),
        None => block("\nfirst failure: ")
            .and_then(|it| it.lines().next())
            .map(plan)
            .into_iter()
            .collect(),
    };
    let again = text.split("NSTEST_PLAN=\"").nth(1).and_then(|rest| rest.split('"').next());
    let again = again.unwrap_or_else(|| panic!("no command that repeats it: {text}")).to_owned();
    assert_eq!(plans.first(), Some(&again), "{text}");
    Found { text, plans, again }
}

impl Found {
    /// The text without what differs between runs: the client's port, and sequence
    /// numbers.
    pub(crate) fn shown(&self) -> String {
        let mut previous = "";
        let words = self.text.split_inclusive(' ').map(|word| {
            let of_run = ["seq ", "ack "].contains(&previous);
            previous = word;
            match word.strip_prefix("10.0.2.1:") {
                _ if of_run => "N ".to_owned(),
                Some(_) => "10.0.2.1:PORT ".to_owned(),
                None => word.to_owned(),
            }
        });
        words.collect()
    }

    /// Repeats the first failure with the printed plan. Its output must contain `words`.
    #[track_caller]
    pub(crate) fn repeats(&self, fixture: &str, words: &str) {
        let run = Run::of(&[fixture]).env("NSTEST_PLAN", &self.again).env("NSTEST_SEED", "1");
        let text = run.run().shown();
        assert!(text.contains(&format!("test {fixture} ... FAILED")), "{text}");
        assert!(text.contains(words), "without {words:?}: {text}");
        assert!(!text.contains("explor") || !text.contains("points"), "one run: {text}");
    }
}
