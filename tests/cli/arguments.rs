//! Wrong arguments of every subcommand, and output that cannot be written.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::pipe;
use std::process::{Command, Stdio};

use nstest_tests::directory::Directory;
use nstest_tests::terminal::OnTerminal;

use crate::command::{Ended, cargo_nstest, nstest};

/// What is wrong for each subcommand, option and positional argument. The words follow the
/// subcommand. All that a command line can have is here.
const WRONG: &[(&str, &[&[&str]])] = &[
    ("nstest doctor", &[&["now"], &["--xml"]]),
    ("nstest doctor --verbose", &[&["--verbose=x"], &["-v", "--json"]]),
    ("nstest doctor --json", &[&["--json=x"]]),
    ("nstest doctor --trials", &[&["--trials"], &["--trials", "elsewhere"]]),
    ("nstest run", &[&[], &["--wrong", "true"]]),
    ("nstest run command", &[&["--"]]),
    (
        "nstest run --peers",
        &[&["--peers"], &["--peers=0", "true"], &["--peers=251", "true"], &["--peers=+1", "true"]],
    ),
    ("nstest run --uplink", &[&["--uplink=x", "true"], &["--uplink", "--silent-peer", "true"]]),
    (
        "nstest run --condition",
        &[&["--condition", "lte", "true"], &["--peers=1", "--condition", "dely 1ms", "true"]],
    ),
    ("nstest run --seed", &[&["--seed=x", "true"], &["--seed=+1", "true"]]),
    ("nstest run --silent-peer", &[&["--silent-peer=x", "true"]]),
    (
        "nstest run --host-port",
        &[&["--host-port"], &["--host-port", "0", "true"], &["--host-port=+80", "true"]],
    ),
    ("nstest run --no-root", &[&["--no-root=x", "true"]]),
    (
        "nstest run --timeout",
        &[&["--timeout"], &["--timeout=0s", "true"], &["--timeout=5", "true"]],
    ),
    ("nstest run --record", &[&["--record"], &["--record=", "true"]]),
    (
        "nstest run --tls-secrets",
        &[&["--tls-secrets", "true"], &["--record=x", "--tls-secrets=x", "true"]],
    ),
    ("nstest show", &[&["--wrong"]]),
    ("nstest show record", &[&["a", "card", "b"]]),
    ("nstest show view", &[&["latest", "pakets"]]),
    ("nstest open", &[&["--wrong"]]),
    ("nstest open record", &[&["a", "b"]]),
    ("nstest shell", &[&["--wrong"]]),
    ("nstest shell target", &[&["a", "b"]]),
    ("nstest shell command", &[&["a", "b", "--", "true"]]),
    ("nstest clean", &[&["x"], &["--wrong"]]),
    ("nstest wrap", &[&[], &["--wrong", "true"]]),
    ("nstest wrap command", &[&["--"]]),
    ("nstest wrap --peers", &[&["--peers=x", "true"]]),
    ("nstest wrap --uplink", &[&["--uplink=x", "true"]]),
    ("nstest wrap --condition", &[&["--condition=lte", "true"]]),
    ("nstest wrap --seed", &[&["--seed=x", "true"], &["--seed=+1", "true"]]),
    ("nstest wrap --silent-peer", &[&["--silent-peer=x", "true"]]),
    ("nstest wrap --host-port", &[&["--host-port=70000", "true"]]),
    ("nstest wrap --no-root", &[&["--no-root=x", "true"]]),
    ("cargo-nstest test", &[&["--peers"], &["-p", "x", "--no-nextest"], &["--lib", "--peers=1"]]),
    ("cargo-nstest test --no-nextest", &[&["--no-nextest=x"]]),
    ("cargo-nstest test --peers", &[&["--peers=0"]]),
    ("cargo-nstest test --uplink", &[&["--uplink=x"]]),
    ("cargo-nstest test --condition", &[&["--condition=lte"]]),
    ("cargo-nstest test --seed", &[&["--seed=x"], &["--seed=-1"]]),
    ("cargo-nstest test --silent-peer", &[&["--silent-peer=x"]]),
    ("cargo-nstest test --host-port", &[&["--host-port=x"]]),
    ("cargo-nstest test --no-root", &[&["--no-root=x"]]),
    ("cargo-nstest wrap", &[&[], &["--wrong", "true"]]),
    ("cargo-nstest wrap command", &[&["--"]]),
    ("cargo-nstest wrap --peers", &[&["--peers=x", "true"]]),
    ("cargo-nstest wrap --uplink", &[&["--uplink=x", "true"]]),
    ("cargo-nstest wrap --condition", &[&["--condition=lte", "true"]]),
    ("cargo-nstest wrap --seed", &[&["--seed=x", "true"], &["--seed=+1", "true"]]),
    ("cargo-nstest wrap --silent-peer", &[&["--silent-peer=x", "true"]]),
    ("cargo-nstest wrap --host-port", &[&["--host-port=x", "true"]]),
    ("cargo-nstest wrap --no-root", &[&["--no-root=x", "true"]]),
];

/// What cargo and nextest get; they report what is wrong with it.
const PASSED_ON: [&str; 1] = ["cargo-nstest test arguments"];

#[test]
fn every_wrong_argument_is_refused() {
    let tried = WRONG.iter().map(|(what, _)| (*what).to_owned());
    let tried: BTreeSet<String> = tried.chain(PASSED_ON.map(str::to_owned)).collect();
    let exist: BTreeSet<String> = nstest::cli::all_arguments().into_iter().collect();
    assert_eq!(tried, exist);
    for (what, wrong) in WRONG {
        let mut words = what.split(' ');
        let (program, subcommand) = (words.next().unwrap(), words.next().unwrap());
        let command = if program == "nstest" { nstest } else { cargo_nstest };
        for arguments in *wrong {
            println!("{program} {subcommand} {arguments:?}");
            Ended::of(command(&[&[subcommand], *arguments].concat())).is_refused();
        }
    }
}

