//! The text of an exploration's result.

use std::fmt::Write;

use super::cases::{Case, Cases};
use super::sweep::{CaseFailure, Results};
use crate::error::{Error, ErrorCode};
use crate::runner::rerun;

/// An exploration that has ended.
pub(super) struct Report<'a> {
    /// The test's name in libtest.
    pub(super) name: &'a str,
    pub(super) seed: u64,
    pub(super) cases: &'a Cases<'a>,
    pub(super) results: &'a Results,
}

impl Report<'_> {
    /// For a test that passed in all runs.
    pub(super) fn passed(&self) -> String {
        let Cases { points, faults, list, .. } = self.cases;
        let (points, faults) = (count(*points, "point"), count(*faults, "fault"));
        let mut text = format!("nstest: passed {} ({points} x {faults})\n", runs(list.len()));
        self.selection(&mut text);
        self.not_reached(&mut text);
        text
    }

    /// For a test that failed in some run. `selection` is for the command that repeats it.
    pub(super) fn failed(&self, selection: &str) -> String {
        let failed: Vec<_> = self.results.failed(self.cases).collect();
        let mut text = format!(
            "nstest[{}]: the test passes without faults, but fails in {} of {}\n",
            ErrorCode::Exploration,
            failed.len(),
            self.size(),
        );
        self.selection(&mut text);
        if let Some((case, failure)) = failed.first() {
            self.first(&mut text, case, failure);
        }
        if failed.len() > 1 {
            text.push_str("\nall failures:\n");
            table(&mut text, &failed);
        }
        self.not_reached(&mut text);
        if let Some((case, _)) = failed.first() {
            let _ =
                writeln!(text, "\nrepeat the first failure:\n  {}", self.command(case, selection));
        }
        text
    }

    /// For a test without a run that reached its point.
    pub(super) fn none_reached(&self) -> Error {
        let what = format!("explore the test: inject a fault in any of {}", self.size());
        Error::new(ErrorCode::Exploration, what)
            .source(
                "no run reached its injection point: the test sends different packets in each run",
            )
            .help("let the test send the same packets in each run: use fixed ports, and open connections in a fixed order")
    }

    fn first(&self, text: &mut String, case: &Case<'_>, failure: &CaseFailure) {
        let CaseFailure { text: how, not_reached, packet } = failure;
        let packet = packet.as_deref().unwrap_or(case.packet);
        let _ = writeln!(text, "\nfirst failure: {}", case.plan());
        let _ = writeln!(text, "  packet: {}", indented(packet, "    "));
        let _ = writeln!(text, "  {}", indented(how, "    "));
        if *not_reached {
            text.push_str("  the fault affected no packet in this run: the test fails at random\n");
        }
        let printed = self.results.printed.trim_start_matches('\n');
        if !printed.is_empty() {
            let _ = writeln!(text, "  output:\n    {}", indented(printed, "    "));
        }
    }

    /// The number of runs, and how it comes about.
    fn size(&self) -> String {
        let Cases { points, faults, list, .. } = self.cases;
        let (points, faults) = (count(*points, "point"), count(*faults, "fault"));
        format!("{} ({points} x {faults})", runs(list.len()))
    }

    /// Which runs were left out, and why.
    fn selection(&self, text: &mut String) {
        let unsuited = self.cases.unsuited();
        if unsuited > 0 {
            let _ =
                writeln!(text, "{} left out: only TCP connections can be reset", runs(unsuited));
        }
        let (done, all) = (self.cases.list.len(), self.cases.all);
        if done < all {
            let seed = self.seed;
            let _ = writeln!(
                text,
                "the {done} runs are a sample of {all}, drawn with seed {seed} (`max = {done}`)"
            );
        }
    }

    fn not_reached(&self, text: &mut String) {
        let plans = self.results.not_reached(self.cases).map(|case| case.plan().to_string());
        let plans: Vec<String> = plans.collect();
        if !plans.is_empty() {
            let runs = runs(plans.len());
            let _ = writeln!(
                text,
                "\nno fault injected in {runs}, which did not reach the point:\n  {}",
                plans.join("\n  ")
            );
        }
    }

    /// The command that repeats one run.
    fn command(&self, case: &Case<'_>, selection: &str) -> String {
        let (plan, seed) = (case.plan().to_string(), Some(self.seed));
        rerun::command(self.name, selection, Some(&plan), seed)
    }
}

fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

fn runs(number: usize) -> String {
    count(number, "run")
}

/// A text whose lines after the first one are indented.
fn indented(text: &str, by: &str) -> String {
    let lines = text.trim_end().split('\n').enumerate();
    let indented = lines.map(|(number, line)| match number {
        0 => line.to_owned(),
        _ if line.is_empty() => "\n".to_owned(),
        _ => format!("\n{by}{line}"),
    });
    indented.collect()
}

/// A line for each failure: its plan, and the first line of its text.
fn table(text: &mut String, failed: &[(&Case<'_>, &CaseFailure)]) {
    let plans: Vec<String> = failed.iter().map(|(case, _)| case.plan().to_string()).collect();
    let width = plans.iter().map(|plan| plan.chars().count()).max().unwrap_or_default();
    for (plan, (_, failure)) in plans.iter().zip(failed) {
        let how = failure.text.lines().next().unwrap_or_default();
        let how = how.trim_end_matches("; processes alive then:");
        let _ = writeln!(text, "  {plan:width$}  {how}");
    }
}

#[cfg(test)]
mod tests;
