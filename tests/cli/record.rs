//! `nstest run --record`: what a program leaves, and what is not overwritten.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Stdio;

use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use nstest_tests::directory::Directory;
use nstest_tests::raw;

use crate::command::{Ended, nstest};

/// The files of a record, sorted. What a program prints is not among them.
const FILES: [&str; 4] = ["capture.pcapng", "card.txt", "events.jsonl", "report.html"];

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
    let directory = Directory::new("cli-record-lo");
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
    let directory = Directory::new("cli-record-peers");
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
    let directory = Directory::new("cli-record-timeout");
    let program = ["--timeout", "300ms", "--", "sleep", "60"];
    let ended = record(directory.path(), &program);
    assert_eq!(ended.status, Some(124), "{ended:?}");
    let card = show(directory.path(), "card");
    assert!(card.starts_with("failed   sleep 60: it did not end within 300ms\n"), "{card}");
    assert!(card.contains("waits    test: clock_nanosleep, thread sleep[2]\n"), "{card}");
}

#[test]
fn nothing_runs_where_something_would_be_lost() {
    let directory = Directory::new("cli-record-refused");
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

/// The directory in which it writes stays, and its PID may be that of another process by then.
#[test]
fn a_killed_run_does_not_keep_others_out_and_one_that_runs_does() {
    let directory = Directory::new("cli-record-lock");
    let path = directory.path();
    let program = ["sh", "-c", "echo ready; exec sleep 60"];
    let mut command =
        nstest(&[&["run", "--record", path.to_str().unwrap(), "--"], &program[..]].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    let refused = record(path, &["--", "echo", "it runs"]);
    assert_eq!((refused.status, refused.stdout.as_str()), (Some(125), ""), "{refused:?}");
    let what = format!(
        "nstest[config]: record the program in `{}`\n  cause: another process records into it\n  \
         help: wait until that process has ended; or give --record another directory\n",
        path.display()
    );
    assert!(refused.stderr.starts_with(&what), "{refused:?}");
    let unfinished = path.join(format!(".record.{}", child.id()));
    assert!(unfinished.is_dir());
    child.kill().unwrap();
    child.wait().unwrap();
    fs::rename(unfinished, path.join(".record.1")).unwrap();
    let ended = record(path, &["--", "true"]);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert_eq!(names(path), FILES);
}

#[test]
fn a_program_that_cannot_start_leaves_its_record_and_a_world_that_cannot_none() {
    let directory = Directory::new("cli-record-missing");
    let path = directory.path().join("record");
    let ended = record(&path, &["--", "./missing"]);
    assert_eq!(ended.status, Some(127), "{ended:?}");
    let card = show(&path, "card");
    assert!(card.contains(": it could not be executed: No such file or directory"), "{card}");
    let new = directory.path().join("new");
    let path = new.to_str().unwrap();
    let mut command = nstest(&["run", "--record", path, "--", "true"]);
    raw::refuse_namespaces_in(&mut command, Some(libc::EPERM));
    assert_eq!(Ended::of(command).status, Some(125));
    assert!(!new.exists(), "it was made for this run");
}

#[test]
fn a_network_that_cannot_be_made_is_in_the_record() {
    let directory = Directory::new("cli-record-network");
    let path = directory.path().to_str().unwrap();
    let mut command = nstest(&["run", "--peers=1", "--record", path, "--", "echo", "it runs"]);
    raw::refuse_in(&mut command, libc::SYS_unshare, libc::ENOSPC, None);
    let ended = Ended::of(command);
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(125), ""), "{ended:?}");
    assert_eq!(ended.stderr.matches("unshare(CLONE_NEWNET): ENOSPC").count(), 1, "{ended:?}");
    let card = show(directory.path(), "card");
    assert!(card.starts_with("failed   echo \"it runs\": it did not begin: nstest["), "{card}");
    assert!(card.contains("unshare"), "{card}");
}