#[test]
fn a_wrong_value_names_the_form_of_a_right_one() {
    let form = "; write a number and a unit: `10s`, `500ms`, `2m`";
    for (value, why) in [
        ("10", "`10` is not a duration"),
        ("s", "`s` is not a duration"),
        ("1..5s", "`1..5s` is not a duration"),
        ("0s", "no program ends within no time"),
        ("1.5ns", "`1.5ns` is not a whole number of nanoseconds"),
        ("9999999h", "`9999999h` is longer than 584 years"),
        ("99999999999999999999999999999999999999999h", "is longer than 584 years"),
    ] {
        let ended = Ended::of(nstest(&["run", "--timeout", value, "true"]));
        ended.is_refused();
        assert!(ended.stderr.contains(&format!("{why}{form}")), "{ended:?}");
    }
    let long = Ended::of(nstest(&["run", "--timeout", "5000000h", "true"]));
    assert_eq!(long.status, Some(0), "{long:?}");
    // The grammar of conditions: a time needs its unit, a percentage does not need its sign.
    for (condition, why) in [
        ("delay 5", "`5` is not a duration"),
        ("loss 5ms", "`5ms` is not a percentage"),
        ("loss 101", "`101` is more than 100%"),
    ] {
        let ended = Ended::of(nstest(&["run", "--peers=1", "--condition", condition, "true"]));
        ended.is_refused();
        assert!(ended.stderr.contains(why), "{ended:?}");
    }
    for condition in ["loss 5", "loss 5%"] {
        let ended = Ended::of(nstest(&["run", "--peers=1", "--condition", condition, "true"]));
        assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    }
}

/// A target directory with a record, and what prints something about it.
fn printing(directory: &Directory) -> Vec<Command> {
    let path = directory.path().join("nstest/a/b/1");
    let record = path.to_str().unwrap();
    let made = Ended::of(nstest(&["run", "--record", record, "true"]));
    assert_eq!(made.status, Some(0), "{made:?}");
    let show = ["card", "packets", "sockets", "faults", "events"];
    let mut all: Vec<Command> = show.iter().map(|part| nstest(&["show", record, part])).collect();
    all.extend([&["doctor"][..], &["doctor", "-v"], &["doctor", "--json"]].map(nstest));
    all.extend([&["--help"][..], &["run", "--help"], &["--version"]].map(nstest));
    all.extend([&["--help"][..], &["test", "--help"], &["--version"]].map(cargo_nstest));
    // The last one, since it removes the record.
    let mut clean = nstest(&["clean"]);
    clean.env("CARGO_TARGET_DIR", directory.path());
    all.push(clean);
    all
}

#[test]
fn a_full_output_is_an_error() {
    let directory = Directory::new("cli-full");
    for mut command in printing(&directory) {
        command.stdout(File::options().write(true).open("/dev/full").unwrap());
        let ended = Ended::of(&mut command);
        // Some parts of the record have nothing to print.
        let is_empty = ended.status == Some(0) && command.get_args().any(|it| it == "show");
        let why = "nstest: cannot write to standard output: No space left on device";
        let is_reported = ended.status == Some(125) && ended.stderr.starts_with(why);
        assert!(is_empty || is_reported, "{command:?}: {ended:?}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let directory = Directory::new("cli-closed");
    for mut command in printing(&directory) {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let ended = Ended::of(command.stdout(writer));
        assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{command:?}");
    }
}

#[test]
fn without_standard_error_the_status_is_the_same() {
    for (arguments, status) in [
        (&["run", "--", "./missing"][..], 127),
        (&["run", "--peers=1", "--", "./missing"], 127),
        (&["wrap", "./missing"], 127),
        (&["wrap", "./missing", "--list"], 127),
        (&["wrap", "/", "--list"], 126),
        (&["run", "--timeout=10ms", "sleep", "60"], 124),
        (&["run", "--record", "/proc/x", "true"], 125),
        (&["run", "--wrong"], 2),
        (&["show", "/proc"], 125),
        (&["open", "/proc"], 125),
        (&["shell", "no_such_test"], 125),
    ] {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let mut command = nstest(arguments);
        let status_of = command.stdout(Stdio::null()).stderr(writer).status().unwrap();
        assert_eq!(status_of.code(), Some(status), "{arguments:?}");
    }
}

#[test]
fn messages_have_no_control_characters() {
    let no = "./no\x1b[31m\x07\u{9b}\nx";
    let shown = r"./no\x1b[31m\x07\u{9b}\nx";
    for arguments in [
        &["run", "--", no][..],
        &["run", "--peers=1", "--", no],
        &["wrap", no],
        &["wrap", no, "--list"],
        &["run", "--peers", no, "true"],
        &["run", "--peers=1", "--condition", no, "true"],
        &["show", "latest", no],
        &[no],
    ] {
        let ended = Ended::of(nstest(arguments));
        let is_control = |c: char| c.is_control() && c != '\n';
        assert!(!ended.stderr.contains(is_control), "{ended:?}");
        assert!(ended.stderr.contains(shown), "{ended:?}");
    }
    // On a terminal, too, to which clap writes in colour.
    let command = format!("'{}' run -- '{no}'; echo end", nstest(&[]).get_program().display());
    let mut terminal = OnTerminal::run(&command, []);
    terminal.wait_for("end\r\n");
    let said = format!("nstest: cannot execute `{shown}`: No such file or directory");
    assert!(terminal.shown().starts_with(&said), "{}", terminal.shown());
}
