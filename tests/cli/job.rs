//! `nstest run` as a job of a shell, on a terminal that script(1) makes.

use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicU32, Ordering};

use nstest_tests::marks::{self, eventually};
use nstest_tests::survivors;
use nstest_tests::terminal::OnTerminal;

use crate::command::nstest;
use crate::directory::Directory;

/// A command line that can start `$nstest`, on a terminal, and the mark of its processes for
/// [`survivors`].
fn start(command: &str) -> (OnTerminal, String) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let nth = COUNT.fetch_add(1, Ordering::Relaxed);
    let mark = format!("job-{}-{nth}", std::process::id());
    let nstest = nstest(&[]);
    let environment = [
        ("nstest", nstest.get_program()),
        ("PS1", "$ ".as_ref()),
        (marks::VARIABLE, mark.as_ref()),
    ];
    (OnTerminal::run(command, environment), mark)
}

const WORLDS: [&str; 2] = ["", "--peers 1"];

#[test]
fn ctrl_c_is_for_the_program() {
    for world in WORLDS {
        let script =
            "trap \"echo caught; exit 9\" INT; echo ready; while :; do sleep 0.02 & wait; done";
        let (mut job, _) = start(&format!("exec \"$nstest\" run {world} -- sh -c '{script}'"));
        job.wait_for("ready");
        job.type_in("\x03");
        let (status, shown) = job.end();
        assert_eq!(status, Some(9), "{shown}");
        assert_eq!(shown.matches("caught").count(), 1, "{shown}");
    }
}

#[test]
fn ctrl_c_ends_a_program_that_does_not_handle_it() {
    for world in WORLDS {
        // Not a shell, which may miss the signal while it starts a program.
        let (mut job, mark) = start(&format!("exec \"$nstest\" run {world} -- cat"));
        job.type_in("typed\n");
        job.wait_for("typed\r\ntyped\r\n");
        job.type_in("\x03");
        let (status, shown) = job.end();
        assert_eq!(status, Some(130), "{shown}");
        assert_eq!(survivors::processes(mark.as_ref()), <[String; 0]>::default());
    }
}

#[test]
fn a_job_can_be_stopped_and_continued() {
    for world in WORLDS {
        let (mut shell, _) = start("exec sh -i");
        shell.wait_for("$ ");
        // It does not read before it is continued: a process that is to stop while it reads may
        // take what is typed for the shell.
        let program =
            "trap go=1 CONT; echo re''ady; until [ $go ]; do sleep 0.02 & wait; done; cat; exit 4";
        shell.type_in(&format!("\"$nstest\" run {world} -- sh -c '{program}'\n"));
        shell.wait_for("ready\r\n");
        shell.type_in("\x1a");
        shell.wait_for("Stopped");
        shell.wait_for("$ ");
        shell.type_in("echo in the sh''ell\n");
        shell.wait_for("in the shell");
        shell.type_in("fg\n");
        shell.wait_for("fg\r\n");
        shell.wait_for("exit 4");
        shell.wait_for("\r\n");
        shell.type_in("typed\n");
        shell.wait_for("typed\r\ntyped\r\n");
        shell.type_in("\x04");
        shell.wait_for("$ ");
        shell.type_in("exit $?\n");
        let (status, shown) = shell.end();
        assert_eq!(status, Some(4), "{shown}");
    }
}

#[test]
fn a_shell_has_job_control_and_the_terminal_comes_back() {
    for world in WORLDS {
        let command =
            format!("\"$nstest\" run {world} -- sh -i; echo end; read line; echo \"got $line\"");
        let (mut outer, _) = start(&command);
        outer.wait_for("$ ");
        outer.type_in("sh -c 'echo re''ady; exec sleep 60'\n");
        outer.wait_for("ready\r\n");
        outer.type_in("\x1a");
        outer.wait_for("Stopped");
        outer.wait_for("$ ");
        outer.type_in("kill %1; fg; exit\n");
        outer.wait_for("end\r\n");
        outer.type_in("a line\n");
        let (status, shown) = outer.end();
        assert!(shown.ends_with("got a line\r\n"), "{shown}");
        assert_eq!(status, Some(0), "{shown}");
    }
}

#[test]
fn a_closed_terminal_leaves_nothing() {
    let directory = Directory::new("closed-terminal");
    let record = format!("--record '{}'", directory.path().display());
    for world in WORLDS.into_iter().chain(["--host-port 9", "--silent-peer", &record]) {
        let command = format!("\"$nstest\" run {world} -- sh -c 'echo ready; sleep 60 & sleep 60'");
        let (mut job, mark) = start(&command);
        job.wait_for("ready");
        assert_eq!(job.close().signal(), Some(9));
        eventually("the processes end", || {
            survivors::processes(mark.as_ref()).is_empty().then_some(())
        });
    }
}
