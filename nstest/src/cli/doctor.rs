//! `nstest doctor`: whether this machine can run tests, and what helps if it cannot.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use nstest_core::private::cli::doctor::{
    Check, CheckStatus, Examination, Need, Problem, Runs, Trials, examine, run_trials,
};
use serde_json::{Value, json};

use super::print;

/// The version of the report for programs.
const VERSION: u32 = 1;

/// Finds out what this machine lets nstest do, and what helps where it refuses something.
///
/// It uses each capability in child processes, and changes nothing on the machine.
///
/// The exit status is 0 if tests can run, with nodes and faults; 1 if they cannot; 125 if the
/// report cannot be written.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// List everything that was tried, and help with what is optional.
    #[arg(short, long, conflicts_with = "json")]
    verbose: bool,
    /// Print a report for programs.
    #[arg(long)]
    json: bool,
    /// Make these trials, and write the results for the process that started this one.
    #[arg(long, hide = true, value_name = "WHERE", conflicts_with_all = ["verbose", "json"])]
    #[arg(value_parser = trials_parser())]
    trials: Option<Trials>,
}

fn trials_parser() -> impl TypedValueParser<Value = Trials> {
    let named = |word: String| Trials::ALL.into_iter().find(|it| it.as_str() == word);
    PossibleValuesParser::new(Trials::ALL.map(Trials::as_str))
        .try_map(move |word| named(word).ok_or("there are no such trials"))
}

impl Doctor {
    pub(super) fn execute(self) -> ExitCode {
        let Some(trials) = self.trials else { return self.report() };
        run_trials(trials);
        ExitCode::SUCCESS
    }

    fn report(&self) -> ExitCode {
        let found = examine(&["doctor", "--trials"]);
        let text = if self.json { report_for_programs(&found) } else { text(&found, self.verbose) };
        match print(&text) {
            ExitCode::SUCCESS => ExitCode::from(u8::from(!found.is_usable())),
            failed => failed,
        }
    }
}

/// The report for people: what is wrong, then the verdict.
fn text(found: &Examination, verbose: bool) -> String {
    let mut text = String::new();
    if verbose {
        for check in &found.checks {
            line(&mut text, check);
        }
        text.push('\n');
    }
    let is_optional = |needs: &[Need]| needs.iter().all(|need| matches!(need, Need::Optional(_)));
    let groups = grouped(found);
    let (optional, problems): (Vec<_>, Vec<_>) =
        groups.iter().partition(|group| is_optional(&group.needs));
    for (number, group) in (1..).zip(&problems) {
        let Problem { code, what, .. } = group.problem;
        let _ = writeln!(text, "{number}. {what}  [{code}]");
        text.push_str(&explanation(group.problem));
    }
    for group in optional.iter().filter(|_| verbose) {
        let _ = writeln!(text, "Optional, and missing: {}", group.parts().join(", "));
        text.push_str(&explanation(group.problem));
    }
    text + &verdict(found, &parts(&problems), &parts(&optional), verbose)
}

/// The cause, unless the operation says all, and the help.
fn explanation(problem: &Problem) -> String {
    let cause = cause(problem).map(|cause| format!("   cause: {}\n", indented(cause)));
    format!("{}   help:  {}\n\n", cause.unwrap_or_default(), indented(&problem.fix))
}

fn cause(problem: &Problem) -> Option<&str> {
    Some(problem.cause.as_str()).filter(|cause| !cause.is_empty())
}

/// One line.
fn verdict(found: &Examination, missing: &str, optional: &str, verbose: bool) -> String {
    if !found.runs_tests() {
        let only = match found.programs {
            Runs::Nothing => "",
            Runs::WithoutNodes => ", only `nstest run` without nodes and faults",
            Runs::WithoutFaults => ", only `nstest run` without faults",
            Runs::Everything => ", only `nstest run`",
        };
        return format!("nstest doctor: this machine cannot run nstest's tests{only}.\n");
    }
    let except = match missing {
        "" => String::new(),
        missing => format!(", except for: {missing}"),
    };
    let optional = match optional {
        "" => String::new(),
        _ if verbose => String::new(),
        optional => {
            format!(" Optional, and missing: {optional} (`nstest doctor -v` has the help).")
        }
    };
    format!("nstest doctor: this machine can run nstest's tests{except}.{optional}\n")
}

/// The parts of nstest that do not work because of these.
fn parts(groups: &[&Group<'_>]) -> String {
    let mut parts: Vec<&str> = groups.iter().flat_map(|group| group.parts()).collect();
    let mut seen = std::collections::BTreeSet::new();
    parts.retain(|part| seen.insert(*part));
    if groups.iter().any(|group| group.needs.contains(&Need::Nodes)) {
        let implied = [Need::Faults.part(), Need::CodeInNodes.part()];
        parts.retain(|part| !implied.contains(&Some(part)));
    }
    parts.join(", ")
}

/// A problem, and what is missing because of it.
struct Group<'a> {
    problem: &'a Problem,
    needs: Vec<Need>,
}

impl Group<'_> {
    /// The parts of nstest that do not work.
    fn parts(&self) -> Vec<&'static str> {
        let mut parts: Vec<&str> = self.needs.iter().copied().filter_map(Need::part).collect();
        parts.dedup();
        parts
    }
}

/// Problems with one cause and one remedy are one.
fn grouped(found: &Examination) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (check, problem) in found.problems() {
        let need = check.capability.need;
        let same = |group: &&mut Group<'_>| {
            (&group.problem.cause, &group.problem.fix) == (&problem.cause, &problem.fix)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.needs.push(need),
            None => groups.push(Group { problem, needs: vec![need] }),
        }
    }
    groups
}

fn line(text: &mut String, check: &Check) {
    let mark = match check.status {
        CheckStatus::Works => "ok",
        CheckStatus::Replaced => "replaced",
        CheckStatus::Missing => "MISSING",
        CheckStatus::Untried => "untried",
        CheckStatus::Unneeded => "-",
    };
    let _ = write!(text, "{mark:<9} {}", check.capability.title);
    let cause = check.problem.as_ref().and_then(cause);
    if let Some(detail) = check.detail.as_deref().or(cause) {
        let _ = write!(text, ": {detail}");
    }
    text.push('\n');
}

/// Indents all lines but the first.
fn indented(text: &str) -> String {
    text.replace('\n', "\n          ")
}

/// docs/src/doctor.md describes it.
fn report_for_programs(found: &Examination) -> String {
    let checks: Vec<Value> = found
        .checks
        .iter()
        .map(|check| {
            let of = |part: fn(&Problem) -> &String| check.problem.as_ref().map(part);
            json!({
                "name": check.capability.name,
                "title": check.capability.title,
                "need": check.capability.need.as_str(),
                "for": check.capability.need.part(),
                "status": check.status.as_str(),
                "detail": check.detail,
                "code": of(|problem| &problem.code),
                "what": of(|problem| &problem.what),
                "cause": check.problem.as_ref().and_then(cause),
                "help": of(|problem| &problem.fix),
            })
        })
        .collect();
    let report = json!({
        "version": VERSION,
        "usable": found.is_usable(),
        "programs": found.programs != Runs::Nothing,
        "kernel": found.kernel,
        "container": found.container,
        "nodes": found.nodes,
        "seconds": found.took.as_secs_f64(),
        "checks": checks,
    });
    format!("{report:#}\n")
}
