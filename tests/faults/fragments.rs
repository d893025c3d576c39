//! Datagrams that are longer than the MTU of their link, over IPv4 and IPv6.

use std::net::UdpSocket;

use nstest::{Fault, Net, Node, TestResult, netns_test};

use crate::stream::{PATIENCE, both};

/// Sends three datagrams of four fragments each, over each IP version, and checks which of
/// them arrive. Returns how many packets the fault affected.
fn affected(net: &Net, server: &Node, fault: &str, expected: &[u8]) -> TestResult<u64> {
    let mut all = 0;
    for ip in both(server) {
        let sink = server.run(|| UdpSocket::bind((ip, 0)))?;
        sink.set_read_timeout(Some(PATIENCE))?;
        let to = sink.local_addr()?;
        let from = UdpSocket::bind(if ip.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
        let fault: Fault = fault.replace("PORT", &to.port().to_string()).parse()?;
        let injected = net.inject(fault)?.optional();
        for number in 1..=3 {
            from.send_to(&[number; 5000], to)?;
        }
        all += injected.affected();
        injected.end()?;
        let next = || -> std::io::Result<u8> {
            let mut datagram = [0; 6000];
            sink.recv(&mut datagram)?;
            Ok(datagram[0])
        };
        for number in expected {
            assert_eq!(next()?, *number, "{injected} for {ip}");
        }
        from.send_to(b"\0", to)?;
        assert_eq!(next()?, 0, "{injected} for {ip}");
    }
    Ok(all)
}

#[netns_test]
fn a_fault_counts_a_fragmented_datagram_once(server: Node, net: Net) -> TestResult {
    for (fault, arriving, expected) in [
        ("server ingress udp nth 2: drop", &[1, 3][..], 2),
        ("server ingress udp dport PORT nth 2: drop", &[1, 3], 2),
        ("server ingress udp dport PORT first 2: drop", &[3], 4),
        ("server ingress udp port PORT #1 datagram nth 2: drop", &[1, 3], 2),
        ("server ingress udp nth 2: then blackhole", &[1, 2], 10),
        ("server ingress udp dport PORT: delay 1ms", &[1, 2, 3], 6),
        ("server ingress tcp: drop", &[1, 2, 3], 0),
        ("server ingress icmp: drop", &[1, 2, 3], 0),
        ("server ingress udp dport PORT fragment nth 2: drop", &[2, 3], 2),
    ] {
        assert_eq!(affected(&net, &server, fault, arriving)?, expected, "{fault}");
    }
    Ok(())
}
