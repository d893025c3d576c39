//! A panic in a thread or task that the test did not join fails the test, also if the test
//! function returns first. The test waits for those that are still running.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use nstest::{Action, Fault, Net, Node, Packets, TestResult, netns_test};
use nstest_tests::driver::{Run, success};
use nstest_tests::marks;

/// Listens in `server`, and checks what the first client says, on a thread.
fn check_first_client(server: &Node) -> TestResult {
    let listener = server.run(|| TcpListener::bind(("0.0.0.0", 7000)))?;
    server.spawn(move || check(&listener));
    Ok(())
}

fn check(listener: &TcpListener) {
    let mut said = String::new();
    listener.accept().unwrap().0.read_to_string(&mut said).unwrap();
    assert_eq!(said, "hello");
}

fn say_goodbye(to: IpAddr) {
    TcpStream::connect((to, 7000)).unwrap().write_all(b"goodbye").unwrap();
}

#[netns_test]
#[ignore = "fixture of another test"]
fn thread_at_once(a: Node) {
    a.spawn(|| panic!("at once"));
}

#[netns_test]
#[ignore = "fixture of another test"]
fn task_at_once(a: Node) {
    a.spawn_async(async { panic!("at once") });
}

#[netns_test]
#[ignore = "fixture of another test"]
fn thread_that_computes(a: Node) {
    a.spawn(|| {
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(30) {}
        panic!("computed");
    });
}

#[netns_test]
#[ignore = "fixture of another test"]
fn thread_server(server: Node, client: Node) -> TestResult {
    check_first_client(&server)?;
    client.run(|| say_goodbye(server.ip()));
    Ok(())
}

#[netns_test]
#[ignore = "fixture of another test"]
async fn task_server(server: Node) -> TestResult {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = server.scope(tokio::net::TcpListener::bind(("0.0.0.0", 7000))).await?;
    let listener = listener.into_std()?;
    server.spawn_async(async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let mut said = String::new();
        listener.accept().await.unwrap().0.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "hello");
    });
    let mut stream = tokio::net::TcpStream::connect((server.ip(), 7000)).await?;
    stream.write_all(b"goodbye").await?;
    Ok(())
}

#[netns_test]
#[ignore = "fixture of another test"]
fn datagram_server(server: Node) -> TestResult {
    let socket = server.run(|| UdpSocket::bind(("0.0.0.0", 7000)))?;
    server.spawn(move || {
        let mut buffer = [0; 64];
        let length = socket.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"hello");
    });
    UdpSocket::bind(("0.0.0.0", 0))?.send_to(b"goodbye", (server.ip(), 7000))?;
    Ok(())
}

/// Behind a router, so that the packets pass more than one queue of the kernel.
#[netns_test]
#[ignore = "fixture of another test"]
fn routed_server(net: Net) -> TestResult {
    let (near, far) = (net.add_lan("near").build()?, net.add_lan("far").build()?);
    net.add_router("router").lan(&near).lan(&far).build()?;
    let server = net.add_node("server").join(&near).build()?;
    let client = net.add_node("client").join(&far).build()?;
    check_first_client(&server)?;
    client.run(|| say_goodbye(server.ip()));
    Ok(())
}

/// On a link with a condition, packets pass a thread of nstest.
#[netns_test]
#[ignore = "fixture of another test"]
fn spliced_server(server: Node, client: Node, net: Net) -> TestResult {
    let fault = Fault::on("server").packets(Packets::udp()).nth(1).action(Action::Drop);
    net.inject(fault)?.optional();
    check_first_client(&server)?;
    client.run(|| say_goodbye(server.ip()));
    Ok(())
}

#[netns_test]
#[ignore = "fixture of another test"]
fn nested_threads(a: Node, b: Node) {
    let inner = b.clone();
    a.spawn(move || {
        b.spawn(move || {
            inner.spawn(|| panic!("innermost"));
        });
    });
}

#[netns_test]
#[ignore = "fixture of another test"]
fn task_from_a_thread(a: Node, b: Node) {
    a.spawn(move || {
        b.spawn_async(async {
            tokio::task::yield_now().await;
            panic!("innermost")
        });
    });
}

#[netns_test]
#[ignore = "fixture of another test"]
fn fed_by_a_plain_thread(server: Node, client: Node) -> TestResult {
    check_first_client(&server)?;
    std::thread::spawn(move || client.run(|| say_goodbye(server.ip())));
    Ok(())
}

#[netns_test]
#[ignore = "fixture of another test"]
fn fed_through_a_channel(a: Node) {
    let (sender, receiver) = std::sync::mpsc::channel::<u8>();
    a.spawn(move || assert_eq!(receiver.recv(), Ok(1)));
    std::thread::spawn(move || sender.send(2));
}

#[netns_test]
#[ignore = "fixture of another test"]
fn fed_by_a_program(server: Node, client: Node) -> TestResult {
    let socket = server.run(|| UdpSocket::bind(("0.0.0.0", 7000)))?;
    server.spawn(move || {
        let mut buffer = [0; 64];
        let length = socket.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"hello");
    });
    let script = format!("echo goodbye > /dev/udp/{}/7000", server.ip());
    client.command("bash").args(["-c", &script]).spawn()?;
    Ok(())
}

/// A pipe that is full holds its writer up until the parent has read it.
#[netns_test]
#[ignore = "fixture of another test"]
fn thread_that_prints_much(a: Node) {
    a.spawn(|| {
        let line = "x".repeat(200);
        for _ in 0..2_000 {
            println!("{line}");
        }
        panic!("printed");
    });
}

/// Its destructor panics, as that of a mock server which misses a request.
struct Verifies;

