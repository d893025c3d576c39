//! `nstest show`, `open` and `clean`: what failed tests left.

use std::ffi::OsStr;
use std::fs;
use std::net::TcpStream;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use nstest::{Node, PacketKind, Packets, TestResult, netns_test};
use nstest_tests::directory::Directory;
use nstest_tests::driver::Run;
use nstest_tests::executable;
use nstest_tests::terminal::OnTerminal;

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
struct Target(Directory);

impl Target {
    fn new() -> Self {
        Self(Directory::new("cli-show"))
    }

    /// With the record of a program.
    fn with_a_run() -> (Self, PathBuf) {
        let target = Self::new();
        let record = target.0.path().join("nstest/latest");
        let world = ["run", "--peers=1", "--condition=delay 1ms", "--record"];
        let mut run = nstest(&world);
        let ended = Ended::of(run.arg(&record).args(["--", "true"]));
        assert_eq!(ended.status, Some(0), "{ended:?}");
        (target, record)
    }

    /// With the record of a test.
    fn with_a_record() -> (Self, PathBuf) {
        let text = Run::of(&["show::hangs"]).run().whole_text();
        let (_, after) = text.split_once("nstest: record in ").expect("a record");
        let record = PathBuf::from(after.lines().next().expect("its path"));
        let target = Self::new();
        let own = target.0.path().join("nstest/cli/hangs/1");
        fs::create_dir_all(&own).expect("make a directory");
        for file in fs::read_dir(record).expect("read the record") {
            let file = file.expect("a file");
            let content = fs::read(file.path()).expect("read it");
            fs::write(own.join(file.file_name()), content).expect("copy it");
        }
        std::os::unix::fs::symlink("cli/hangs/1", target.0.path().join("nstest/latest"))
            .expect("link");
        (target, own)
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        let mut command = nstest(arguments);
        command.env("CARGO_TARGET_DIR", self.0.path());
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
fn the_report_is_opened_by_the_first_browser_that_can() {
    let (target, record) = Target::with_a_run();
    let report = format!("{}/report.html", record.display());
    let open = |browser: &str| {
        let mut command = nstest(&["open"]);
        Ended::of(command.env("CARGO_TARGET_DIR", target.0.path()).env("BROWSER", browser))
    };
    for (browser, printed) in [
        ("echo", format!("{report}\n")),
        ("echo 'a  b'", format!("a  b {report}\n")),
        ("echo <%s> b", format!("<{report}> b\n")),
        ("false:no-such-browser:echo:exit", format!("{report}\n")),
    ] {
        let ended = open(browser);
        assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
        assert_eq!(ended.stdout, printed);
    }
    let ended = open("false:no-such-browser");
    let said = format!(
        "nstest: false: exit status: 1; no-such-browser: not found; open this file in any browser:\n\
         {report}\n"
    );
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(125), ""));
    assert_eq!(ended.stderr, said);
}

/// As where xdg-open finds nothing, and says so at length.
#[test]
fn without_a_desktop_the_path_is_all_that_is_said() {
    let (target, _) = Target::with_a_run();
    let programs = Directory::new("cli-no-desktop");
    executable::script(programs.path().join("xdg-open"), "echo noise >&2; exit 3");
    let path = format!("{}:{}", programs.path().display(), std::env::var("PATH").expect("PATH"));
    for browser in [None, Some(""), Some(":")] {
        let mut command = nstest(&["open"]);
        command.env("CARGO_TARGET_DIR", target.0.path()).env("PATH", &path).env_remove("BROWSER");
        command.envs(browser.map(|browser| ("BROWSER", browser)));
        let ended = Ended::of(command);
        let said = "nstest: xdg-open: it found no browser; set BROWSER to the command of a browser, \
                    or open this file in any browser:\n";
        assert!(ended.stderr.starts_with(said), "{ended:?}");
        assert!(ended.stderr.ends_with("/latest/report.html\n"), "{ended:?}");
        assert_eq!((ended.status, ended.stdout.as_str()), (Some(125), ""));
    }
}

/// What tests print and name may have control sequences in it.
#[test]
fn a_terminal_gets_no_control_sequences() {
    let (target, record) = Target::with_a_run();
    let path = record.join("events.jsonl");
    let events = file(&record, "events.jsonl");
    let changed = events.replace("delay 1ms", "\u{9b}2J\\u001b[2J\\n");
    assert_ne!(events, changed);
    fs::write(&path, &changed).expect("change a file");
    fs::write(record.join("card.txt"), "failed \x1b[2J\n").expect("change a file");
    // Each fault has one line, also in a pipe, where the files are as they are.
    let faults = target.output(&["show", "faults"]);
    let name = r"`test: condition \u{9b}2J\x1b[2J\n`";
    assert!(faults.lines().count() == 1 && faults.contains(name), "{faults}");
    assert_eq!(target.output(&["show", "events"]), changed);
    assert_eq!(target.output(&["show"]), "failed \x1b[2J\n");
    let own: &OsStr = target.0.path().as_ref();
    let on_terminal = |view: &str| {
        let program = nstest(&[]).get_program().to_str().expect("UTF-8").to_owned();
        let command = format!("{program} show {view}; echo end");
        let mut terminal = OnTerminal::run(&command, [("CARGO_TARGET_DIR", own)]);
        terminal.wait_for("end\r\n");
        terminal.shown()
    };
    assert!(on_terminal("card").starts_with("failed \\x1b[2J\r\n"));
    assert!(on_terminal("events").contains("condition \\u009b2J\\u001b[2J\\n\""));
    assert!(on_terminal("faults").contains(name));
}

/// What is printed of such a path is a word for a shell.
#[test]
fn a_path_that_is_no_text_can_be_copied() {
    let directory = Directory::new("bytes");
    let record = directory.path().join(OsStr::from_bytes(b"re cord-\xff"));
    let mut run = nstest(&["run", "--record"]);
    let ended = Ended::of(run.arg(&record).args(["--", "true"]));
    let word = format!("$'{}/re cord-\\377'", directory.path().display());
    assert_eq!(ended.stderr, format!("nstest: record in {word}\n"));
    let program = nstest(&[]).get_program().to_owned();
    let shell = |script: &str| {
        let mut bash = Command::new("bash");
        Ended::of(bash.args(["-c", script]).env("NSTEST", &program).env("BROWSER", "false"))
    };
    let card = shell(&format!("\"$NSTEST\" show {word} card"));
    assert_eq!(card.status, Some(0), "{card:?}");
    assert!(card.stdout.contains(&format!("rerun    nstest run --record {word}")), "{card:?}");
    assert!(card.stdout.contains(&format!("files    {word}\n")), "{card:?}");
    let opened = shell(&format!("\"$NSTEST\" open {word}"));
    assert!(opened.stderr.ends_with("/re cord-\\377/report.html'\n"), "{opened:?}");
    let missing = shell(&format!("\"$NSTEST\" show {word}/none card"));
    assert!(missing.stderr.contains("/re cord-\\377/none'`; a failed"), "{missing:?}");
}

/// A record may come from others. A pipe has no writer.
#[test]
fn what_is_no_regular_file_is_not_read() {
    let (target, record) = Target::with_a_run();
    let card = record.join("card.txt");
    fs::remove_file(&card).expect("remove a file");
    mkfifo(&card, Mode::S_IRWXU).expect("make a pipe");
    let ended = target.run(&["show", "latest", "card"]);
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(125), ""));
    assert!(ended.stderr.ends_with("card.txt: it is not a regular file\n"), "{ended:?}");
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
