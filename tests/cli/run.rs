//! `nstest run`.

use crate::command::{Ended, nstest};

#[test]
fn the_program_has_a_network_and_processes_of_its_own() {
    let script = "cat /proc/net/dev; id -u; echo $$";
    let ended = Ended::of(nstest(&["run", "--", "sh", "-c", script]));
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    let interfaces = ended.stdout.lines().filter(|line| line.contains(':')).count();
    assert_eq!(interfaces, 1, "{ended:?}");
    assert!(ended.stdout.ends_with("\n0\n2\n"), "{ended:?}");
}

#[test]
fn the_status_of_the_program_is_the_status_of_the_command() {
    for (script, status) in [("true", 0), ("exit 7", 7), ("kill -TERM $$", 143)] {
        let ended = Ended::of(nstest(&["run", "sh", "-c", script]));
        assert_eq!(ended.status, Some(status), "{ended:?}");
    }
}

#[test]
fn a_program_that_cannot_start_is_named() {
    for (program, status) in [("./missing", 127), ("/etc/passwd", 126), ("/", 126)] {
        let ended = Ended::of(nstest(&["run", "--", program]));
        assert_eq!((ended.status, ended.stdout.as_str()), (Some(status), ""), "{ended:?}");
        let cause = format!("nstest: cannot execute `{program}`: ");
        assert!(ended.stderr.starts_with(&cause), "{ended:?}");
    }
}