impl Drop for Verifies {
    fn drop(&mut self) {
        panic!("a request is missing");
    }
}

#[netns_test]
#[ignore = "fixture of another test"]
fn output_of_a_task(a: Node) {
    a.spawn_async(async {
        tokio::task::yield_now().await;
        Verifies
    });
}

#[netns_test]
#[ignore = "fixture of another test"]
async fn task_that_is_aborted(a: Node) -> TestResult {
    let (started, start) = tokio::sync::oneshot::channel();
    let task = a.spawn_async(async {
        let _verifies = Verifies;
        started.send(()).unwrap();
        std::future::pending::<()>().await;
    });
    start.await?;
    task.abort();
    Ok(())
}

#[netns_test]
#[ignore = "fixture of another test"]
fn result_of_a_thread(a: Node) {
    a.spawn(|| Verifies);
}

#[netns_test]
#[ignore = "fixture of another test"]
fn thread_local_value(a: Node) {
    thread_local!(static LOCAL: Verifies = const { Verifies });
    a.spawn(|| LOCAL.with(|_| ()));
}

#[netns_test]
#[ignore = "fixture of another test"]
fn thread_that_exits(a: Node) {
    a.spawn(|| std::process::exit(0));
}

/// The standard library aborts the process if a destructor of these panics. An exit runs the
/// destructors of the thread-local values first, too.
#[test]
fn the_end_of_a_thread_is_waited_for() {
    let last = ["result_of_a_thread", "thread_local_value", "thread_that_exits"];
    let last = last.map(|name| format!("unjoined::{name}"));
    for _ in 0..3 {
        let text = Run::of(&last.each_ref().map(String::as_str)).run().text();
        assert!(text.contains("3 failed"), "{text}");
        assert_eq!(text.matches("a request is missing").count(), 2, "{text}");
        assert_eq!(text.matches("killed by SIGABRT").count(), 2, "{text}");
        assert_eq!(text.matches("exited with status 0").count(), 1, "{text}");
    }
}

/// While wait4(2) reaps the program, the state of the thread is that of one that sleeps.
#[netns_test]
#[ignore = "fixture of another test"]
fn thread_that_waits_for_a_program(a: Node) -> TestResult {
    let mut program = a.command("false").spawn()?;
    a.spawn(move || assert!(program.wait().unwrap().success()));
    Ok(())
}

const SHAPES: [&str; 18] = [
    "unjoined::thread_at_once",
    "unjoined::task_at_once",
    "unjoined::thread_that_computes",
    "unjoined::thread_server",
    "unjoined::task_server",
    "unjoined::datagram_server",
    "unjoined::routed_server",
    "unjoined::spliced_server",
    "unjoined::nested_threads",
    "unjoined::task_from_a_thread",
    "unjoined::fed_by_a_plain_thread",
    "unjoined::fed_through_a_channel",
    "unjoined::fed_by_a_program",
    "unjoined::thread_that_prints_much",
    "unjoined::thread_with_a_backtrace",
    "unjoined::output_of_a_task",
    "unjoined::task_that_is_aborted",
    "unjoined::thread_that_waits_for_a_program",
];

/// A backtrace with the names of functions takes long to print.
#[netns_test]
#[ignore = "fixture of another test"]
fn thread_with_a_backtrace(a: Node) {
    a.spawn(|| {
        let backtrace = std::backtrace::Backtrace::force_capture();
        panic!("{backtrace}");
    });
}

#[test]
fn no_panic_is_missed() {
    for _ in 0..3 {
        let outcome = Run::of(&SHAPES).run();
        let text = outcome.text();
        assert!(text.contains(&format!("{} failed", SHAPES.len())), "{text}");
        assert_eq!(text.matches("panicked, and was not joined: ").count(), SHAPES.len(), "{text}");
    }
}

#[netns_test]
#[ignore = "fixture of another test"]
fn servers_sleep(a: Node, b: Node) -> TestResult {
    for port in 7000..7010 {
        let listener = a.run(|| TcpListener::bind(("0.0.0.0", port)))?;
        a.spawn(move || check(&listener));
    }
    b.spawn_async(std::future::pending::<()>());
    b.command("sleep").arg("1000").spawn()?;
    Ok(())
}

#[netns_test]
#[ignore = "fixture of another test"]
fn a_server_spins(a: Node) {
    a.spawn(|| {
        loop {
            std::hint::spin_loop();
        }
    });
}

/// What sleeps is not waited for, and what never sleeps only for a while.
#[test]
fn servers_that_stay_do_not_hold_the_test_up() {
    Run::of(&["unjoined::servers_sleep"]).run().passed_silently("unjoined::servers_sleep");
    let shown = success("unjoined::a_server_spins");
    let note = "nstest: note: the test ends while these threads are still running, so that a \
                panic in one of them is not noticed: unjoined::a_server_spins in a\n";
    assert!(shown.contains(note), "{shown}");
}

/// A server that polls with short sleeps counts as sleeping.
#[netns_test]
#[ignore = "fixture of another test"]
fn a_server_polls(a: Node) -> TestResult {
    let listener = a.run(|| TcpListener::bind(("0.0.0.0", 7000)))?;
    listener.set_nonblocking(true)?;
    a.spawn(move || {
        while listener.accept().is_err() {
            std::thread::sleep(Duration::from_micros(200));
        }
    });
    Ok(())
}

#[test]
fn a_server_that_polls_is_asleep_between_its_looks() {
    let outcome = Run::of(&["unjoined::a_server_polls"]).run();
    outcome.passed_silently("unjoined::a_server_polls");
    assert!(outcome.took < marks::DEADLINE);
}
