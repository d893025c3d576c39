//! `nstest::enter()`: namespaces for a program with a `main` of its own, such as a benchmark,
//! an example, or a test with `harness = false`.
//!
//! Without a role the program is the test: it starts itself in every role and checks the
//! result. With `--list` it lists its tests, for cargo-nextest.

use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use nix::sys::signal::{Signal, raise};
use nix::unistd::Pid;
use nstest_tests::programs::find;

const ROLE: &str = "NSTESTS_ROLE";
const DELAY: Duration = Duration::from_millis(20);

fn main() -> nstest::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == "--list") {
        if !arguments.iter().any(|argument| argument == "--ignored") {
            println!("entered: test");
        }
        return Ok(());
    }
    let Ok(role) = std::env::var(ROLE) else {
        cases();
        return Ok(());
    };
    let machine = std::env::var("NSTESTS_PORT").expect("a port").parse::<u16>().expect("a number");
    nstest::enter()?;
    if role == "is started again" {
        TcpStream::connect("127.0.0.1:80").expect("the port of the process that started this one");
        return Ok(());
    }
    if role == "is started again beside its network" {
        nstest::enter()?;
        nstest::enter()?;
        // Only the process that has entered changes the network.
        let error =
            nstest::net().add_node("client").build().expect_err("the network is not its own");
        assert_eq!(error.code(), nstest::ErrorCode::InUse, "{error:?}");
        return Ok(());
    }
    let _own = TcpListener::bind("127.0.0.1:80").expect("the port is free");
    assert!(TcpStream::connect(("127.0.0.1", machine)).is_err(), "the machine is out of reach");
    match role.as_str() {
        "passes" => println!("{:?}", &arguments[1..]),
        "reads" => print!("{}", std::io::read_to_string(std::io::stdin()).expect("input")),
        "exits" => std::process::exit(7),
        "is killed" => raise(Signal::SIGTERM).expect("raise"),
        "fails" => "no luck".parse::<u16>().map(drop).expect("a number"),
        "starts itself" => {
            let program = std::env::current_exe().expect("this program");
            let again = Command::new(program).env(ROLE, "is started again").status();
            println!("{}", again.expect("start"));
        }
        "enters twice" => {
            nstest::enter()?;
            println!("processes {:?}", std::process::id());
        }
        "becomes another program" => {
            let error = Command::new("sh").args(["-c", "echo another; exit 7"]).exec();
            panic!("{error}");
        }
        "has a network" => has_a_network(),
        "moves between processors" => {
            let every = sched_getaffinity(Pid::from_raw(0)).expect("the processors");
            for processor in (0..CpuSet::count()).filter(|it| every.is_set(*it) == Ok(true)) {
                let mut one = CpuSet::new();
                one.set(processor).expect("a number in range");
                sched_setaffinity(Pid::from_raw(0), &one).expect("move");
                assert_eq!(sched_getcpu(), Ok(processor));
            }
        }
        other => unreachable!("{other}"),
    }
    Ok(())
}

/// The process has nodes, faults and a seed as a test has.
fn has_a_network() {
    let net = nstest::net();
    assert_eq!(net.seed(), 7);
    let server = net.add_node("server").build().expect("a node");
    let link = net.connect(&net.local(), &server).expect("a link");
    let listener = server.run(|| TcpListener::bind("[::]:7000")).expect("a listener");
    let slow = link.condition(nstest::Condition::new().delay(DELAY)).expect("a condition");
    let start = Instant::now();
    TcpStream::connect("server:7000").expect("connect by name");
    assert!(start.elapsed() >= 2 * DELAY);
    drop((slow, listener));
    let refused = server.spawn(|| TcpStream::connect("127.0.0.1:80").is_err());
    assert!(refused.join().expect("no panic"), "the port is that of another node");
    let nodes = std::thread::spawn(|| nstest::net().nodes().len());
    assert_eq!(nodes.join().expect("no panic"), 1);
    // It affects no packet, and nothing fails for that.
    net.inject("server udp: drop".parse().expect("a fault")).expect("inject");
    let program = std::env::current_exe().expect("this program");
    let again = Command::new(program).env(ROLE, "is started again beside its network").status();
    println!("{} of 1 node", again.expect("start"));
}

fn cases() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener of the machine's");
    let port = listener.local_addr().expect("its address").port();
    let program = std::env::current_exe().expect("this program");
    let start = |mut command: Command, role: &str, input: &[u8]| {
        command.env(ROLE, role).env("NSTESTS_PORT", port.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("start");
        let mut stdin = child.stdin.take().expect("piped");
        std::io::Write::write_all(&mut stdin, input).expect("write");
        drop(stdin);
        child.wait_with_output().expect("wait")
    };
    let run = |role: &str| {
        let mut command = Command::new(&program);
        command.args(["an argument", "--another"]).env("NSTEST_SEED", "7");
        start(command, role, b"its input\n")
    };
    assert_outcome(&run("passes"), 0, "[\"an argument\", \"--another\"]\n", "");
    assert_outcome(&run("reads"), 0, "its input\n", "");
    assert_outcome(&run("exits"), 7, "", "");
    assert_outcome(&run("is killed"), 128 + 15, "", "");
    assert_outcome(&run("fails"), 101, "", "a number: ParseIntError");
    assert_outcome(&run("enters twice"), 0, "processes 2\n", "");
    assert_outcome(&run("starts itself"), 0, "exit status: 0\n", "");
    assert_outcome(&run("has a network"), 0, "exit status: 0 of 1 node\n", "");
    let mut command = Command::new(&program);
    command.env("NSTEST_SEED", "seven");
    assert_outcome(&start(command, "passes", b""), 1, "", "nstest[config]");
    assert_outcome(&run("becomes another program"), 7, "another\n", "");
    assert_outcome(&run("moves between processors"), 0, "", "");

    if cfg!(not(feature = "programs")) {
        println!("the case at a terminal ... ignored, needs script; run ./check test");
        return;
    }
    // script(1) provides a terminal, where a character ends the input.
    let mut command = Command::new("timeout");
    let program = program.to_str().expect("text");
    command.arg("60").arg(find("script"));
    command.args(["--quiet", "--return", "--command", program, "/dev/null"]);
    let output = start(command, "reads", b"its input\n\x04");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stdout.ends_with(b"its input\r\n"), "{output:?}");
}

#[track_caller]
fn assert_outcome(output: &Output, status: i32, stdout: &str, stderr: &str) {
    let printed = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{printed}{complaint}");
    assert_eq!(printed, stdout, "{complaint}");
    assert!(
        complaint.contains(stderr) && (complaint.is_empty() || !stderr.is_empty()),
        "{complaint}"
    );
}
