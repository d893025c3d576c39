//! `nstest run --host-port`: the ports of this machine that a program reaches, and no others.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use crate::command::{Ended, nstest};

const WORLDS: [&[&str]; 2] = [&["run"], &["run", "--peers", "1"]];

/// Where the clients below connect to.
const ADDRESS: &str = "ADDRESS";
/// More than sockets and buffers hold.
const MUCH: usize = 16 << 20;

/// Runs a test of this binary, a client, as the program.
fn client(world: &[&str], port: u16, name: &str, host: &str) -> Ended {
    let itself = std::env::current_exe().unwrap();
    let port_argument = format!("--host-port={port}");
    let mut command = nstest(world);
    command.arg(port_argument).arg("--").arg(itself);
    command.args(["--exact", &format!("host_port::{name}"), "--ignored", "--nocapture"]);
    Ended::of(command.env(ADDRESS, format!("{host}:{port}")))
}

fn connect() -> TcpStream {
    TcpStream::connect(std::env::var(ADDRESS).unwrap()).unwrap()
}

#[track_caller]
fn passed(ended: &Ended) {
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("1 passed"), "{ended:?}");
}

#[test]
#[ignore = "fixture of another test"]
fn sends_and_then_receives() {
    let mut stream = connect();
    stream.write_all(b"question").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "answer to question");
}

#[test]
fn a_named_port_is_reached_and_the_end_of_a_direction_is_passed_on() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, mut question) = (stream.unwrap(), String::new());
            stream.read_to_string(&mut question).unwrap();
            stream.write_all(format!("answer to {question}").as_bytes()).unwrap();
        }
    });
    for world in WORLDS {
        // The program may use either, whichever the server on the machine uses.
        for host in ["127.0.0.1", "[::1]", "localhost"] {
            passed(&client(world, port, "sends_and_then_receives", host));
        }
    }
}

#[test]
#[ignore = "fixture of another test"]
fn sends_and_ends() {
    connect().write_all(&vec![7; MUCH]).unwrap();
}

#[test]
fn what_a_program_sends_before_it_ends_arrives() {
    let listener = TcpListener::bind("[::1]:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    for world in WORLDS {
        thread::scope(|scope| {
            let received = scope.spawn(|| {
                let (mut stream, mut received) = (listener.accept().unwrap().0, Vec::new());
                stream.read_to_end(&mut received).unwrap();
                received.len()
            });
            passed(&client(world, port, "sends_and_ends", "127.0.0.1"));
            assert_eq!(received.join().unwrap(), MUCH);
        });
    }
}

#[test]
#[ignore = "fixture of another test"]
fn is_reset() {
    let error = connect().read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_port_on_which_nothing_listens_resets() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    passed(&client(&["run"], port, "is_reset", "127.0.0.1"));
}

#[test]
fn nothing_else_of_the_machine_is_reached() {
    let (named, other) =
        (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let [named_port, other_port] = [&named, &other].map(|it| it.local_addr().unwrap().port());
    let refused = |address: &str, port: u16| {
        format!("if (: <>/dev/tcp/{address}/{port}) 2>/dev/null; then exit 3; fi")
    };
    let script = [
        refused("127.0.0.1", other_port),
        // Neither by another address of the node, nor from another node.
        refused("10.0.2.1", named_port),
        format!("ip netns exec peer1 bash -c '{}'", refused("10.0.2.1", named_port)),
        format!(": <>/dev/tcp/127.0.0.1/{named_port} || exit 4"),
    ]
    .join(" || exit 3\n");
    let port = format!("--host-port={named_port}");
    let ended =
        Ended::of(nstest(&["run", "--peers", "1", &port, &port, "--", "bash", "-c", &script]));
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
}

#[test]
fn wrong_ports_are_refused() {
    for wrong in ["0", "65536", "http", "", "-1", "80,81"] {
        Ended::of(nstest(&["run", "--host-port", wrong, "--", "true"])).is_refused();
    }
    Ended::of(nstest(&["run", "--host-port"])).is_refused();
}
