//! What a test prints is shown: large amounts, invalid UTF-8, output before a crash, and
//! tests that close their descriptors.

use std::io::Write;
use std::os::unix::fs::FileExt;

use expect_test::expect;
use nstest::netns_test;
use nstest_tests::driver::{Run, failure, passes_silently, success};
use nstest_tests::raw;

const MEGABYTES: usize = 200;

#[netns_test]
#[ignore = "fixture of another test"]
fn prints_200_megabytes() {
    let line = [&[b'x'; 1023][..], b"\n"].concat();
    let mut stdout = std::io::stdout().lock();
    for _ in 0..MEGABYTES * 1024 {
        stdout.write_all(&line).unwrap();
    }
    drop(stdout);
    panic!("so that it is shown");
}

#[test]
fn no_amount_of_output_blocks() {
    for arguments in [&[][..], &["--nocapture"]] {
        let fixture = ["output::prints_200_megabytes"];
        let outcome = Run::of(&fixture).args(arguments).run();
        assert_eq!(outcome.status.code(), Some(101));
        let mut buffer = vec![0; 1 << 20];
        let (mut position, mut count) = (0, 0);
        loop {
            let length = outcome.file().read_at(&mut buffer, position).unwrap();
            count += buffer[..length].iter().filter(|byte| **byte == b'x').count();
            position += length as u64;
            if length == 0 {
                break;
            }
        }
        // And the few in the report around it.
        let wanted = MEGABYTES * 1024 * 1023;
        assert!((wanted..wanted + 100).contains(&count), "{count} of {wanted}");
    }
}

#[netns_test]
#[ignore = "fixture of another test"]
fn prints_bytes() {
    let mut stdout = std::io::stdout();
    stdout.write_all(b"\xff \0 \xe2\x82\xac \xf0\x9d\x84").unwrap();
    stdout.flush().unwrap();
    raw::exit_now(0);
}

#[test]
fn invalid_utf8_is_replaced() {
    expect![[r#"
        � NUL € �
        nstest[early-exit]: the test's process exited with status 0 before the test ended
          help: exit, _exit and exec end the test function without a verdict; return from it instead
    "#]]
    .assert_eq(&failure("output::prints_bytes").replace('\0', "NUL"));
}

#[netns_test]
#[ignore = "fixture of another test"]
fn closes_its_streams() {
    raw::close_range(1, 2);
    println!("to nowhere");
    eprintln!("to nowhere");
}

#[netns_test]
#[ignore = "fixture of another test"]
fn closes_its_streams_and_fails() {
    println!("before");
    raw::close_range(0, 2);
    panic!("to nowhere");
}

#[netns_test]
#[ignore = "fixture of another test"]
#[should_panic(expected = "nowhere")]
fn closes_its_streams_and_panics() {
    raw::close_range(0, 2);
    panic!("to nowhere");
}

#[test]
fn closed_streams_lose_output_and_keep_the_verdict() {
    passes_silently("output::closes_its_streams");
    expect![[r#"
        before
    "#]]
    .assert_eq(&failure("output::closes_its_streams_and_fails"));
    expect![[r#"
        test output::closes_its_streams_and_panics - should panic ... ok
    "#]]
    .assert_eq(&Run::of(&["output::closes_its_streams_and_panics"]).run().shown());
}

#[netns_test]
#[ignore = "fixture of another test"]
fn closes_all_descriptors() {
    raw::close_range(0, u32::MAX);
}

#[netns_test]
#[ignore = "fixture of another test"]
fn closes_all_but_its_streams() {
    raw::close_range(3, u32::MAX);
}

#[netns_test]
#[ignore = "fixture of another test"]
fn puts_files_in_the_place_of_all_descriptors() {
    raw::close_range(3, u32::MAX);
    for _ in 0..20 {
        std::mem::forget(nix::unistd::pipe().unwrap());
    }
}

#[netns_test]
#[ignore = "fixture of another test"]
fn exits_with_121() {
    std::process::exit(121);
}

#[test]
fn a_closed_verdict_pipe_is_named() {
    for fixture in [
        "output::closes_all_descriptors",
        "output::closes_all_but_its_streams",
        "output::puts_files_in_the_place_of_all_descriptors",
    ] {
        expect![[r#"
            nstest[verdict-lost]: the test closed the pipe through which its process reports the result
              help: it, or something that it called, closed file descriptors that it had not opened (close_range, closefrom); leave open what others opened
        "#]].assert_eq(&failure(fixture));
    }
    // No exit status stands for it.
    assert!(failure("output::exits_with_121").starts_with("nstest[early-exit]: "));
}

#[netns_test]
#[ignore = "fixture of another test"]
fn prints_to_both() {
    for n in 1..4 {
        println!("out {n}");
        eprintln!("err {n}");
    }
}

#[test]
fn both_streams_keep_their_order() {
    let fixture = "output::prints_to_both";
    let both = "out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n";
    assert_eq!(success(fixture), both);
    let run = || Run::of(&[fixture]);
    for streamed in [run().args(["--nocapture"]), run().env("RUST_TEST_NOCAPTURE", "1")] {
        assert_eq!(streamed.run().shown(), format!("{both}test {fixture} ... ok\n"));
    }
}

#[netns_test]
#[ignore = "fixture of another test"]
fn prints_a_part_of_a_line_and_panics() {
    print!("a part of a line, ");
    panic!("after it");
}

#[netns_test]
#[ignore = "fixture of another test"]
fn panics_in_a_thread_while_others_exist() {
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let waits = std::thread::spawn(move || stopped.recv());
    print!("a part of a line, ");
    let panics = std::thread::spawn(|| panic!("after it"));
    assert!(panics.join().is_err());
    drop(stop);
    let _ = waits.join();
    raw::exit_now(1);
}

#[netns_test]
#[ignore = "fixture of another test"]
fn panics_in_a_thread_while_it_holds_the_lock_of_stdout() {
    let mut stdout = std::io::stdout().lock();
    write!(stdout, "a part of a line, ").unwrap();
    let panics = std::thread::spawn(|| panic!("after it"));
    assert!(panics.join().is_err());
    panic!("and this thread");
}

#[test]
fn a_part_of_a_line_is_shown_before_a_panic() {
    for fixture in ["prints_a_part_of_a_line_and_panics", "panics_in_a_thread_while_others_exist"] {
        let shown = failure(&format!("output::{fixture}"));
        assert!(shown.starts_with("a part of a line, \nthread "), "{shown}");
    }
    // A thread that holds the lock of standard output may wait for the one that panics.
    let held = failure("output::panics_in_a_thread_while_it_holds_the_lock_of_stdout");
    assert!(held.contains("after it") && held.contains("and this thread"), "{held}");
}

#[netns_test]
#[ignore = "fixture of another test"]
#[should_panic(expected = "the end of it")]
fn panics_at_length() {
    // Far more than a pipe holds.
    std::panic::resume_unwind(Box::new("x".repeat(10 << 20) + "the end of it"));
}

#[test]
fn a_long_message_arrives_whole() {
    let outcome = Run::of(&["output::panics_at_length"]).run();
    expect![[r#"
        test output::panics_at_length - should panic ... ok
    "#]]
    .assert_eq(&outcome.shown());
}

#[test]
fn the_runner_works_with_closed_standard_streams() {
    for closed in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &format!("exec \"$0\" \"$@\" {closed}")]);
        let outcome = Run::under(command, &["output::prints_to_both", "verdict::asserts"]).run();
        assert_eq!(outcome.status.code(), Some(101), "{closed}: {}", outcome.text());
    }
}
