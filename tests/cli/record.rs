//! `nstest run --record`: what a program leaves, and what is not overwritten.

use std::fs;
use std::path::Path;

use crate::command::{Ended, nstest};
use crate::directory::Directory;

/// The files of a record, sorted.
const FILES: [&str; 5] =
    ["capture.pcapng", "card.txt", "events.jsonl", "output.txt", "report.html"];

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn record(path: &Path, arguments: &[&str]) -> Ended {
    let path = path.to_str().unwrap();
    Ended::of(nstest(&[&["run", "--record", path], arguments].concat()))
}

fn show(path: &Path, part: &str) -> String {
    let ended = Ended::of(nstest(&["show", path.to_str().unwrap(), part]));
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    ended.stdout
}

#[test]
fn the_packets_of_lo_are_recorded_whatever_the_status() {
    let directory = Directory::new("record-lo");
    let path = directory.path().join("a/record");
    for status in [3, 0] {
        let script = format!(": <>/dev/tcp/127.0.0.1/7; exit {status}");
        let ended = record(&path, &["--", "bash", "-c", &script]);
        assert_eq!((ended.status, ended.stdout.as_str()), (Some(status), ""), "{ended:?}");
        let place = format!("nstest: record in {}\n", path.display());
        assert!(ended.stderr.ends_with(&place), "{ended:?}");
        assert_eq!(names(&path), FILES);
        let card = show(&path, "card");
        let outcome = if status == 0 { "passed" } else { "failed" };
        assert!(card.starts_with(&format!("{outcome}   bash -c ")), "{card}");
        assert!(card.contains(&format!("exit status {status}\n")), "{card}");
        let packets = show(&path, "packets");
        assert!(packets.contains("  test/lo  sent      TCP 127.0.0.1:"), "{packets}");
        let mut open = nstest(&["open", path.to_str().unwrap()]);
        assert_eq!(Ended::of(open.env("BROWSER", "true")).status, Some(0));
    }
}

#[test]
fn packets_to_peers_and_conditions_are_recorded() {
    let directory = Directory::new("record-peers");
    let script = "exec 3<>/dev/tcp/10.0.2.2/7 || exit 3";
    let world = ["--peers", "1", "--condition", "delay 1ms", "--", "bash", "-c", script];
    let ended = record(directory.path(), &world);
    assert_eq!(ended.status, Some(3), "{ended:?}");
    let packets = show(directory.path(), "packets");
    assert!(packets.contains("  peer1/eth0  received  TCP 10.0.2.1:"), "{packets}");
    let faults = show(directory.path(), "faults");
    assert!(faults.starts_with("0  `test: condition delay 1ms`  --condition  "), "{faults}");
    let card = show(directory.path(), "card");
    let rerun = "rerun    nstest run --record ";
    assert!(card.contains(rerun) && card.contains("--condition \"delay 1ms\""), "{card}");
    assert!(card.contains("test.lo 127.0.0.1/8\n"), "no fault is in force there: {card}");
}

#[test]
fn at_the_timeout_sockets_and_threads_are_recorded() {
    let directory = Directory::new("record-timeout");
    let program = ["--timeout", "300ms", "--", "sleep", "60"];
    let ended = record(directory.path(), &program);
    assert_eq!(ended.status, Some(124), "{ended:?}");
    let card = show(directory.path(), "card");
    assert!(card.starts_with("failed   sleep 60: it did not end within 300ms\n"), "{card}");
    assert!(card.contains("waits    test: clock_nanosleep, thread sleep[2]\n"), "{card}");
}

#[test]
fn nothing_runs_where_something_would_be_lost() {
    let directory = Directory::new("record-refused");
    let file = directory.path().join("file");
    fs::write(&file, "mine").unwrap();
    for (path, why) in [
        (directory.path(), "it contains `file`, which does not belong to a record"),
        (&file, "Not a directory (os error 20)"),
        (&file.join("below"), "Not a directory (os error 20)"),
        (Path::new("/proc/record"), "No such file or directory (os error 2)"),
    ] {
        let ended = record(path, &["--", "echo", "it runs"]);
        assert_eq!((ended.status, ended.stdout.as_str()), (Some(125), ""), "{ended:?}");
        let what = format!("nstest[config]: record the program in `{}`\n", path.display());
        assert!(ended.stderr.starts_with(&what), "{ended:?}");
        assert!(ended.stderr.contains(&format!("cause: {why}\n")), "{ended:?}");
        assert!(ended.stderr.contains("help: give --record a directory"), "{ended:?}");
    }
    assert_eq!(names(directory.path()), ["file"]);
    assert_eq!(fs::read_to_string(file).unwrap(), "mine");
    Ended::of(nstest(&["run", "--record", "", "--", "true"])).is_refused();
}

#[test]
fn a_program_that_cannot_start_leaves_its_record_and_a_world_that_cannot_none() {
    let directory = Directory::new("record-missing");
    let path = directory.path().join("record");
    let ended = record(&path, &["--", "./missing"]);
    assert_eq!(ended.status, Some(127), "{ended:?}");
    assert!(show(&path, "card").contains("exit status 127\n"));
    let new = directory.path().join("new");
    let path = new.to_str().unwrap();
    let mut command = nstest(&["run", "--record", path, "--", "true"]);
    nstest_tests::raw::refuse_namespaces_in(&mut command, Some(nix::libc::EPERM));
    assert_eq!(Ended::of(command).status, Some(125));
    assert!(!new.exists(), "it was made for this run");
}
