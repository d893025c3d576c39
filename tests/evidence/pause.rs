//! `NSTEST_PAUSE`: a test waits at its end, and can be entered.

use std::net::TcpListener;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use nstest::{Node, TestResult, netns_test};
use nstest_tests::driver::Run;
use nstest_tests::marks;
use nstest_tests::terminal::OnTerminal;

/// A fixture on a terminal.
struct PausedTest(OnTerminal);

impl PausedTest {
    fn run(fixture: &str, pause: &str) -> Self {
        Self(OnTerminal::paused(&format!("pause::{fixture}"), pause))
    }

    fn wait_for_pause(&mut self) -> String {
        self.0.wait_for_pause()
    }

    fn press_enter(&mut self) {
        self.0.type_in("\n");
    }

    /// All that was shown until the end.
    fn end(self) -> String {
        self.0.end().1.replace('\r', "")
    }

    /// Performs the command that was printed for a node, with another shell command at its end.
    fn enter(&self, node: &str, command: &str) -> String {
        let shown = self.0.shown();
        let line = shown.lines().find_map(|line| line.trim().strip_prefix(node));
        let nsenter = line.and_then(|line| line.trim().strip_suffix("sh")).expect("a command");
        let entered = Command::new("sh")
            .args(["-c", &format!("{nsenter} sh -c '{command}'")])
            .env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap()))
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(entered.status.success(), "{nsenter}: {}", text(&entered.stderr));
        text(&entered.stdout)
    }
}

#[netns_test]
#[ignore = "fixture of another test"]
fn panics(server: Node) {
    let _listener = server.run(|| TcpListener::bind("0.0.0.0:7000")).unwrap();
    panic!("the reason");
}

#[test]
fn a_panic_keeps_the_network_and_its_sockets() {
    let mut test = PausedTest::run("panics", "failed");
    let shown = test.wait_for_pause();
    assert!(shown.contains("PAUSED: pause::panics panicked at "), "{shown}");
    assert!(shown.contains("the reason"), "{shown}");
    let addresses = test.enter("server ", "cat /proc/net/tcp; ls /sys/class/net");
    assert!(addresses.contains(":1B58"), "{addresses}"); // 7000
    assert!(addresses.contains("eth0"), "{addresses}");
    assert_eq!(test.enter("test ", "hostname"), "test\n");
    test.press_enter();
    let text = test.end();
    assert!(text.contains("pause::panics goes on"), "{text}");
    assert!(text.contains("0 passed; 1 failed"), "{text}");
}

#[netns_test(root = false)]
#[ignore = "fixture of another test"]
fn returns_an_error_without_root(server: Node) -> TestResult {
    server.run(|| std::net::TcpStream::connect("127.0.0.1:9"))?;
    Ok(())
}

#[test]
fn an_error_keeps_the_network_without_root() {
    let mut test = PausedTest::run("returns_an_error_without_root", "failed");
    let shown = test.wait_for_pause();
    assert!(shown.contains("has failed: the test returned an error"), "{shown}");
    let routes = test.enter("server ", "cat /proc/net/route");
    assert!(routes.contains("eth0"), "{routes}");
    test.press_enter();
    assert!(test.end().contains("1 failed"));
}

#[netns_test(timeout = "200ms")]
#[ignore = "fixture of another test"]
fn hangs(_server: Node) {
    marks::hang();
}

#[test]
fn a_timeout_waits_for_a_signal() {
    let mut test = PausedTest::run("hangs", "failed");
    let shown = test.wait_for_pause();
    assert!(shown.contains("PAUSED: pause::hangs has reached its timeout"), "{shown}");
    let (_, pid) = shown.split_once("kill -INT ").unwrap();
    let pid: i32 = pid.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
    assert!(test.enter("server ", "ip -o link").contains("eth0"));
    kill(Pid::from_raw(pid), Signal::SIGINT).unwrap();
    let text = test.end();
    assert!(text.contains("did not end within 200ms"), "{text}");
    assert!(text.contains("nstest: record in "), "{text}");
}

#[netns_test]
#[ignore = "fixture of another test"]
fn passes(_server: Node) {}

#[test]
fn a_test_that_passes_pauses_if_asked_and_goes_on_after_a_time() {
    let mut test = PausedTest::run("passes", "always:20ms");
    assert!(test.wait_for_pause().contains("PAUSED: pause::passes has passed"));
    assert!(test.end().contains("1 passed; 0 failed"));
    let text = PausedTest::run("passes", "failed").end();
    assert!(text.contains("1 passed") && !text.contains("PAUSED"), "{text}");
}

#[netns_test]
#[should_panic(expected = "as it should")]
#[ignore = "fixture of another test"]
fn panics_as_it_should() {
    panic!("as it should");
}

#[netns_test]
#[ignore = "fixture of another test"]
fn panics_twice() {
    let caught = std::panic::catch_unwind(|| panic!("the first one"));
    assert!(caught.is_err());
    panic!("the second one");
}

#[test]
fn each_failure_pauses_once() {
    let text = PausedTest::run("panics_as_it_should", "failed").end();
    assert!(text.contains("1 passed") && !text.contains("PAUSED"), "{text}");
    let mut test = PausedTest::run("panics_twice", "failed:10ms");
    assert!(test.wait_for_pause().contains("the first one"));
    let text = test.end();
    assert!(text.contains("has failed: the test panicked: the second one"), "{text}");
}

#[test]
fn without_a_terminal_no_test_pauses() {
    let mut command = Command::new("setsid");
    command.arg("--wait");
    let run = Run::under(command, &["pause::panics"]).env("NSTEST_PAUSE", "failed").run();
    let text = run.whole_text();
    assert!(text.contains("nstest: note: no test pauses, since there is no terminal"), "{text}");
    assert!(text.contains("the reason"), "{text}");
}

#[test]
fn an_invalid_value_is_an_error() {
    let run = Run::of(&["pause::passes"]).env("NSTEST_PAUSE", "yes").run();
    assert!(run.whole_text().contains("set it to `failed` or `always`"), "{}", run.text());
}
