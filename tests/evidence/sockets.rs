//! The sockets of a test that fails, and what its threads wait for if it hangs.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::panic::catch_unwind;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use nstest::{Node, Packets, TestResult, netns_test};
use nstest_tests::driver::Run;
use nstest_tests::marks;
use serde_json::Value;

use crate::staged::Card;

/// The events of a fixture that fails.
fn events(fixture: &str) -> Vec<Value> {
    let fixture = format!("sockets::{fixture}");
    let text = Run::of(&[&fixture]).run().whole_text();
    let path = text.lines().find_map(|line| line.strip_prefix("nstest: record in "));
    let path = path.unwrap_or_else(|| panic!("without a record:\n{text}"));
    let lines = std::fs::read_to_string(format!("{path}/events.jsonl")).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of_kind<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event"] == kind).collect()
}

/// `server tcp 10.0.2.2:7000 * listening`, one for each socket.
fn sockets(events: &[Value]) -> Vec<String> {
    let nodes = of_kind(events, "node-added");
    let line = |socket: &&Value| {
        let node = nodes.iter().find(|node| node["node"] == socket["node"]).expect("its node");
        let text = |field: &str| socket[field].as_str().unwrap().to_owned();
        let name = node["name"].as_str().unwrap();
        format!(
            "{name} {} {} {} {}",
            text("protocol"),
            text("local"),
            text("remote"),
            text("state")
        )
    };
    of_kind(events, "socket").iter().map(line).collect()
}

#[track_caller]
fn socket<'a>(events: &'a [Value], local: &str, state: &str) -> &'a Value {
    let all = of_kind(events, "socket");
    let found = all.iter().find(|event| event["local"] == local && event["state"] == state);
    found.unwrap_or_else(|| panic!("{local} {state}: {:#?}", sockets(events)))
}

/// `connect: tcp … (syn-sent)`, one for each thread.
fn waits(events: &[Value]) -> Vec<String> {
    let line = |event: &&Value| {
        let (call, what) = (event["waits_in"].as_str().unwrap(), event["waits_for"].as_str());
        what.map_or_else(|| call.to_owned(), |what| format!("{call}: {what}"))
    };
    of_kind(events, "thread").iter().map(line).collect()
}

#[netns_test]
#[ignore = "fixture of another test"]
fn panics_with_open_sockets(server: Node) {
    let _wrong = server.run(|| TcpListener::bind("127.0.0.1:7000")).unwrap();
    let _never_asked = server.run(|| TcpStream::connect("127.0.0.1:7000")).unwrap();
    let listener = server.run(|| TcpListener::bind((server.ip(), 7001))).unwrap();
    let mut client = TcpStream::connect((server.ip(), 7001)).unwrap();
    let (accepted, _) = listener.accept().unwrap();
    client.write_all(b"12345").unwrap();
    let mut five = [0; 5];
    while accepted.peek(&mut five).unwrap() < five.len() {}
    let _datagrams = UdpSocket::bind("127.0.0.1:53").unwrap();
    TcpStream::connect((server.ip(), 7000)).unwrap();
}

#[test]
fn a_panic_leaves_the_sockets_that_were_open() {
    let events = events("panics_with_open_sockets");
    let wrong = socket(&events, "127.0.0.1:7000", "listening");
    assert_eq!((&wrong["waiting"], &wrong["node"]), (&1.into(), &2.into()));
    let process = wrong["process"].as_str().unwrap();
    assert!(process.starts_with("evidence") && process.ends_with("[2]"), "{process}");
    assert_eq!(socket(&events, "10.0.2.2:7001", "established")["unread"], 5);
    let all = sockets(&events);
    assert!(all.contains(&"server tcp 10.0.2.2:7001 * listening".to_owned()), "{all:#?}");
    assert!(all.contains(&"test udp 127.0.0.1:53 * unconnected".to_owned()), "{all:#?}");
    // What explains a failure most often comes first.
    assert!(all[0].contains("established"), "{all:#?}");
}

#[netns_test]
#[ignore = "fixture of another test"]
fn panics_without_a_network() {
    let _listener = TcpListener::bind("[::1]:7000").unwrap();
    panic!("deliberately");
}

#[test]
fn a_test_without_a_network_leaves_its_sockets() {
    let events = events("panics_without_a_network");
    assert_eq!(sockets(&events), ["test tcp [::1]:7000 * listening"]);
}

#[netns_test]
#[ignore = "fixture of another test"]
fn panics_in_a_node(server: Node) {
    let _listener = TcpListener::bind("10.0.2.1:7000").unwrap();
    server.run(|| {
        let _listener = TcpListener::bind("10.0.2.2:7000").unwrap();
        panic!("deliberately");
    });
}

#[test]
fn a_panic_in_a_node_leaves_the_sockets_of_all_nodes() {
    let events = events("panics_in_a_node");
    let expected = ["test tcp 10.0.2.1:7000 * listening", "server tcp 10.0.2.2:7000 * listening"];
    assert_eq!(sockets(&events), expected);
}

