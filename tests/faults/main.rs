//! Fault injection through the public API, on the real kernel.
#![deny(unsafe_code)]

mod carriers;
mod chance;
mod changes;
mod conformance;
mod connections;
mod fragments;
mod lasting;
mod links;
mod mistakes;
mod neighbours;
mod partitions;
mod rates;
mod receipts;
mod resets;
mod schedules;
mod seeds;
mod stream;
mod superframes;
mod throughput;
mod traffic;

/// A message with N in place of numbers of TCP segments, which depend on delayed
/// acknowledgements.
fn without_tcp_counts(text: &str) -> String {
    let parts: Vec<&str> = text.split(" tcp").collect();
    let (last, before) = parts.split_last().expect("a split has a last part");
    let counts = before.iter().map(|part| {
        let rest = part.trim_end_matches(|digit: char| digit.is_ascii_digit());
        if rest.len() < part.len() { format!("{rest}N tcp") } else { format!("{part} tcp") }
    });
    counts.chain([(*last).to_owned()]).collect()
}
