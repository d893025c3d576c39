use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::*;

/// A directory that is removed when dropped.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("nstest-{name}-{}", std::process::id()));
        make_private(&path).unwrap();
        Self(path)
    }

    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let name = |entry: io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
        let mut files: Vec<_> =
            entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect();
        files.sort();
        files
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Whether a byte is not locked, as seen by another open file description.
fn is_free(jobs: &Jobs, byte: i64) -> bool {
    let file = jobs.reopen().unwrap();
    let free = try_lock(&file, byte).is_ok();
    unlock(&file, byte);
    free
}

fn wait_until_locked(jobs: &Jobs, byte: i64) {
    while is_free(jobs, byte) {
        thread::yield_now();
    }
}

#[test]
fn there_are_never_more_holders_than_jobs() {
    let directory = Directory::new("jobs-count");
    let inside = AtomicUsize::new(0);
    let most = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..3 {
            // As three processes of one test run do.
            let jobs = Jobs::open(&directory.0, "run", 2).unwrap();
            let (jobs, inside, most) = (std::sync::Arc::new(jobs), &inside, &most);
            for worker in 0..2 {
                let jobs = std::sync::Arc::clone(&jobs);
                scope.spawn(move || {
                    for _ in 0..50 {
                        let job = jobs.acquire(worker).unwrap();
                        let now = inside.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(now, Ordering::SeqCst);
                        thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(job);
                    }
                });
            }
        }
    });
    assert_eq!(most.into_inner(), 2);
    assert_eq!(directory.files(), [""; 0]);
}

#[test]
fn a_waiter_gets_the_slot_before_its_last_holder() {
    let directory = Directory::new("jobs-order");
    let first = Jobs::open(&directory.0, "run", 1).unwrap();
    let second = Jobs::open(&directory.0, "run", 1).unwrap();
    let order = Mutex::new(Vec::new());
    thread::scope(|scope| {
        let job = first.acquire(0).unwrap();
        scope.spawn(|| {
            let _job = second.acquire(0).unwrap();
            order.lock().unwrap().push("second");
        });
        wait_until_locked(&first, turnstile_of(0));
        drop(job);
        let _job = first.acquire(0).unwrap();
        order.lock().unwrap().push("first again");
    });
    assert_eq!(order.into_inner().unwrap(), ["second", "first again"]);
}

const DIRECTORY: &str = "NSTEST_CORE_TEST_JOBS";

/// Holds both jobs until it is killed.
#[test]
#[ignore = "fixture of another test"]
fn holds_jobs_until_killed() {
    let directory = std::env::var_os(DIRECTORY).expect("a test starts it");
    let jobs = Jobs::open(Path::new(&directory), "run", 2).unwrap();
    let _job = [jobs.acquire(0).unwrap(), jobs.acquire(1).unwrap()];
    println!("holds");
    loop {
        thread::park();
    }
}

fn holder(directory: &Directory) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "runner::explore::jobs::tests::holds_jobs_until_killed"])
        .args(["--ignored", "--nocapture"])
        .env(DIRECTORY, &directory.0)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("holds")), "it ended early");
    child
}

#[test]
fn the_jobs_of_a_killed_process_are_free_again() {
    let directory = Directory::new("jobs-killed");
    let jobs = Jobs::open(&directory.0, "run", 2).unwrap();
    let mut child = holder(&directory);
    assert!(!is_free(&jobs, byte_of(0)) && !is_free(&jobs, byte_of(1)));
    thread::scope(|scope| {
        let waits = [0, 1].map(|worker| {
            let jobs = &jobs;
            let wait = scope.spawn(move || drop(jobs.acquire(worker).unwrap()));
            wait_until_locked(jobs, turnstile_of(worker));
            wait
        });
        assert!(waits.iter().all(|wait| !wait.is_finished()));
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
    });
}

#[test]
fn files_without_users_are_removed() {
    let directory = Directory::new("jobs-left");
    let mut child = holder(&directory);
    let other = Jobs::open(&directory.0, "other", 2).unwrap();
    assert_eq!(directory.files(), ["other", "run"]);
    child.kill().unwrap();
    child.wait().unwrap();
    let third = Jobs::open(&directory.0, "third", 2).unwrap();
    assert_eq!(directory.files(), ["other", "third"]);
    drop(other);
    assert_eq!(directory.files(), ["third"]);
    drop(third);
    assert_eq!(directory.files(), [""; 0]);
}

#[test]
fn a_directory_that_another_user_could_write_is_refused() {
    let directory = Directory::new("jobs-private");
    let link = directory.0.join("link");
    std::os::unix::fs::symlink("/tmp", &link).unwrap();
    let open = directory.0.join("open");
    std::fs::create_dir(&open).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(&open, mode).unwrap();
    for path in [link, open] {
        assert_eq!(
            make_private(&path).unwrap_err().code(),
            ErrorCode::Config,
            "{}",
            path.display()
        );
    }
}
