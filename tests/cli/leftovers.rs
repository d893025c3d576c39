//! Nothing is left of a program when the terminal is closed, or the command is killed.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use nstest_tests::directory::Directory;
use nstest_tests::marks::{self, eventually};
use nstest_tests::survivors;

use crate::command::nstest;
use crate::job::{each, nothing_is_left, start};
use crate::starters;

fn expect_none(mark: &str) {
    eventually("the processes end", || {
        survivors::processes(mark.as_ref()).is_empty().then_some(())
    });
}

/// With a process in the background, and one in the foreground.
const PROGRAM: &str = "sh -c 'echo ready; sleep 60 & sleep 60'";

#[test]
fn a_closed_terminal_leaves_nothing() {
    let directory = Directory::new("cli-closed-terminal");
    let record = format!("--record '{}'", directory.path().display());
    let check = |starter: &str| {
        let (mut job, mark) = start(&format!("{starter} {PROGRAM}"));
        job.wait_for("ready");
        assert_eq!(job.close().signal(), Some(9));
        expect_none(&mark);
    };
    for world in ["--host-port 9", "--silent-peer", &record] {
        check(&format!("\"$nstest\" run {world} --"));
    }
    each(check);
}

/// Whether one of the marked processes is stopped.
fn is_stopped(mark: &str) -> bool {
    survivors::processes(mark.as_ref()).iter().any(|line| {
        let (directory, _) = line.split_once(':').expect("a directory in /proc");
        let stat = std::fs::read_to_string(format!("{directory}/stat")).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, rest)| rest.starts_with(" T"))
    })
}

/// The program is in a process group of its own, which the kernel does not continue.
#[test]
fn a_closed_terminal_ends_a_program_that_is_stopped() {
    each(|starter| {
        let program = format!("{starter} bash --norc --noprofile -i");
        // Without the shell, the process group of the command is orphaned.
        for (outer, typed) in
            [(format!("exec {program}"), None), ("exec sh -i".into(), Some(&program))]
        {
            let (mut shell, mark) = start(&outer);
            shell.wait_for("$ ");
            if let Some(program) = typed {
                shell.type_in(&format!("{program}\n"));
                shell.wait_for("\r\n");
                shell.wait_for("$ ");
            }
            shell.type_in("kill -STOP $$\n");
            eventually("the program stops", || is_stopped(&mark).then_some(()));
            assert_eq!(shell.close().signal(), Some(9));
            expect_none(&mark);
        }
    });
}

#[test]
fn a_command_that_is_killed_leaves_nothing() {
    starters::each(|arguments| {
        let mark = format!("killed-{}-{}", std::process::id(), arguments.join("-"));
        let program = ["sh", "-c", "echo ready; (sleep 60 & exec sleep 60) & sleep 60"];
        let mut command = nstest(&[arguments, &program].concat());
        command.env(marks::VARIABLE, &mark).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        assert!(!survivors::processes(mark.as_ref()).is_empty());
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        expect_none(&mark);
    });
}

#[test]
fn a_program_that_has_ended_leaves_nothing() {
    starters::each(|arguments| {
        let mark = format!("ended-{}-{}", std::process::id(), arguments.join("-"));
        let program = ["sh", "-c", "(sleep 60 & exec sleep 60) > /dev/null 2>&1 & exit 3"];
        let mut command = nstest(&[arguments, &program].concat());
        let status = command.env(marks::VARIABLE, &mark).status().unwrap();
        assert_eq!(status.code(), Some(3), "{arguments:?}");
        nothing_is_left(&mark);
    });
}
