//! The simulated network of the machine, and the simulated Internet.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};

use nstest::{Net, Node, TestResult};
use nstest_tests::fixtures::fixture;

/// The address of the machine on its network.
pub(crate) const MACHINE: &str = "192.0.2.1";
/// A server that sends each client its address, and answers every DNS query.
pub(crate) const SERVER: &str = "192.0.2.9";
pub(crate) const SERVER6: &str = "2001:db8::9";
/// The port of a server on the machine's loopback.
pub(crate) const LOOPBACK_PORT: u16 = 8081;

pub(crate) struct Internet {
    guests: Receiver<()>,
}

impl Internet {
    /// Builds the network around the test's own node, which plays the machine.
    pub(crate) fn build(net: &Net) -> TestResult<Self> {
        let lan = net.add_lan("internet").subnet("192.0.2.0/24").subnet("2001:db8::/64").build()?;
        net.local().join(&lan)?;
        let server = net.add_node("server").join(&lan);
        let server = server.ip(SERVER.parse::<std::net::IpAddr>()?);
        let server = server.ip(SERVER6.parse::<std::net::IpAddr>()?).build()?;
        net.local().add_route("0.0.0.0/0", server.ipv4())?;
        net.local().add_route("::/0", server.ipv6())?;
        fs::write("/etc/resolv.conf", format!("nameserver {SERVER}\n"))?;
        // So that this also works as an ordinary user.
        server.run(|| fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0"))?;
        let (arrived, guests) = channel();
        let listener = server.run(|| TcpListener::bind("[::]:80"))?;
        server.spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let peer = stream.peer_addr().map(|peer| peer.ip().to_canonical().to_string());
                let _ = stream.write_all(peer.unwrap_or_default().as_bytes());
            }
        });
        let listener = server.run(|| TcpListener::bind("0.0.0.0:81"))?;
        server.spawn(move || {
            for mut stream in listener.incoming().flatten() {
                if stream.read_exact(&mut [0]).is_ok() && arrived.send(()).is_err() {
                    return;
                }
            }
        });
        serve_names(&server)?;
        let closed = TcpListener::bind(("127.0.0.1", LOOPBACK_PORT))?;
        std::thread::spawn(move || {
            for mut stream in closed.incoming().flatten() {
                let _ = stream.write_all(b"the machine's loopback");
            }
        });
        let mut text = String::new();
        TcpStream::connect(("127.0.0.1", LOOPBACK_PORT))?.read_to_string(&mut text)?;
        assert_eq!(text, "the machine's loopback");
        Ok(Self { guests })
    }

    /// Waits until `inside::stays` or `inside::dies` runs.
    pub(crate) fn await_guest(&self) {
        self.guests.recv().expect("the server lives");
    }

    pub(crate) fn environment(&self) -> [(&'static str, &'static str); 1] {
        [("IS_NESTED", "1")]
    }

    pub(crate) fn fixture(&self, name: &str) -> Command {
        let mut command = fixture(name);
        command.envs(self.environment());
        command
    }
}

/// A DNS server (RFC 1035). All names have the IPv4 address of the server, and none has IPv6.
fn serve_names(server: &Node) -> TestResult {
    let socket = server.run(|| UdpSocket::bind("0.0.0.0:53"))?;
    server.spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, client)) = socket.recv_from(&mut buffer) {
            let query = &buffer[..length];
            let Some(end) = query.iter().skip(12).position(|byte| *byte == 0) else { continue };
            let question = &query[12..12 + end + 5];
            let is_a = question.ends_with(&[0, 1, 0, 1]);
            let mut answer = query[..2].to_vec();
            answer.extend([0x81, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
            answer.extend(question);
            if is_a {
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 9]);
            }
            let _ = socket.send_to(&answer, client);
        }
    });
    Ok(())
}

/// The names and process ids of relay programs. pasta has a variant for some processors, with
/// its own name.
pub(crate) fn relays() -> Vec<String> {
    const NAMES: [&str; 3] = ["pasta", "passt", "slirp4netns"];
    let entries = fs::read_dir("/proc").unwrap().flatten();
    // Not `thread-self`: the thread of a test has the name of the test.
    let is_process =
        |entry: &fs::DirEntry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit);
    let named = entries.filter(is_process).filter_map(|entry| {
        Some((fs::read_to_string(entry.path().join("comm")).ok()?, entry.file_name()))
    });
    named
        .filter(|(comm, _)| NAMES.iter().any(|name| comm.starts_with(name)))
        .map(|(comm, pid)| format!("{} {}", comm.trim(), pid.to_string_lossy()))
        .collect()
}
