//! Records of which a part is missing, cut off, or cannot be read.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use nstest_tests::directory::Directory;

use crate::command::{Ended, nstest};
use crate::doctor::World;

/// Runs nstest with all records in `target/nstest` of this directory.
fn within(target: &Path, arguments: &[&str]) -> Ended {
    Ended::of(nstest(arguments).env("CARGO_TARGET_DIR", target))
}

/// Leaves the record of a program there, with packets.
fn make_record(path: &Path) {
    let script = ": <>/dev/tcp/127.0.0.1/7; :";
    let mut run = nstest(&["run", "--record"]);
    let ended = Ended::of(run.arg(path).args(["--", "bash", "-c", script]));
    assert_eq!(ended.status, Some(0), "{ended:?}");
}

#[track_caller]
fn fails(ended: &Ended, stdout: &str, stderr: &str) {
    let printed = (ended.status, ended.stdout.as_str(), ended.stderr.as_str());
    assert_eq!(printed, (Some(125), stdout, stderr));
}

#[test]
fn what_could_be_written_is_shown_replaced_and_removed() {
    let directory = Directory::new("cli-partial");
    let target = directory.path();
    let path = target.join("nstest/latest");
    let word = path.to_str().unwrap();
    // The card is smaller than that, and the events are larger.
    let limited = World::within("prlimit --fsize=4096");
    let script = "for i in $(seq 20); do : <>/dev/tcp/127.0.0.1/7; done; :";
    for _ in 0..2 {
        let ended = limited.nstest(&["run", "--record", word, "--", "bash", "-c", script]);
        assert_eq!(ended.status, Some(0), "{ended:?}");
        assert!(ended.stderr.ends_with(&format!("nstest: record in {word}\n")), "{ended:?}");
        assert!(!path.join("events.jsonl").exists() && path.join("card.txt").exists());
    }
    let card = fs::read_to_string(path.join("card.txt")).unwrap();
    let lacks = "nstest: this record has no events.jsonl, capture.pcapng, report.html: what it \
                 lacks could not be written\n";
    for arguments in [&["show"][..], &["show", word], &["show", word, "card"]] {
        let shown = within(target, arguments);
        let printed = (shown.status, shown.stdout, shown.stderr);
        assert_eq!(printed, (Some(0), card.clone(), lacks.to_owned()));
    }
    let has = format!("nstest: the record in `{word}` has no events.jsonl; it has card.txt\n");
    fails(&within(target, &["show", "packets"]), "", &has);
    fails(&within(target, &["show", word, "events"]), "", &has);
    let opened = within(target, &["open"]);
    assert!(
        opened.stderr.starts_with(&format!("nstest: cannot open `{word}/report.html`: No such"))
    );
    let removed = within(target, &["clean"]);
    assert!(removed.stdout.starts_with("removed 1 record "), "{removed:?}");
    assert!(!path.exists());
}

#[test]
fn events_that_are_cut_off_are_shown_until_there() {
    let directory = Directory::new("cli-cut-off");
    let path = directory.path();
    make_record(path);
    let word = path.to_str().unwrap();
    let show = |view| Ended::of(nstest(&["show", word, view]));
    let all = show("packets").stdout;
    let first = all.lines().next().unwrap();
    let events = fs::read_to_string(path.join("events.jsonl")).unwrap();
    let is_packet = |line: &&str| line.contains(r#""event":"packet""#);
    let number = events.lines().position(|line| is_packet(&line)).unwrap() + 2;
    let lines: Vec<&str> = events.lines().take(number).collect();
    let cut_off = lines.join("\n");
    // Also within a character.
    let cut_off = [&cut_off.as_bytes()[..cut_off.len() - 9], b"\xc3"].concat();
    fs::write(path.join("events.jsonl"), cut_off).unwrap();
    let ended = show("packets");
    assert_eq!((ended.status, ended.stdout.lines().count()), (Some(125), 1), "{ended:?}");
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&ended.stdout), words(first));
    let begin = format!("nstest: {word}/events.jsonl, line {number}, column ");
    let end = "; only the lines before it are shown\n";
    assert!(ended.stderr.starts_with(&begin) && ended.stderr.ends_with(end), "{ended:?}");
    assert_eq!(ended.stderr.matches("line ").count(), 1, "{ended:?}");
    let shown = show("events");
    assert!(shown.stdout.starts_with(lines[0]), "{shown:?}");
    fails(
        &shown,
        &shown.stdout,
        &format!("nstest: {word}/events.jsonl: its last line is incomplete\n"),
    );
}

