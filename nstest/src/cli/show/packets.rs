//! The packets at each interface.

use serde_json::Value;

use super::log::{Log, number, text, time};
use super::table::aligned;

/// Time, interface, whether it was sent or received, the packet, and what faults did.
pub(super) fn table(log: &Log) -> String {
    let rows: Vec<Vec<String>> = log
        .all("packet")
        .map(|packet| {
            let link_end = number(packet, "link_end").unwrap_or_default();
            let direction =
                if packet["received"] == Value::Bool(true) { "received" } else { "sent" };
            let summary = [text(packet, "summary"), &fates(packet)].join(" ");
            vec![time(packet), log.interface(link_end), direction.to_owned(), summary]
        })
        .collect();
    aligned(&rows)
}

/// `[dropped by fault 0]`, or nothing.
fn fates(packet: &Value) -> String {
    let fates: Vec<String> = packet["fates"].as_array().into_iter().flatten().map(fate).collect();
    if fates.is_empty() { String::new() } else { format!("[{}]", fates.join(", ")) }
}

fn fate(fate: &Value) -> String {
    let delay = number(fate, "delay").map(|delay| format!(" {:.3} ms", delay as f64 / 1e6));
    let fault = number(fate, "fault").map(|fault| format!(" by fault {fault}"));
    let effect = text(fate, "effect");
    format!("{effect}{}{}", delay.unwrap_or_default(), fault.unwrap_or_default())
}