#[netns_test]
#[ignore = "fixture of another test"]
fn a_thread_of_a_node_panics(server: Node) {
    let thread = server.spawn(|| {
        let _listener = TcpListener::bind("10.0.2.2:7000").unwrap();
        panic!("deliberately");
    });
    thread.join().unwrap();
}

#[test]
fn the_first_of_panics_that_follow_each_other_leaves_sockets() {
    let events = events("a_thread_of_a_node_panics");
    assert_eq!(sockets(&events), ["server tcp 10.0.2.2:7000 * listening"]);
}

/// After a thread of a node, and by an assertion of its own: the server has only closed the
/// connection.
fn panics_after_a_thread(server: &Node) -> TestResult<Vec<u8>> {
    let listener = server.run(|| TcpListener::bind("10.0.2.2:7000"))?;
    server.spawn(move || {
        let (mut stream, mut request) = (listener.accept().unwrap().0, [0; 2]);
        stream.read_exact(&mut request).unwrap();
        assert_eq!(&request, b"hi");
    });
    let mut stream = TcpStream::connect("10.0.2.2:7000")?;
    stream.write_all(b"ho")?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    Ok(reply)
}

#[netns_test]
#[ignore = "fixture of another test"]
fn fails_after_a_thread_of_a_node(server: Node) {
    let reply = panics_after_a_thread(&server).unwrap();
    let _later = TcpListener::bind("10.0.2.1:8000").unwrap();
    assert_eq!(reply, b"ok");
}

#[netns_test]
#[ignore = "fixture of another test"]
fn returns_an_error_after_a_thread_of_a_node_panicked(server: Node) -> TestResult {
    panics_after_a_thread(&server)?;
    std::mem::forget(TcpListener::bind("10.0.2.1:8000")?);
    Err("deliberately".into())
}

#[test]
fn the_failure_that_is_reported_leaves_sockets() {
    let fixtures =
        ["fails_after_a_thread_of_a_node", "returns_an_error_after_a_thread_of_a_node_panicked"];
    for fixture in fixtures {
        let all = sockets(&events(fixture));
        let later = "test tcp 10.0.2.1:8000 * listening".to_owned();
        assert!(all.contains(&later), "{fixture}: {all:#?}");
    }
    let card = Card::of("sockets::fails_after_a_thread_of_a_node");
    let hint = card.sections(&["hint"]);
    assert!(hint.contains("panicked at N s, before the test failed: assertion"), "{hint}");
    let packets = card.sections(&["packets"]);
    assert!(packets.contains("server:7000 > test:PORT  FIN"), "{packets}");
}

#[netns_test]
#[ignore = "fixture of another test"]
fn catches_panics() {
    for port in 7000..7100 {
        let caught = catch_unwind(|| {
            let _listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
            assert!(port > 7001, "deliberately");
        });
        assert_eq!(caught.is_ok(), port > 7001);
    }
    let _listener = TcpListener::bind("127.0.0.1:8000").unwrap();
    panic!("deliberately");
}

#[test]
fn a_panic_that_was_caught_leaves_nothing() {
    assert_eq!(sockets(&events("catches_panics")), ["test tcp 127.0.0.1:8000 * listening"]);
}

#[netns_test]
#[ignore = "fixture of another test"]
fn panics_under_a_hook_of_its_own(server: Node) {
    std::panic::set_hook(Box::new(|_| {}));
    server.spawn(|| TcpListener::bind("10.0.2.2:7000").unwrap().accept().unwrap());
    server.wait_listening(7000).unwrap();
    panic!("deliberately");
}

#[netns_test]
#[ignore = "fixture of another test"]
fn returns_an_error(server: Node) -> TestResult {
    server.spawn(|| TcpListener::bind("10.0.2.2:7000").unwrap().accept().unwrap());
    server.wait_listening(7000)?;
    Err("deliberately".into())
}

#[netns_test]
#[ignore = "fixture of another test"]
fn a_fault_affects_nothing(server: Node) -> TestResult {
    server.spawn(|| TcpListener::bind("10.0.2.2:7000").unwrap().accept().unwrap());
    server.wait_listening(7000)?;
    server.link().drop_packets(Packets::udp())?;
    Ok(())
}

#[test]
fn a_failure_that_no_panic_hook_sees_leaves_sockets() {
    for fixture in ["panics_under_a_hook_of_its_own", "returns_an_error", "a_fault_affects_nothing"]
    {
        let all = sockets(&events(fixture));
        assert_eq!(all, ["server tcp 10.0.2.2:7000 * listening"], "{fixture}");
    }
}

#[netns_test]
#[ignore = "fixture of another test"]
fn has_many_sockets() {
    let bind = || UdpSocket::bind("127.0.0.1:0").unwrap();
    let _unconnected: Vec<UdpSocket> = std::iter::repeat_with(bind).take(400).collect();
    let _listener = TcpListener::bind("127.0.0.1:7000").unwrap();
    panic!("deliberately");
}

