//! The sockets that were open when the test failed.

use super::log::{Log, number, text};
use super::table::aligned;

/// What is worth saying where it is not zero: the field, and its words.
const COUNTS: [(&str, &str); 7] = [
    ("unread", "unread"),
    ("unacknowledged", "unacknowledged"),
    ("unsent", "unsent"),
    ("retransmissions", "retransmissions"),
    ("total_retransmissions", "retransmissions in total"),
    ("waiting", "to accept"),
    ("dropped", "dropped"),
];

/// Node, protocol, state, both addresses, process, and the counts that are not zero.
pub(super) fn table(log: &Log) -> String {
    let rows: Vec<Vec<String>> = log
        .all("socket")
        .map(|socket| {
            let node = number(socket, "node").map(|node| log.node(node)).unwrap_or_default();
            let counts = COUNTS.iter().filter_map(|(field, words)| {
                let count = number(socket, field).filter(|count| *count > 0)?;
                Some(format!("{count} {words}"))
            });
            let process = socket["process"].as_str().unwrap_or("-");
            let [protocol, state, local, remote] =
                ["protocol", "state", "local", "remote"].map(|field| text(socket, field));
            let words = [&node, protocol, state, local, remote, process];
            let counts = counts.collect::<Vec<String>>().join(", ");
            words.into_iter().map(str::to_owned).chain([counts]).collect()
        })
        .collect();
    aligned(&rows)
}
