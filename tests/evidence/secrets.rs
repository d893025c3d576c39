//! TLS secrets in the capture.

use std::io::Write;

use nstest::{Node, netns_test};
use nstest_tests::driver::Run;

/// A line of SSLKEYLOGFILE.
const LINE: &str = "CLIENT_RANDOM 0011 2233\n";

#[netns_test]
#[ignore = "fixture of another test"]
fn logs_a_secret(_server: Node) {
    if let Some(path) = std::env::var_os("SSLKEYLOGFILE") {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(LINE.as_bytes()).unwrap();
    }
    panic!("leaves a record");
}

/// The output of the fixture, and its capture.
fn capture(record: &str) -> (String, Vec<u8>) {
    let run = Run::of(&["secrets::logs_a_secret"]).env("NSTEST_RECORD", record);
    let text = run.run().text();
    let path = text.lines().find_map(|line| line.strip_prefix("nstest: record in "));
    let path = path.unwrap_or_else(|| panic!("without a record:\n{text}"));
    let capture = std::fs::read(format!("{path}/capture.pcapng")).unwrap();
    let events = std::fs::read_to_string(format!("{path}/events.jsonl")).unwrap();
    (events, capture)
}

/// The types and bodies of its blocks.
fn blocks(mut capture: &[u8]) -> Vec<(u32, &[u8])> {
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes[..4].try_into().unwrap());
    let mut blocks = Vec::new();
    while !capture.is_empty() {
        let (block, rest) = capture.split_at(number(&capture[4..]) as usize);
        blocks.push((number(block), &block[8..block.len() - 4]));
        capture = rest;
    }
    blocks
}

#[test]
fn secrets_are_recorded_on_request() {
    let (events, with) = capture("failed,tls");
    let secrets: Vec<&[u8]> =
        blocks(&with).into_iter().filter(|(kind, _)| *kind == 10).map(|(_, body)| body).collect();
    let expected =
        [&0x544c_534b_u32.to_le_bytes(), &(LINE.len() as u32).to_le_bytes(), LINE.as_bytes()];
    assert_eq!(secrets, [expected.concat()]); // its length is a multiple of 4
    assert!(events.contains("contains TLS secrets"), "{events}");
    let (events, without) = capture("failed");
    assert!(blocks(&without).iter().all(|(kind, _)| *kind != 10));
    assert!(!events.contains("TLS secrets"));
}
