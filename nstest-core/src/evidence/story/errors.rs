//! What a verdict says of errors, in the words of the standard library and of others.
//!
//! The text of an error counts, and the test's own words do not: an assertion that compares two
//! states can have `TimedOut` in it without any call that timed out.

use super::Story;

impl Story {
    /// Whether the test was killed at its timeout.
    pub(crate) fn is_timeout(&self) -> bool {
        self.verdict.contains("did not end within")
    }

    /// Whether the verdict contains one of these texts.
    pub(crate) fn mentions(&self, texts: &[&str]) -> bool {
        texts.iter().any(|text| self.verdict.contains(text))
    }

    /// Whether the failure is about time or the network, and not about a value: the test was
    /// killed at its timeout, or its verdict has an error as a library prints it. The words of an
    /// assertion do not count.
    pub(crate) fn is_about_network(&self) -> bool {
        self.is_timeout()
            || self.reports_timeout()
            // Those of files are smaller: EPERM and EPIPE are of both.
            || error_numbers(&self.verdict).any(|number| matches!(number, 1 | 32 | 88..=115))
            || self.reports_end()
            || self.mentions(&[
                "failed to lookup address",
                "failure in name resolution",
                "ame or service not known",
                "no record found",
                "ResolveError",
                "tcp connect error",
                "error sending request",
            ])
    }

    /// Whether the verdict has the error of a call that had a time limit.
    pub(crate) fn reports_timeout(&self) -> bool {
        self.names_error(&[11, 110])
            || self.has_kind("TimedOut")
            || self.has_kind("WouldBlock")
            || self.says("timed out")
            || self.says("timeout expired")
            || self.mentions(&[
                "connection timed out",
                "operation timed out",
                "request timed out",
                "timed out waiting on",
                "deadline has elapsed",
                "Elapsed(())",
                "Err value: Timeout",
            ])
    }

    /// Whether the verdict has one of these error numbers.
    pub(crate) fn names_error(&self, numbers: &[u32]) -> bool {
        error_numbers(&self.verdict).any(|number| numbers.contains(&number))
    }

    /// Whether the verdict says that data ended early.
    pub(crate) fn reports_end(&self) -> bool {
        self.names_error(&[32])
            || self.mentions(ENDED)
            || ENDED_KINDS.iter().any(|(kind, text)| self.has_kind(kind) || self.says(text))
    }

    /// Whether the verdict says that a connection was reset.
    pub(crate) fn reports_reset(&self) -> bool {
        self.names_error(&[104])
            || self.has_kind("ConnectionReset")
            || self.says("connection reset")
    }

    /// Whether the verdict says that a call wrote to a connection that was closed.
    pub(crate) fn reports_broken_pipe(&self) -> bool {
        self.names_error(&[32]) || self.has_kind("BrokenPipe") || self.says("broken pipe")
    }

    /// Whether the verdict has an error of this kind of the standard library, as it is printed
    /// for debugging: `kind: TimedOut`, `Kind(TimedOut)`. Errors of other libraries have the
    /// name alone: `source: TimedOut`.
    fn has_kind(&self, kind: &str) -> bool {
        let verdict = &self.verdict;
        let is_named = [format!("kind: {kind}"), format!("Kind({kind})")];
        is_named.iter().any(|text| verdict.contains(text))
            || !self.is_assertion() && words(verdict, kind).next().is_some()
    }

    /// Whether an error in the verdict has these words, of small letters. Where a test panics
    /// with words of its own, an error is all of them, or follows a colon: `connect: timed out`.
    fn says(&self, text: &str) -> bool {
        let verdict = self.verdict.to_ascii_lowercase();
        let is_error = verdict.starts_with("error: ") || verdict.contains("on an `err` value");
        let says = words(&verdict, text).any(|before| {
            let before = before.trim_end();
            let denies = ["not", "never"].iter().any(|word| before.ends_with(word));
            let begins = before.is_empty() || before.ends_with(':');
            !denies && (is_error || begins)
        });
        says && !self.is_assertion()
    }

    /// Whether the verdict is the text of an assertion macro, which has the test's own words and
    /// values.
    fn is_assertion(&self) -> bool {
        let text = self.verdict.trim_start_matches("the test panicked: ");
        text.starts_with("assertion ")
    }
}

