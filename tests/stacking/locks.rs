//! Attributes that take a lock: in each order, tests that share it run one at a time.

use std::path::Path;
use std::time::Duration;

use nstest_tests::driver::Run;
use nstest_tests::marks;

/// The body of a test that runs alone, or not. It waits for another test, as long as it
/// takes three processes to start.
fn body(name: &str, alone: bool) {
    let directory = marks::directory();
    let ours = directory.join(format!("in-{name}"));
    std::fs::write(&ours, "").unwrap();
    let others = || count(&directory) > 1;
    let patience = Duration::from_millis(if alone { 300 } else { 20_000 });
    let met = nstest::eventually(patience, others).is_ok();
    if alone {
        std::fs::remove_file(&ours).unwrap();
    }
    assert_eq!(met, !alone, "{name} runs {}", if met { "beside others" } else { "alone" });
}

fn count(directory: &Path) -> usize {
    let files = std::fs::read_dir(directory).unwrap();
    files
        .filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().starts_with("in-"))
        .count()
}

/// Three tests with the same attributes; a case runs them at the same time, and finds each
/// of them alone, or not.
macro_rules! three {
    ($module:ident, $alone:literal, [$($asyncness:tt)?], $($attribute:tt)*) => {
        mod $module {
            #[allow(unused_imports, reason = "each case uses some of them")]
            use {
                nstest::{netns, netns_test},
                rstest::rstest,
                serial_test::{file_parallel, file_serial, parallel, serial},
            };

            $($attribute)*
            #[ignore = "fixture of another test"]
            $($asyncness)? fn a() {
                super::body("a", $alone);
            }

            $($attribute)*
            #[ignore = "fixture of another test"]
            $($asyncness)? fn b() {
                super::body("b", $alone);
            }

            $($attribute)*
            #[ignore = "fixture of another test"]
            $($asyncness)? fn c() {
                super::body("c", $alone);
            }

            #[test]
            fn case() {
                super::case(stringify!($module));
            }
        }
    };
}

#[track_caller]
fn case(module: &str) {
    let names = ["a", "b", "c"].map(|name| format!("locks::{module}::{name}"));
    let mut run = Run::of(&names.each_ref().map(String::as_str)).args(["--test-threads=3"]);
    // The paths of lock files are relative, so that each user and run has its own.
    let directory = run.case().to_owned();
    run.command().current_dir(directory);
    let shown = run.run().shown();
    assert_eq!(shown.matches(" ... ok\n").count(), 3, "{shown}");
}

three!(not_locked, false, [], #[netns_test]);
three!(serial_below, true, [], #[netns_test] #[serial]);
three!(serial_below_async, true, [async], #[netns_test] #[serial(key)]);
three!(serial_below_netns, true, [], #[test] #[netns] #[serial]);
three!(serial_below_tokio, true, [async], #[tokio::test] #[netns] #[serial]);
three!(serial_below_rstest, true, [], #[rstest] #[netns_test] #[serial]);
three!(parallel_below, false, [], #[netns_test] #[parallel]);
three!(file_below, true, [], #[netns_test] #[file_serial(path => "lock")]);
three!(file_below_async, true, [async], #[netns_test] #[file_serial(key, path => "lock")]);
three!(file_below_netns, true, [], #[test] #[netns] #[file_serial(path => "lock")]);
three!(file_parallel_below, false, [], #[netns_test] #[file_parallel(path => "lock")]);
three!(both_below, true, [], #[netns_test] #[file_serial(path => "lock")] #[serial]);
three!(file_above, true, [], #[file_serial(path => "lock")] #[netns_test]);
three!(file_above_async, true, [async], #[file_serial(path => "lock")] #[nstest::test]);
three!(file_parallel_above, false, [], #[file_parallel(path => "lock")] #[netns_test]);

#[nstest::netns_test]
#[serial_test::serial]
fn a_lock_below_leaves_parameters(server: nstest::Node) -> nstest::TestResult {
    server.wait_reachable(nstest::net().local().ip())?;
    Ok(())
}

#[nstest::netns_test]
#[serial_test::file_serial(path => "lock")]
#[should_panic(expected = "within the lock of server")]
#[ignore = "fixture of another test"]
async fn panics_within_the_lock(server: nstest::Node) {
    panic!("within the lock of {}", server.name());
}

#[test]
fn a_lock_below_lets_panics_through() {
    let mut run = Run::of(&["locks::panics_within_the_lock"]);
    let directory = run.case().to_owned();
    run.command().current_dir(directory);
    let shown = run.run().shown();
    assert_eq!(shown, "test locks::panics_within_the_lock - should panic ... ok\n");
}