#[test]
fn an_empty_file_is_an_error() {
    let directory = Directory::new("cli-empty");
    let path = directory.path();
    make_record(path);
    let word = path.to_str().unwrap();
    for (name, arguments) in [
        ("card.txt", &["show", word, "card"][..]),
        ("events.jsonl", &["show", word, "events"]),
        ("events.jsonl", &["show", word, "packets"]),
    ] {
        fs::write(path.join(name), "").unwrap();
        fails(&within(path, arguments), "", &format!("nstest: {word}/{name}: it is empty\n"));
    }
    fs::write(path.join("report.html"), "").unwrap();
    let mut open = nstest(&["open", word]);
    let opened = Ended::of(open.env("BROWSER", "echo"));
    fails(&opened, "", &format!("nstest: cannot open `{word}/report.html`: it is empty\n"));
}

#[test]
fn what_cannot_be_read_is_named() {
    let directory = Directory::new("cli-unreadable");
    let target = directory.path();
    let all = target.join("nstest");
    let why = "Too many levels of symbolic links (os error 40)";
    symlink("nstest", &all).unwrap();
    let said = format!("nstest: cannot read `{}`: {why}\n", all.display());
    for arguments in [&["show"][..], &["show", "packets"], &["open"], &["clean"]] {
        fails(&within(target, arguments), "", &said);
    }
    fs::remove_file(&all).unwrap();
    fs::create_dir(&all).unwrap();
    symlink("latest", all.join("latest")).unwrap();
    let said = format!("nstest: cannot read `{}/latest/events.jsonl`: {why}\n", all.display());
    fails(&within(target, &["show"]), "", &said);
    fs::remove_file(all.join("latest")).unwrap();
    symlink("gone", all.join("latest")).unwrap();
    let said = format!("nstest: no record of a test in `latest` of `{}`\n", all.display());
    fails(&within(target, &["show"]), "", &said);
}

#[test]
fn what_cannot_be_removed_is_named_and_the_rest_is_removed() {
    let directory = Directory::new("cli-undeletable");
    let target = directory.path();
    let [first, second] = ["a", "b"].map(|test| target.join("nstest/it").join(test).join("1"));
    make_record(&first);
    make_record(&second);
    let script =
        r#"set -e; mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"; exec "$0" clean"#;
    let mut read_only = Command::new("unshare");
    read_only.args(["-Urm", "sh", "-c", script]).arg(nstest(&[]).get_program()).arg(&first);
    let ended = Ended::of(read_only.env("CARGO_TARGET_DIR", target));
    assert!(ended.stdout.starts_with("removed 1 record ("), "{ended:?}");
    let begin = format!("nstest: cannot remove `{}/", first.display());
    let end = "`: Read-only file system (os error 30)\n";
    assert!(ended.stderr.starts_with(&begin) && ended.stderr.ends_with(end), "{ended:?}");
    assert_eq!((ended.status, second.exists()), (Some(125), false));
    let shown = Ended::of(nstest(&["show", first.to_str().unwrap()]));
    assert_eq!((shown.status, shown.stderr.as_str()), (Some(0), ""), "{shown:?}");
}

#[test]
fn without_a_working_directory_every_command_says_so() {
    let directory = Directory::new("cli-no-directory");
    let gone = directory.path().join("gone");
    for subcommand in ["clean", "show", "open"] {
        fs::create_dir(&gone).unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"rmdir "$PWD" && exec "$0" "$1""#]).arg(nstest(&[]).get_program());
        shell.arg(subcommand).current_dir(&gone);
        shell.env_remove("CARGO_TARGET_DIR").env_remove("CARGO_BUILD_TARGET_DIR");
        let said = "nstest: no current directory: No such file or directory (os error 2)\n";
        fails(&Ended::of(shell), "", said);
    }
}

#[test]
fn a_browser_gets_no_path_that_looks_like_an_option() {
    let directory = Directory::new("cli-option");
    make_record(&directory.path().join("-x"));
    let mut open = nstest(&["open", "--", "-x"]);
    let ended = Ended::of(open.current_dir(directory.path()).env("BROWSER", "echo"));
    let path = format!("{}/-x/report.html\n", directory.path().display());
    assert_eq!((ended.status, ended.stdout, ended.stderr), (Some(0), path, String::new()));
}
