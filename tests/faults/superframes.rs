//! A frame that segmentation offload has not cut yet counts as the packets that it is on a link.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};

use nix::sys::socket::{setsockopt, sockopt};
use nstest::{Net, Node, TestResult, netns_test};

use crate::stream::{PATIENCE, both};

/// Faults for which the wire does not have frames cut.
const DELAYS: [&str; 2] =
    ["server ingress: condition delay 1ms", "server ingress tcp dport 80: delay 1ms"];

#[netns_test]
fn segments_of_tcp_are_counted(server: Node, net: Net) -> TestResult {
    const BYTES: usize = 1_000_000;
    for fault in DELAYS {
        for ip in both(&server) {
            let listener = server.run(|| TcpListener::bind((ip, 80)))?;
            let mut client = TcpStream::connect((ip, 80))?;
            let (mut served, _) = listener.accept()?;
            let delayed = net.inject(fault.parse()?)?;
            let receiver = std::thread::spawn(move || served.read_to_end(&mut Vec::new()));
            client.write_all(&[0; BYTES])?;
            drop(client);
            assert_eq!(receiver.join().expect("it reads")?, BYTES);
            let most = 1500 - 40; // bytes of data in a packet, without options
            let affected = delayed.affected();
            assert!(affected >= (BYTES / most) as u64, "{fault}, {ip}: {affected}");
            delayed.end()?;
        }
    }
    Ok(())
}

/// Drops and cuts count each datagram of those that one call sends (UDP_SEGMENT, udp(7)).
#[netns_test]
fn datagrams_of_one_call_are_counted(server: Node, net: Net) -> TestResult {
    const LENGTH: i32 = 500;
    let faults = [
        "server ingress: condition delay 1ms",
        "server ingress udp dport 7: delay 1ms",
        "server ingress: drop",
        "server ingress udp dport 7: drop",
        "*: partition server | test",
        "server ingress: blackhole",
        "server ingress: cut",
    ];
    for ip in both(&server) {
        let _sink = server.run(|| UdpSocket::bind((ip, 7)))?;
        let client = UdpSocket::bind(if ip.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
        client.send_to(b"x", (ip, 7))?; // finds the neighbour
        setsockopt(&client, sockopt::UdpGsoSegment, &LENGTH)?;
        for fault in faults.map(|fault| fault.replace("test", net.local().name())) {
            let fault = net.inject(fault.parse()?)?;
            client.send_to(&[0; 10 * LENGTH as usize + 1], (ip, 7))?;
            nstest::eventually(PATIENCE, || fault.affected() > 0)?;
            assert_eq!(fault.affected(), 11, "{ip}: {fault}");
            fault.end()?;
        }
    }
    Ok(())
}
