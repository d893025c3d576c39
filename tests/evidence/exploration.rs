//! What an exploration leaves that finds a failure.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use nstest::{Node, TestResult, netns_test};
use nstest_tests::driver::Run;
use serde_json::Value;

use crate::record::directory;

#[netns_test(explore(then reset, drop))]
#[ignore = "fixture of another test"]
fn gives_up_after_a_reset(server: Node) -> TestResult {
    let listener = server.run(|| TcpListener::bind("0.0.0.0:7000"))?;
    server.spawn(move || {
        let Ok((mut stream, _)) = listener.accept() else { return };
        let mut question = [0; 4];
        let _ = stream.read_exact(&mut question).and_then(|()| stream.write_all(b"pong"));
    });
    let mut stream = TcpStream::connect((server.ip(), 7000))?;
    stream.write_all(b"ping")?;
    stream.read_exact(&mut [0; 4])?;
    Ok(())
}

#[test]
fn an_exploration_leaves_its_first_failure_and_the_run_without_faults() {
    let outcome = Run::of(&["exploration::gives_up_after_a_reset"]).run();
    let (text, directory) = (outcome.whole_text(), directory(&outcome));
    let difference = text.lines().find(|line| line.starts_with("first difference: "));
    let difference = difference.unwrap_or_else(|| panic!("without a difference:\n{text}"));
    assert!(difference.contains("tcp port 7000 #1, after "), "{difference}");
    assert!(difference.contains("`test` sends RST; without the fault, `"), "{difference}");
    let events = |path: &str| -> Vec<Value> {
        let lines = fs::read_to_string(directory.join(path)).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let failed = events("events.jsonl");
    assert!(failed[0]["plan"].as_str().unwrap().ends_with(": then reset"), "{}", failed[0]);
    let census = events("census/events.jsonl");
    assert_eq!(census[0]["plan"], Value::Null);
    let points: Vec<_> =
        census.iter().filter(|event| event["event"] == "exploration-point").collect();
    assert!(points.iter().any(|point| point["outcome"] == "failed"), "{points:#?}");
    assert!(points.iter().any(|point| point["outcome"] == "passed"), "{points:#?}");
    for point in points {
        let number = &point["packet"];
        let packet =
            census.iter().find(|event| event["packet"] == *number && event["event"] == "packet");
        let packet = packet.unwrap_or_else(|| panic!("no packet at {point}"));
        assert_eq!(packet["protocol"], "TCP");
    }
}
