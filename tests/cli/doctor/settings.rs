//! Environment variables of nstest that are wrong.

use crate::command::{Ended, nstest};

/// With a wrong variable, each test fails.
#[test]
fn wrong_variables_are_problems_as_in_a_test() {
    let refused = "nstest doctor: this machine cannot run nstest's tests";
    for (name, value, cause, help) in [
        ("NSTEST_FOO", "1", "nstest has no such variable", "correct it to one of NSTEST_TIMEOUT, "),
        (
            "NSTEST_TIMEOUT",
            "bad",
            "it is neither a number above 0 nor `none`",
            "set it to a factor ",
        ),
        ("NSTEST_SEED", "x", "it is no whole number below 2^64", "set it to a whole number "),
        ("NSTEST_PLAN", ";", "it has no fault", "set it to a plan "),
        ("NSTEST_JOBS", "0", "it is no whole number from 1 to 1024", "set it to the most runs "),
        ("NSTEST_TMPFS_SIZE", "4k", "a test's own files take at least `64k`", "set it to a size "),
        ("NSTEST_RECORD", "zz", "it is none of the values of this variable", "set it to `failed` "),
        ("NSTEST_PAUSE", "zz", "it is none of the values of this variable", "set it to `failed` "),
        (
            "NSTEST_UNSUPPORTED",
            "x",
            "it is none of the values of this variable",
            "set it to `fail` ",
        ),
    ] {
        let ended = Ended::of(nstest(&["doctor"]).env(name, value));
        assert_eq!(ended.status, Some(1), "{ended:?}");
        let problem =
            format!("1. read {name}={value}  [config]\n   cause: {cause}\n   help:  {help}");
        assert!(ended.stdout.starts_with(&problem), "{ended:?}");
        let [_, verdict] = ended.stdout.split("\n\n").collect::<Vec<_>>()[..] else {
            panic!("it is one problem: {ended:?}")
        };
        let runs = !["NSTEST_SEED", "NSTEST_TMPFS_SIZE"].contains(&name);
        assert!(verdict.starts_with(refused), "{ended:?}");
        assert_eq!(verdict.contains("only `nstest run`"), runs, "{ended:?}");
        let run = Ended::of(nstest(&["run", "--", "true"]).env(name, value));
        assert_eq!(run.status == Some(0), runs, "{run:?}");
    }
    let right =
        Ended::of(nstest(&["doctor"]).env("NSTEST_RECORD", "all,lo").env("NSTEST_JOBS", "2"));
    assert_eq!(right.status, Some(0), "{right:?}");
}
