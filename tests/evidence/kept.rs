//! Which records are kept, and what is in them when a test ends in an unusual way.

use std::fs;
use std::process::Command;

use nstest::{Node, TestResult, netns_test};
use nstest_tests::driver::Run;
use nstest_tests::marks;

use crate::record::{directory, exchange};

#[netns_test]
#[ignore = "fixture of another test"]
fn fails_unless_mended(server: Node) {
    exchange(&server).unwrap();
    assert!(std::env::var_os("MENDED").is_some(), "not mended");
}

#[test]
fn a_record_is_set_aside_when_its_test_passes() {
    let run = || Run::of(&["kept::fails_unless_mended"]);
    let record = directory(&run().run());
    assert!(record.join("card.txt").is_file());
    run().env("MENDED", "1").run().passed_silently("kept::fails_unless_mended");
    assert!(!record.exists());
    let group = record.ancestors().nth(2).unwrap();
    assert!(group.join(".passed/kept.fails_unless_mended/1/card.txt").is_file());
    // Other tests move it at the same time.
    let latest = fs::read_link(group.with_file_name("latest")).unwrap_or_default();
    assert!(!latest.to_string_lossy().contains("fails_unless_mended"), "{latest:?}");
}

#[netns_test]
#[ignore = "fixture of another test"]
fn waits_for_a_signal(server: Node) -> TestResult {
    exchange(&server)?;
    marks::set("ready");
    loop {
        std::thread::park();
    }
}

/// nextest sends SIGTERM to the process group, a terminal SIGINT or SIGHUP.
#[test]
fn a_test_that_is_interrupted_has_a_record_and_the_signal_ends_the_process() {
    use std::os::unix::process::ExitStatusExt;

    use nix::sys::signal::{Signal, killpg};
    let all = [(Signal::SIGTERM, true), (Signal::SIGINT, true), (Signal::SIGHUP, false)];
    for (signal, to_group) in all {
        // A shell that runs these tests in the background ignores SIGINT, which is inherited.
        let mut command = Command::new("env");
        command.arg("--default-signal");
        let running = Run::under(command, &["kept::waits_for_a_signal"]).start();
        running.wait_for("ready");
        match to_group {
            true => killpg(running.pid(), signal).unwrap(),
            false => running.signal(signal),
        }
        let outcome = running.end();
        let text = outcome.whole_text();
        assert_eq!(outcome.status.signal(), Some(signal as i32), "{text}");
        assert!(text.contains(&format!("did not end before {signal}")), "{text}");
        let card = fs::read_to_string(directory(&outcome).join("card.txt")).unwrap();
        assert!(card.contains("\nwaits "), "{card}");
    }
}

#[netns_test]
#[ignore = "fixture of another test"]
fn returns_an_error(server: Node) -> TestResult {
    std::net::TcpStream::connect((server.ip(), 7000))?;
    Ok(())
}

#[test]
fn an_error_that_a_test_returns_is_in_its_record_without_the_output() {
    let run = Run::of(&["kept::returns_an_error"]).args(["--nocapture"]).run();
    let directory = directory(&run);
    let card = fs::read_to_string(directory.join("card.txt")).unwrap();
    assert!(
        card.contains("kept::returns_an_error: Error: Connection refused (os error 111)"),
        "{card}"
    );
    assert!(card.contains("\nhint "), "{card}");
    let events = fs::read_to_string(directory.join("events.jsonl")).unwrap();
    assert!(
        events.contains("\"verdict\":\"the test returned an error: Connection refused"),
        "{events}"
    );
    assert!(fs::read(directory.join("output.txt")).unwrap().is_empty());
}