/// The kernel kills init where memory is short, for example.
#[test]
fn a_world_that_is_killed_leaves_its_record_and_says_so() {
    let directory = Directory::new("cli-record-killed");
    let path = directory.path().to_str().unwrap();
    for world in [&["--record", path][..], &["--record", path, "--peers=1"], &[], &["--peers=1"]] {
        let program = ["--", "sh", "-c", "echo ready; sleep 60"];
        let mut command = nstest(&[&["run"], world, &program].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut String::new()).unwrap();
        let children = format!("/proc/{0}/task/{0}/children", child.id());
        let init = fs::read_to_string(children).unwrap().trim().parse().unwrap();
        kill(Pid::from_raw(init), Signal::SIGKILL).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(125));
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let why = "the program was killed, and so was its init before it ended by itself";
        assert!(stderr.contains(why), "{world:?}: {stderr}");
        if world.contains(&"--record") {
            assert!(stderr.contains(&format!("nstest: record in {path}\n")), "{stderr}");
            let card = show(directory.path(), "card");
            let words = card.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(words.starts_with("failed sh -c ") && words.contains(why), "{card}");
        }
    }
}

#[test]
fn tls_secrets_are_recorded_on_request() {
    let script = "[ -n \"$SSLKEYLOGFILE\" ] || exit 3; printf 'CLIENT_RANDOM 0011 2233\\n' >> \"$SSLKEYLOGFILE\"";
    for (world, status) in
        [(&[][..], 3), (&["--tls-secrets"], 0), (&["--tls-secrets", "--peers=1"], 0)]
    {
        let directory = Directory::new("cli-record-secrets");
        let program = ["--", "sh", "-c", script];
        let ended = record(directory.path(), &[world, &program].concat());
        assert_eq!(ended.status, Some(status), "{ended:?}");
        let capture = fs::read(directory.path().join("capture.pcapng")).unwrap();
        let has = |text: &str| capture.windows(text.len()).any(|it| it == text.as_bytes());
        assert_eq!(has("CLIENT_RANDOM 0011 2233\n"), status == 0);
        assert_eq!(show(directory.path(), "events").contains("contains TLS secrets"), status == 0);
    }
}

#[test]
fn the_record_is_where_its_path_led_at_the_start() {
    let directory = Directory::new("cli-record-moved");
    let [first, second, link] = ["first", "second", "link"].map(|it| directory.path().join(it));
    for target in [&first, &second] {
        fs::create_dir(target).unwrap();
    }
    std::os::unix::fs::symlink(&first, &link).unwrap();
    let script = "rm \"$0\" && ln -s \"$1\" \"$0\"";
    let words = [&link, &second].map(|path| path.to_str().unwrap());
    let ended = record(&link, &[&["--", "sh", "-c", script], &words[..]].concat());
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert_eq!(ended.stderr, format!("nstest: record in {}\n", first.display()));
    assert_eq!(names(&first), FILES);
    assert_eq!(names(&second), <[String; 0]>::default());
}

#[test]
fn the_seed_is_an_option_or_in_the_environment() {
    let directory = Directory::new("cli-seed");
    let path = directory.path().join("out");
    let record = path.to_str().unwrap();
    let run = |arguments: &[&str], variable: Option<&str>| {
        let words = [&["run", "--record", record], arguments, &["true"]].concat();
        let mut command = nstest(&words);
        command.env_remove("NSTEST_SEED").envs(variable.map(|seed| ("NSTEST_SEED", seed)));
        Ended::of(command)
    };
    for (arguments, variable, seed) in [
        (&[][..], None, "1"),
        (&[], Some("0x10"), "16"),
        (&["--seed=7"], None, "7"),
        (&["--seed=0x8", "--peers=1", "--condition=loss 5%"], Some("9"), "8"),
    ] {
        let ended = run(arguments, variable);
        assert_eq!(ended.status, Some(0), "{ended:?}");
        let card = fs::read_to_string(path.join("card.txt")).unwrap();
        let shown = card.lines().find_map(|line| line.strip_prefix("seed "));
        assert_eq!(shown.map(str::trim), Some(seed), "{card}");
    }
    let refused = run(&[], Some("many"));
    assert_eq!(refused.status, Some(125), "{refused:?}");
    assert!(refused.stderr.contains("NSTEST_SEED"), "{refused:?}");
}
