//! `nstest show`, `open` and `clean`: what failed tests left.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use nstest::{Node, PacketKind, Packets, TestResult, netns_test};
use nstest_tests::driver::Run;

use crate::command::{Ended, nstest};

#[netns_test(timeout = "2s")]
#[ignore = "fixture of another test"]
fn hangs(server: Node) -> TestResult {
    let address = server.addr(7000);
    let _listener = server.run(|| std::net::TcpListener::bind(address))?;
    server.link().drop_packets(Packets::tcp().kind(PacketKind::Syn))?;
    TcpStream::connect(address)?;
    Ok(())
}

/// A target directory of its own, with the record of a test.
struct Target(PathBuf);

impl Target {
    fn with_a_record() -> (Self, PathBuf) {
        let text = Run::of(&["show::hangs"]).run().whole_text();
        let (_, after) = text.split_once("nstest: record in ").expect("a record");
        let record = PathBuf::from(after.lines().next().expect("its path"));
        let target = std::env::temp_dir().join(format!("nstest-show-{}", std::process::id()));
        let own = target.join("nstest/cli/hangs/1");
        fs::create_dir_all(&own).expect("make a directory");
        for file in fs::read_dir(record).expect("read the record") {
            let file = file.expect("a file");
            fs::copy(file.path(), own.join(file.file_name())).expect("copy it");
        }
        std::os::unix::fs::symlink("cli/hangs/1", target.join("nstest/latest")).expect("link");
        (Self(target), own)
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        let mut command = nstest(arguments);
        command.env("CARGO_TARGET_DIR", &self.0);
        Ended::of(command)
    }

    /// What a command printed that had nothing to complain about.
    #[track_caller]
    fn output(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
        ended.stdout
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // `clean` may have removed all of it
    }
}

fn file(record: &Path, name: &str) -> String {
    fs::read_to_string(record.join(name)).expect("read a file of the record")
}

#[test]
fn what_a_failed_test_left_is_shown_opened_and_removed() {
    let (target, record) = Target::with_a_record();
    let path = record.to_str().expect("UTF-8");
    for card in [&["show"][..], &["show", "latest"], &["show", path], &["show", path, "card"]] {
        assert_eq!(target.output(card), file(&record, "card.txt"));
    }
    assert_eq!(target.output(&["show", "latest", "events"]), file(&record, "events.jsonl"));

    let packets = target.output(&["show", "packets"]);
    let dropped = packets.lines().find(|line| line.ends_with("[dropped by fault 0]"));
    let dropped = dropped.unwrap_or_else(|| panic!("{packets}"));
    assert!(dropped.contains("  test/eth0    sent      TCP 10.0.2.1:"), "{dropped}");
    let sockets = target.output(&["show", "latest", "sockets"]);
    assert!(sockets.contains("server  tcp  listening  10.0.2.2:7000"), "{sockets}");
    let faults = target.output(&["show", "latest", "faults"]);
    assert!(faults.starts_with("0  `server tcp syn: drop`  tests/cli/show.rs:"), "{faults}");
    assert!(faults.contains(" s to the end (") && faults.contains("dropped "), "{faults}");

    let mut open = nstest(&["open"]);
    open.env("CARGO_TARGET_DIR", &target.0).env("BROWSER", "true");
    assert_eq!(Ended::of(open).status, Some(0));
    let mut open = nstest(&["open"]);
    open.env("CARGO_TARGET_DIR", &target.0).env("BROWSER", "false");
    let refused = Ended::of(open);
    assert_eq!(refused.status, Some(125));
    assert!(refused.stderr.contains("report.html"), "{refused:?}");

    let removed = target.output(&["clean"]);
    assert!(removed.starts_with("removed 1 record ("), "{removed}");
    assert!(!record.exists());
    let nothing = target.output(&["clean"]);
    assert!(nothing.starts_with("no test has left a record in "), "{nothing}");
    let missing = target.run(&["show"]);
    assert_eq!((missing.status, missing.stdout.as_str()), (Some(125), ""));
    assert!(missing.stderr.starts_with("nstest: no test has left a record in "), "{missing:?}");
}

#[test]
fn a_directory_without_a_record_is_an_error() {
    let ended = Ended::of(nstest(&["show", "/proc", "packets"]));
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(125), ""));
    assert!(ended.stderr.starts_with("nstest: no record of a test in `/proc`"), "{ended:?}");
    for arguments in [&["show", "a", "card", "b"][..], &["open", "a", "b"], &["clean", "x"]] {
        Ended::of(nstest(arguments)).is_refused();
    }
    let misspelt = Ended::of(nstest(&["show", "latest", "pakets"]));
    assert_eq!((misspelt.status, misspelt.stdout.as_str()), (Some(2), ""));
    assert!(misspelt.stderr.contains("a similar value exists: 'packets'"), "{misspelt:?}");
}
