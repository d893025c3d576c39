//! Logs of the crate tracing in the record of a test.

use nstest::{Node, netns_test};
use nstest_tests::driver::Run;
use serde_json::Value;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::prelude::*;

#[netns_test]
#[ignore = "fixture of another test"]
fn logs(server: Node) {
    let layer = nstest::tracing_layer().with_filter(LevelFilter::DEBUG);
    tracing_subscriber::registry().with(layer).init();
    server.run(|| {
        let _span = tracing::info_span!("request", id = 3).entered();
        tracing::warn!(left = 2, "no answer from {}", "peer");
        tracing::trace!("is not wanted");
    });
    tracing::debug!(target: "shop", name = "x");
    panic!("leaves a record");
}

#[test]
fn spans_and_events_are_recorded_with_their_nodes() {
    let text = Run::of(&["logs::logs"]).run().whole_text();
    let path = text.lines().find_map(|line| line.strip_prefix("nstest: record in ")).unwrap();
    let lines = std::fs::read_to_string(format!("{path}/events.jsonl")).unwrap();
    let events: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let server = events
        .iter()
        .find(|event| event["event"] == "node-added" && event["name"] == "server")
        .map(|event| event["node"].clone())
        .expect("the node");
    let logs: Vec<String> = events
        .iter()
        .filter(|event| event["event"] == "log")
        .map(|event| {
            let text = |field: &str| event[field].as_str().unwrap().to_owned();
            let node = if event["node"] == server { "server" } else { "test" };
            format!("{} {} {node}: {}", text("level"), text("target"), text("text"))
        })
        .collect();
    assert_eq!(
        logs,
        [
            "INFO evidence::logs server: request begins id=3",
            "WARN evidence::logs server: no answer from peer left=2",
            "INFO evidence::logs server: request ends",
            "DEBUG shop test: name=\"x\"",
        ]
    );
}
