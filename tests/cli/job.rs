//! `nstest run`, `wrap` and `shell` as jobs of a shell, on a terminal that script(1) makes.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nstest_tests::directory::Directory;
use nstest_tests::marks;
use nstest_tests::survivors;
use nstest_tests::terminal::OnTerminal;

use crate::command::nstest;
use crate::starters;

/// A command line that can start `$nstest`, on a terminal, and the mark of its processes for
/// [`survivors`].
pub(crate) fn start(command: &str) -> (OnTerminal, String) {
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

/// Calls a function with the beginning of each command line that starts a program.
pub(crate) fn each(mut check: impl FnMut(&str)) {
    starters::each(|arguments| {
        println!("{arguments:?}");
        check(&format!("\"$nstest\" {}", arguments.join(" ")));
    });
}

/// As [`each`], for `nstest run`.
fn each_of_run(mut check: impl FnMut(&str)) {
    for world in ["", "--peers 1", "--host-port 9"] {
        println!("{world}");
        check(&format!("\"$nstest\" run {world} --"));
    }
}

/// An interactive shell that waits for a command.
fn shell() -> OnTerminal {
    let (mut shell, _) = start("exec sh -i");
    shell.wait_for("$ ");
    shell
}

/// Has a shell end, which must end with this status.
#[track_caller]
fn leave(mut shell: OnTerminal, exit: &str, expected: i32) {
    shell.type_in(&format!("{exit}\n"));
    let (status, shown) = shell.end();
    assert_eq!(status, Some(expected), "{shown}");
}

#[track_caller]
pub(crate) fn nothing_is_left(mark: &str) {
    assert_eq!(survivors::processes(mark.as_ref()), <[String; 0]>::default());
}

/// Types a command into an interactive shell, and waits until it shows a text.
fn type_command(shell: &mut OnTerminal, command: &str, shown: &str) {
    shell.type_in(&format!("{command}\n"));
    shell.wait_for(&format!("{command}\r\n"));
    shell.wait_for(shown);
}

/// Waits in a shell for the end of a job, also of one that was stopped.
const UNTIL_GONE: &str = "while kill -0 %1 2> /dev/null; do sleep 0.02; done";

#[test]
fn ctrl_c_is_for_the_program() {
    each(|starter| {
        let script =
            "trap \"echo caught; exit 9\" INT; echo ready; while :; do sleep 0.02 & wait; done";
        let (mut job, _) = start(&format!("exec {starter} sh -c '{script}'"));
        job.wait_for("ready");
        job.type_in("\x03");
        let (status, shown) = job.end();
        assert_eq!(status, Some(9), "{shown}");
        assert_eq!(shown.matches("caught").count(), 1, "{shown}");
    });
}

#[test]
fn ctrl_c_ends_a_program_that_does_not_handle_it() {
    each(|starter| {
        // Not a shell, which may miss the signal while it starts a program.
        let (mut job, mark) = start(&format!("exec {starter} cat"));
        job.type_in("typed\n");
        job.wait_for("typed\r\ntyped\r\n");
        job.type_in("\x03");
        let (status, shown) = job.end();
        assert_eq!(status, Some(130), "{shown}");
        nothing_is_left(&mark);
    });
}

/// A command that begins when this signal of the terminal is pending for it. `ready` is shown
/// before.
fn begun_with(signal: &str, command: &str) -> String {
    let script = "echo re''ady; until grep -q \"^ShdPnd:.*[1-9a-f]\" /proc/$$/status; do :; done; exec \"$@\"";
    format!("env --block-signal={signal} bash -c '{script}' sh {command}")
}

#[test]
fn ctrl_c_before_the_program_begins_ends_it() {
    each_of_run(|starter| {
        let (mut job, mark) =
            start(&format!("exec {}", begun_with("INT", &format!("{starter} cat"))));
        job.wait_for("ready\r\n");
        job.type_in("\x03");
        let (status, shown) = job.end();
        assert_eq!(status, Some(130), "{shown}");
        nothing_is_left(&mark);
    });
}

#[test]
fn ctrl_z_before_the_program_begins_stops_the_job() {
    each_of_run(|starter| {
        let mut shell = shell();
        shell.type_in(&format!("{}\n", begun_with("TSTP", &format!("{starter} sleep 60"))));
        shell.wait_for("ready\r\n");
        shell.type_in("\x1a");
        shell.wait_for("Stopped");
        shell.wait_for("$ ");
        type_command(&mut shell, "kill -INT %1; fg", "$ ");
        leave(shell, "exit $?", 130);
    });
}

/// At whichever moment of the start.
#[test]
fn ctrl_c_is_never_lost() {
    each_of_run(|starter| {
        for nth in 0..24 {
            let (mut job, mark) = start(&format!("echo re''ady; exec {starter} sleep 60"));
            job.wait_for("ready\r\n");
            std::thread::sleep(Duration::from_micros(1500) * nth);
            job.type_in("\x03");
            let (status, shown) = job.end();
            assert_eq!(status, Some(130), "after {nth} ms: {shown}");
            nothing_is_left(&mark);
        }
    });
}

/// The program may not have been executed yet, and others wait for its exec.
#[test]
fn ctrl_z_during_the_start_does_not_hang() {
    each_of_run(|starter| {
        let mut shell = shell();
        for nth in 0..24 {
            // The shell ignores Ctrl-Z, until the job has the terminal.
            shell.type_in(&format!("sh -c 'echo re''ady; exec \"$@\"' sh {starter} sleep 60\n"));
            shell.wait_for("ready\r\n");
            std::thread::sleep(Duration::from_micros(1500) * nth);
            shell.type_in("\x1a");
            shell.wait_for("Stopped");
            shell.wait_for("$ ");
            type_command(&mut shell, "kill -TERM %1; fg; echo en''ded", "ended\r\n");
            shell.wait_for("$ ");
        }
    });
}

#[test]
fn a_job_can_be_stopped_and_continued() {
    each(|starter| {
        let mut shell = shell();
        // It does not read before it is continued: a process that is to stop while it reads may
        // take what is typed for the shell.
        let program =
            "trap go=1 CONT; echo re''ady; until [ $go ]; do sleep 0.02 & wait; done; cat; exit 4";
        shell.type_in(&format!("{starter} sh -c '{program}'\n"));
        shell.wait_for("ready\r\n");
        shell.type_in("\x1a");
        shell.wait_for("Stopped");
        shell.wait_for("$ ");
        type_command(&mut shell, "echo in the sh''ell", "in the shell");
        type_command(&mut shell, "fg", "exit 4");
        shell.wait_for("\r\n");
        shell.type_in("typed\n");
        shell.wait_for("typed\r\ntyped\r\n");
        shell.type_in("\x04");
        shell.wait_for("$ ");
        leave(shell, "exit $?", 4);
    });
}

/// A shell leaves the process group of the command, and takes the terminal.
#[test]
fn a_program_that_stops_itself_in_a_group_of_its_own_stops_the_job() {
    each(|starter| {
        let mut shell = shell();
        let inner = format!("PS1='inner> ' {starter} bash --norc --noprofile -i");
        type_command(&mut shell, &inner, "inner> ");
        for _ in 0..2 {
            type_command(&mut shell, "kill -STOP $$", "Stopped");
            shell.wait_for("$ ");
            type_command(&mut shell, "echo in the sh''ell", "in the shell");
            shell.wait_for("$ ");
            type_command(&mut shell, "fg", "inner> ");
        }
        // It has the terminal: its jobs read and are ended by Ctrl-C.
        type_command(&mut shell, "echo re''ady; cat", "ready\r\n");
        shell.type_in("typed\n");
        shell.wait_for("typed\r\ntyped\r\n");
        shell.type_in("\x03");
        shell.wait_for("inner> ");
        type_command(&mut shell, "exit 3", "$ ");
        leave(shell, "exit $?", 3);
    });
}

#[test]
fn a_program_that_handles_ctrl_z_is_not_stopped() {
    each(|starter| {
        let mut shell = shell();
        let program = "trap \"echo cau''ght; exit 6\" TSTP; echo re''ady; while :; do read x; done";
        shell.type_in(&format!("{starter} sh -c '{program}'\n"));
        shell.wait_for("ready\r\n");
        shell.type_in("\x1a");
        shell.wait_for("caught\r\n");
        shell.wait_for("$ ");
        leave(shell, "exit $?", 6);
    });
}

/// The command must not stay stopped when the program goes on.
#[test]
fn a_program_that_others_continue_goes_on_with_the_job() {
    each(|starter| {
        let mut shell = shell();
        let program = "(while sleep 0.2; do kill -CONT $$; done) & kill -STOP $$; echo go''es on; exec sleep 0.2";
        shell.type_in(&format!("{starter} sh -c '{program}'\n"));
        shell.wait_for("goes on");
        // It would last forever for a job that stays stopped.
        type_command(&mut shell, &format!("{UNTIL_GONE}; echo do''ne"), "done\r\n");
        leave(shell, "exit 0", 0);
    });
}

/// Also if no process continues it.
#[test]
fn the_time_of_a_program_that_is_stopped_ends() {
    for world in ["", "--peers 1"] {
        let mut shell = shell();
        let program = "trap \"echo en''ded; exit\" TERM; kill -STOP $$; sleep 60 & wait";
        let command = format!("\"$nstest\" run {world} --timeout 1s -- sh -c '{program}'");
        shell.type_in(&format!("{command}\n"));
        shell.wait_for("nstest: `sh` did not end within 1s");
        // On a slow machine, the time ends before the program is stopped.
        let shown = shell.shown();
        assert!(shown.contains("ended\r\n") || !shown.contains("Stopped"), "{shown}");
        type_command(&mut shell, &format!("{UNTIL_GONE}; echo do''ne"), "done\r\n");
        leave(shell, "exit 0", 0);
    }
}

/// The shell has the terminal then, and ends if another process takes it.
#[test]
fn a_stopped_job_that_ends_leaves_the_terminal_to_the_shell() {
    let check = |starter: &str, program: &str, end: &str, ended: &str| {
        let (mut shell, _) = start("exec bash --norc --noprofile -i");
        shell.wait_for("$ ");
        shell.type_in(&format!("{starter} sh -c '{program}'\n"));
        shell.wait_for("Stopped");
        shell.wait_for("$ ");
        shell.type_in(end);
        shell.wait_for(ended);
        type_command(&mut shell, "wait; echo in the sh''ell", "in the shell");
        leave(shell, "exit 5", 5);
    };
    for world in ["", "--peers 1"] {
        let starter = format!("\"$nstest\" run {world} --timeout 3s --");
        check(&starter, "kill -STOP $$; sleep 60", "", "did not end within 3s");
    }
    let directory = Directory::new("cli-stopped-job");
    each(|starter| {
        let end = directory.path().join("end");
        let end = end.display();
        let program =
            format!("(until [ -e {end} ]; do sleep 0.02; done; kill -KILL $$) & kill -STOP $$");
        check(starter, &program, &format!("echo > {end}; {UNTIL_GONE}; echo go''ne\n"), "gone\r\n");
        std::fs::remove_file(directory.path().join("end")).unwrap();
    });
}

#[test]
fn a_shell_has_job_control_and_the_terminal_comes_back() {
    each(|starter| {
        let command = format!("{starter} sh -i; echo end; read line; echo \"got $line\"");
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
    });
}
