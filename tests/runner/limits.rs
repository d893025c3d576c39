//! When the machine gives less than a test needs: an error that names it, never
//! a pass, never a hang.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nstest::netns_test;
use nstest_tests::driver::Run;
use nstest_tests::marks::DEADLINE;

#[netns_test]
#[ignore = "its case runs it"]
fn passes() {}

/// A run in a user namespace whose own limit on namespaces is zero: see
/// `user.max_net_namespaces` in namespaces(7).
pub(crate) fn without_namespaces(fixtures: &[&str]) -> Run {
    let mut command = Command::new("unshare");
    let script = "echo 0 > /proc/sys/user/max_net_namespaces && exec \"$0\" \"$@\"";
    command.args(["--user", "--map-root-user", "sh", "-c", script]);
    command.arg(std::env::current_exe().unwrap()).args(["--ignored", "--exact"]).args(fixtures);
    Run::in_front(command)
}

fn limited(limit: &str) -> Command {
    let mut command = Command::new("prlimit");
    command.arg(limit).arg("--");
    command
}

/// Case 34: with ever fewer descriptors, it passes or names EMFILE.
#[test]
fn too_few_descriptors_are_named() {
    let (mut passed, mut refused) = (0, 0);
    for limit in 4..=20 {
        let mut command = limited(&format!("--nofile={limit}"));
        command.arg(std::env::current_exe().unwrap());
        command.args(["--ignored", "--exact", "limits::passes"]);
        let outcome = Run::in_front(command).run();
        let text = outcome.text();
        if outcome.status.success() {
            assert!(text.contains("1 passed"), "with {limit}: {text}");
            passed += 1;
        } else {
            assert!(
                text.contains("EMFILE") || text.contains("os error 24"),
                "with {limit}: {text}"
            );
            refused += 1;
        }
        assert!(outcome.took < DEADLINE);
    }
    assert!(passed > 0, "20 are enough");
    assert!(refused > 0, "4 are not");
}

/// Case 35. Real root is not bound by the limit, so there it is run by another
/// user, from a copy that this one may read.
#[test]
fn too_many_processes_are_named() {
    let directory = std::env::temp_dir().join(format!("nstest-nproc-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o755)).unwrap();
    let copy = directory.join("runner");
    std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();

    // libtest needs a thread for the test, and the runner processes.
    let mut refused = 0;
    for more in 0..6 {
        let mut command = Command::new("unshare");
        // In a user namespace of its own the count begins with this process.
        command.args(["--user", "--map-root-user", "prlimit"]).arg(format!("--nproc={more}"));
        command.arg("--").arg(&copy).args(["--ignored", "--exact", "limits::passes"]);
        if nstest_tests::machine_root() {
            command.uid(65534).gid(65534);
        }
        let outcome = Run::in_front(command).run();
        let text = outcome.text();
        if !outcome.status.success() {
            refused += usize::from(text.contains("EAGAIN") || text.contains("os error 11"));
        }
        println!("{more}: {text}");
    }
    std::fs::remove_dir_all(&directory).unwrap();
    assert!(refused > 0);
}