/// What comes before a text, wherever it stands as whole words.
fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).filter_map(move |(at, _)| {
        let (before, after) = (&text[..at], &text[at + word.len()..]);
        (!before.ends_with(is_part) && !after.starts_with(is_part)).then_some(before)
    })
}

/// The error numbers in a text, as the standard library prints them:
/// `Os { code: 111, kind: ConnectionRefused, …`, `Connection refused (os error 111)`.
pub(crate) fn error_numbers(text: &str) -> impl Iterator<Item = u32> {
    ["(os error ", "Os { code: "].iter().flat_map(move |before| {
        text.split(before).skip(1).filter_map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest[..end].parse().ok()
        })
    })
}

/// What libraries say when data ends before they expect it.
const ENDED: &[&str] = &[
    "failed to fill whole buffer",
    "unexpected end of file",
    "early eof",
    "connection closed before",
    "ConnectionClosed",
    "IncompleteMessage",
];

/// The kinds of errors of the standard library about that, with what it prints for each.
const ENDED_KINDS: &[(&str, &str)] = &[
    ("UnexpectedEof", "unexpected end of file"),
    ("BrokenPipe", "broken pipe"),
    ("ConnectionReset", "connection reset"),
    ("ConnectionAborted", "connection aborted"),
    ("ConnectionRefused", "connection refused"),
    ("NotConnected", "not connected"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn of(verdict: &str) -> Story {
        Story { verdict: verdict.to_owned(), ..Story::default() }
    }

    #[test]
    fn errors_of_calls_that_timed_out() {
        let unwrap = "the test panicked: called `Result::unwrap()` on an `Err` value: ";
        for verdict in [
            "Error: timed out".to_owned(),
            "Error: Kind(TimedOut)".to_owned(),
            "Error: Custom { kind: TimedOut, error: \"too late\" }".to_owned(),
            "Error: fetch the index\n\nCaused by:\n    0: error\n    1: operation timed out".into(),
            "Error: the pool timed out while waiting for an open connection".to_owned(),
            "Error: Request timed out".to_owned(),
            "Error: gRPC: Timeout expired".to_owned(),
            format!("{unwrap}Kind(TimedOut)"),
            format!("{unwrap}reqwest::Error {{ kind: Request, url: \"/\", source: TimedOut }}"),
            format!("{unwrap}Os {{ code: 110, kind: TimedOut, message: \"\" }}"),
            "the test panicked: connect: Kind(TimedOut)".to_owned(),
            "the test panicked: timed out".to_owned(),
            "the test panicked: connect to server: timed out".to_owned(),
            "the test panicked: Err(Elapsed(()))".to_owned(),
        ] {
            assert!(of(&verdict).reports_timeout(), "{verdict}");
            assert!(of(&verdict).is_about_network(), "{verdict}");
        }
    }

    #[test]
    fn words_of_a_test_are_no_errors() {
        for verdict in [
            "the test panicked: assertion `left == right` failed\n  left: Running\n right: TimedOut",
            "the test panicked: assertion failed: matches!(state, State::TimedOut)",
            "the test panicked: assertion failed: !client.timed_out()",
            "the test panicked: assertion `left == right` failed: timed out\n  left: 1\n right: 2",
            "the test panicked: 3 jobs timed out",
            "the test panicked: 3 jobs are not connected",
            "Error: the job has not timed out",
            "Error: NotTimedOut",
            "Error: the field `timeout` is missing",
            "Error: a hostname is not_connected",
        ] {
            assert!(!of(verdict).is_about_network(), "{verdict}");
        }
    }

    #[test]
    fn errors_of_connections_that_ended() {
        for verdict in [
            "Error: Kind(UnexpectedEof)",
            "Error: unexpected end of file",
            "Error: Kind(ConnectionReset)",
            "Error: connection reset",
            "the test panicked: send: broken pipe",
            "Error: Custom { kind: NotConnected, error: \"\" }",
        ] {
            assert!(of(verdict).reports_end(), "{verdict}");
            assert!(!of(verdict).reports_timeout(), "{verdict}");
        }
    }
}
