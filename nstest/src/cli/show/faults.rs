//! The faults: when they were in force, and how many packets they affected.

use std::collections::BTreeMap;

use serde_json::Value;

use super::log::{Log, number, text, time};
use super::table::aligned;

/// Number, fault, place, the times at which it was in force, and its effects.
pub(super) fn table(log: &Log) -> String {
    let rows: Vec<Vec<String>> = log
        .all("fault-injected")
        .map(|fault| {
            let id = number(fault, "fault").unwrap_or_default();
            let what = format!("`{}`", text(fault, "text"));
            let place = text(fault, "place").to_owned();
            vec![id.to_string(), what, place, in_force(log, id), effects(log, id)]
        })
        .collect();
    aligned(&rows)
}

/// `0.040 to 1.000 s, 1.500 s to the end`.
fn in_force(log: &Log, fault: u64) -> String {
    let (mut periods, mut since) = (Vec::new(), None);
    for event in log.all("fault-switched").filter(|event| number(event, "fault") == Some(fault)) {
        match (event["on"] == Value::Bool(true), since.take()) {
            (true, before) => since = before.or_else(|| Some(time(event))),
            (false, Some(begin)) => periods.push(format!("{begin} to {} s", time(event))),
            (false, None) => {}
        }
    }
    let ended = log.all("fault-ended").find(|event| number(event, "fault") == Some(fault));
    match (since, ended) {
        (Some(begin), Some(end)) => periods.push(format!("{begin} to {} s", time(end))),
        (Some(begin), None) => periods.push(format!("{begin} s to the end ({} s)", log.end())),
        (None, _) => {}
    }
    if periods.is_empty() { "never in force".to_owned() } else { periods.join(", ") }
}

/// `dropped 2, delayed 7`.
fn effects(log: &Log, fault: u64) -> String {
    let fates = log.all("packet").filter_map(|packet| packet["fates"].as_array()).flatten();
    let mut counts = BTreeMap::new();
    for fate in fates.filter(|fate| number(fate, "fault") == Some(fault)) {
        *counts.entry(text(fate, "effect")).or_insert(0) += 1;
    }
    let effects: Vec<String> =
        counts.iter().map(|(effect, count)| format!("{effect} {count}")).collect();
    if effects.is_empty() { "no packet affected".to_owned() } else { effects.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_has_its_periods_and_its_effects() {
        let text = r#"{"time":0,"event":"started","version":1}
            {"time":0.1,"event":"fault-injected","fault":3,"text":"server: drop","place":"a.rs:1"}
            {"time":0.2,"event":"fault-switched","fault":3,"on":true}
            {"time":0.3,"event":"packet","fates":[{"effect":"dropped","fault":3,"delay":null}]}
            {"time":0.4,"event":"fault-switched","fault":3,"on":false}
            {"time":0.5,"event":"fault-switched","fault":3,"on":true}
            {"time":0.6,"event":"ended"}"#;
        assert_eq!(
            table(&Log::parse(text).unwrap().0),
            "3  `server: drop`  a.rs:1  0.200000 to 0.400000 s, 0.500000 s to the end (0.600000 s)  \
             dropped 1\n"
        );
    }
}
