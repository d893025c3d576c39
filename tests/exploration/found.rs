//! What an exploration has told.

use nstest_tests::driver::Run;

/// What is to be read of an exploration that found something.
#[derive(Debug)]
pub(crate) struct Found {
    /// All of it.
    pub(crate) text: String,
    /// The plans that make the test fail, the first one first.
    pub(crate) plans: Vec<String>,
    /// The plan of the line that repeats the first one.
    pub(crate) again: String,
}

/// Explores a fixture, which fails.
#[track_caller]
pub(crate) fn explore(fixture: &str) -> Found {
    let text = Run::of(&[fixture]).run().shown();
    assert!(text.contains(&format!("test {fixture} ... FAILED")), "{text}");
    assert!(text.contains("without a fault the test passes"), "{text}");
    let block = |from: &str| text.split(from).nth(1).and_then(|rest| rest.split("\n\n").next());
    let plan = |line: &str| line.trim().split("  ").next().unwrap_or_default().to_owned();
    let plans: Vec<String> = match block("\nall that fail:\n") {
        Some(table) => table.lines().map(plan).collect(),
        None => block("\nfirst: ").and_then(|it| it.lines().next()).map(plan).into_iter().collect(),
    };
    let again = text.split("NSTEST_PLAN=\"").nth(1).and_then(|rest| rest.split('"').next());
    let again = again.unwrap_or_else(|| panic!("no line to repeat it: {text}")).to_owned();
    assert_eq!(plans.first(), Some(&again), "{text}");
    Found { text, plans, again }
}

impl Found {
    /// The text without what differs from run to run: the client's port, and sequence
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

    /// The line that was printed makes the same failure, and its words are `words`.
    #[track_caller]
    pub(crate) fn repeats(&self, fixture: &str, words: &str) {
        let run = Run::of(&[fixture]).env("NSTEST_PLAN", &self.again).env("NSTEST_SEED", "1");
        let text = run.run().shown();
        assert!(text.contains(&format!("test {fixture} ... FAILED")), "{text}");
        assert!(text.contains(words), "without {words:?}: {text}");
        assert!(!text.contains("explor") || !text.contains("points"), "one run: {text}");
    }
}
