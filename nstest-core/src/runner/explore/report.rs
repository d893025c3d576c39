//! What is said of an exploration.

use std::fmt::Write;

use super::cases::{Case, Cases};
use super::sweep::{Failing, Swept};
use crate::error::{Error, ErrorCode};
use crate::runner::settings;

/// An exploration that has ended.
pub(super) struct Report<'a> {
    /// What libtest calls the test.
    pub(super) name: &'a str,
    /// The package that it is in, if cargo said so.
    pub(super) package: Option<String>,
    pub(super) seed: u64,
    pub(super) cases: &'a Cases<'a>,
    pub(super) swept: &'a Swept,
}

impl Report<'_> {
    /// For a test that survived.
    pub(super) fn survived(&self) -> String {
        let Cases { points, faults, list, .. } = self.cases;
        let (points, faults) = (count(*points, "point"), count(*faults, "fault"));
        let mut text = format!("nstest: survived {points} x {faults}, in {}\n", runs(list.len()));
        self.sampled(&mut text);
        self.not_reached(&mut text);
        text
    }

    /// For a test that did not.
    pub(super) fn failed(&self) -> String {
        let failing: Vec<_> = self.swept.failing(self.cases).collect();
        let mut text = format!(
            "nstest[{}]: without a fault the test passes; with one it fails in {} of {}\n",
            ErrorCode::Exploration,
            failing.len(),
            self.size(),
        );
        self.sampled(&mut text);
        if let Some((case, failing)) = failing.first() {
            self.first(&mut text, case, failing);
        }
        if failing.len() > 1 {
            text.push_str("\nall that fail:\n");
            table(&mut text, &failing);
        }
        self.not_reached(&mut text);
        if let Some((case, _)) = failing.first() {
            let _ = writeln!(text, "\nthe first one alone:\n  {}", self.again(case));
        }
        text
    }

    /// For a test none of whose runs met its point.
    pub(super) fn nothing_reached(&self) -> Error {
        let what = format!("explore the test: inject a fault in any of {}", self.size());
        Error::new(ErrorCode::Exploration, what)
            .source("the packets of its run without faults did not come in any other run: each time it sends others")
            .help("let the test do the same each time: fixed ports and one order of its connections")
    }

    fn first(&self, text: &mut String, case: &Case<'_>, failing: &Failing) {
        let Failing { how, missed, packet } = failing;
        let packet = packet.as_ref().unwrap_or(&case.point.packet);
        let _ = writeln!(text, "\nfirst: {}", case.plan());
        let _ = writeln!(text, "  packet: {}", indented(packet, "    "));
        let _ = writeln!(text, "  {}", indented(how, "    "));
        if *missed {
            text.push_str("  its fault affected nothing: the test fails by chance\n");
        }
        let printed = self.swept.printed.trim_start_matches('\n');
        if !printed.is_empty() {
            let _ = writeln!(text, "  it printed:\n    {}", indented(printed, "    "));
        }
    }

    /// How much was explored.
    fn size(&self) -> String {
        let Cases { points, faults, list, .. } = self.cases;
        let (points, faults) = (count(*points, "point"), count(*faults, "fault"));
        format!("{} ({points} x {faults})", runs(list.len()))
    }

    fn sampled(&self, text: &mut String) {
        let unsuited = self.cases.unsuited();
        if unsuited > 0 {
            let _ = writeln!(text, "without {}, since only TCP can be reset", runs(unsuited));
        }
        let (done, all) = (self.cases.list.len(), self.cases.all);
        if done < all {
            let seed = self.seed;
            let _ = writeln!(text, "sampled from {all} runs by seed {seed}, since `max = {done}`");
        }
    }

    fn not_reached(&self, text: &mut String) {
        let missed: Vec<_> = self.swept.not_reached(self.cases).map(Case::plan).collect();
        if !missed.is_empty() {
            let runs = runs(missed.len());
            let _ = writeln!(
                text,
                "\n{runs} did not come to the point, so that nothing was injected:\n  {}",
                missed.join("\n  ")
            );
        }
    }

    /// The line that runs a case alone.
    fn again(&self, case: &Case<'_>) -> String {
        let package =
            self.package.as_ref().map(|package| format!("-p {package} ")).unwrap_or_default();
        format!(
            "{}={} NSTEST_SEED={} cargo test {package}-- --include-ignored --exact {}",
            settings::PLAN,
            quoted(&case.plan()),
            self.seed,
            match self.name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_:#".contains(&b)) {
                true => self.name.to_owned(),
                false => quoted(self.name),
            }
        )
    }
}

fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

fn runs(number: usize) -> String {
    count(number, "run")
}

/// Later lines of a text, below its first one.
fn indented(text: &str, by: &str) -> String {
    let lines = text.trim_end().split('\n').enumerate();
    let indented = lines.map(|(number, line)| match number {
        0 => line.to_owned(),
        _ if line.is_empty() => "\n".to_owned(),
        _ => format!("\n{by}{line}"),
    });
    indented.collect()
}

/// One line each, with the first line of how it failed.
fn table(text: &mut String, failing: &[(&Case<'_>, &Failing)]) {
    let plans: Vec<String> = failing.iter().map(|(case, _)| case.plan()).collect();
    let width = plans.iter().map(|plan| plan.chars().count()).max().unwrap_or_default();
    for (plan, (_, failing)) in plans.iter().zip(failing) {
        let how = failing.how.lines().next().unwrap_or_default();
        let how = how.trim_end_matches("; processes alive then:");
        let _ = writeln!(text, "  {plan:width$}  {how}");
    }
}

/// For a shell: in double quotes, unless something in it means something there.
fn quoted(text: &str) -> String {
    match text.contains(['"', '$', '`', '\\', '!']) {
        true => format!("'{}'", text.replace('\'', r"'\''")),
        false => format!("\"{text}\""),
    }
}

#[cfg(test)]
mod tests;