#[test]
fn of_many_sockets_those_that_matter_are_listed() {
    let events = events("has_many_sockets");
    assert_eq!(sockets(&events).len(), 200);
    assert_eq!(sockets(&events)[0], "test tcp 127.0.0.1:7000 * listening");
    let notes = of_kind(&events, "note");
    assert!(notes.iter().any(|note| note["text"] == "200 of 401 sockets are listed"), "{notes:?}");
}

#[netns_test(timeout = "4s")]
#[ignore = "fixture of another test"]
fn hangs_in_connect(server: Node) {
    server.link().drop_packets(Packets::tcp()).unwrap();
    server.spawn(|| TcpListener::bind("10.0.2.2:7000").unwrap().accept().unwrap());
    TcpStream::connect((server.ip(), 7000)).unwrap();
}

#[test]
fn a_timeout_leaves_what_each_thread_waits_for() {
    let events = events("hangs_in_connect");
    let [connecting, accepting] = &of_kind(&events, "thread")[..] else { panic!("{events:#?}") };
    assert_eq!((&connecting["waits_in"], &connecting["node"]), (&"connect".into(), &1.into()));
    let socket = connecting["waits_for"].as_str().unwrap();
    assert!(socket.ends_with(" -> 10.0.2.2:7000 (syn-sent)"), "{socket}");
    assert_eq!((&accepting["waits_in"], &accepting["node"]), (&"accept4".into(), &2.into()));
    assert_eq!(accepting["waits_for"], "tcp 10.0.2.2:7000 (listening)");
    let syn_sent = of_kind(&events, "socket");
    let syn_sent = syn_sent.iter().find(|socket| socket["state"] == "syn-sent").unwrap();
    assert_eq!(syn_sent["unacknowledged"], 0);
    assert!(syn_sent["retransmissions"].as_u64().unwrap() > 0, "{syn_sent}");
}

#[netns_test(timeout = "2s")]
#[ignore = "fixture of another test"]
async fn hangs_in_async_code(server: Node) {
    let task = server.spawn_async(async {
        let listener = tokio::net::TcpListener::bind("10.0.2.2:7000").await.unwrap();
        listener.accept().await.unwrap()
    });
    server.wait_listening(7000).unwrap();
    let mut stream = tokio::net::TcpStream::connect("10.0.2.2:7000").await.unwrap();
    let _accepted = task.await.unwrap();
    tokio::io::AsyncReadExt::read_u8(&mut stream).await.unwrap();
}

#[test]
fn a_runtime_waits_for_the_sockets_of_its_tasks() {
    let waits = waits(&events("hangs_in_async_code"));
    let waits_for_server = |wait: &String| {
        wait.starts_with("epoll_") && wait.ends_with(" -> 10.0.2.2:7000 (established)")
    };
    assert!(waits.iter().any(waits_for_server), "{waits:#?}");
}

#[netns_test(timeout = "2s")]
#[ignore = "fixture of another test"]
fn hangs_in_many_ways(server: Node) {
    server.link().drop_packets(Packets::udp()).unwrap().optional();
    let listener = server.run(|| TcpListener::bind("10.0.2.2:7000")).unwrap();
    let reading = server.spawn(move || listener.accept().unwrap().0.read(&mut [0; 16]).unwrap());
    let _stream = TcpStream::connect("10.0.2.2:7000").unwrap();
    let program = || {
        let mut program = server.command("cat");
        program.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
    };
    let (mut waited_for, mut fed) = (program(), program());
    let stdin = waited_for.stdin.take();
    thread::spawn(move || waited_for.wait().unwrap());
    thread::spawn(move || fed.stdin.take().map(|mut full| while full.write(b"x").is_ok() {}));
    thread::spawn(|| {
        let datagrams = UdpSocket::bind("10.0.2.1:53").unwrap();
        datagrams.recv(&mut [0; 16]).unwrap()
    });
    thread::spawn(marks::hang);
    reading.join().unwrap();
    drop(stdin);
}

#[test]
fn calls_are_shown_with_what_they_wait_for() {
    let events = events("hangs_in_many_ways");
    let waits = waits(&events);
    let expect = |call: &str, what: &str| {
        let found = |wait: &String| wait.starts_with(call) && wait.contains(what);
        assert!(waits.iter().any(found), "{call} {what}: {waits:#?}");
    };
    expect("futex", "the end of thread ");
    expect("recvfrom", "tcp 10.0.2.2:7000 -> 10.0.2.1:");
    expect("recvfrom", "udp 10.0.2.1:53");
    expect("wait", "the end of process cat[");
    expect("read", "a pipe");
    assert!(of_kind(&events, "thread").iter().all(|thread| !thread["node"].is_null()));
}

/// The body is stopped, so that only the parent can look.
#[netns_test(timeout = "2s")]
#[ignore = "fixture of another test"]
fn is_stopped() {
    let _listener = TcpListener::bind("127.0.0.1:7000").unwrap();
    nix::sys::signal::raise(nix::sys::signal::Signal::SIGSTOP).unwrap();
    thread::sleep(Duration::from_secs(60));
}

#[test]
fn a_stopped_test_leaves_its_sockets() {
    assert_eq!(sockets(&events("is_stopped")), ["test tcp 127.0.0.1:7000 * listening"]);
}
