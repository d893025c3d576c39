//! A rate is a bottleneck on the way: its queue holds a number of packets, and the sender
//! does not notice it but by what is late or lost.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use nstest::{Condition, Fault, Injection, Net, Node, Packets, Rate, TestResult, netns_test};
use nstest_tests::programs::find;

use crate::stream::{Arrival, PATIENCE, Stream, both, in_time};

const COUNT: u32 = 1500;
const OCTETS: usize = 1000;
const SLOW: Condition = Condition::new().rate(Rate::mbit(10));

/// How long a datagram of `OCTETS` takes at 10 Mbit/s.
fn packet_time(ip: IpAddr) -> Duration {
    let headers = if ip.is_ipv4() { 42 } else { 62 };
    Duration::from_nanos((OCTETS as u64 + headers) * 800)
}

/// What came of many datagrams that were sent at once.
struct Burst {
    /// Until all of them had come to the queue.
    took_to_send: Duration,
    arrivals: Vec<Arrival>,
}

impl Burst {
    /// Sends them without blocking. No send may fail. `settle` returns when all that was sent
    /// has come to the queue.
    fn send(from: &Node, to: &Node, ip: IpAddr, settle: impl FnOnce()) -> TestResult<Self> {
        let mut stream = Stream::for_bursts(from, to, ip, OCTETS)?;
        stream.set_nonblocking()?;
        let start = Instant::now();
        for number in 0..COUNT {
            stream.send().map_err(|error| format!("datagram {number}: {error}"))?;
        }
        settle();
        let took_to_send = start.elapsed();
        stream.wait(500)?;
        // The queue has room again, and what is sent now arrives last.
        stream.send()?;
        let mut arrivals = Vec::new();
        nstest::eventually(PATIENCE, || {
            arrivals.extend(stream.take());
            arrivals.last().is_some_and(|last| last.number == COUNT)
        })?;
        arrivals.pop();
        Ok(Self { took_to_send, arrivals })
    }

    /// How many have come, without those that found room because others left the queue while
    /// they were sent.
    fn queued(&self, ip: IpAddr) -> u128 {
        let gone = self.took_to_send.as_nanos() / packet_time(ip).as_nanos();
        (self.arrivals.len() as u128).saturating_sub(gone)
    }

    /// Whether the queue held 1000 packets, one after the other. A receiver that has lost its
    /// processor can lose some of them, and a sender can be too slow to fill the queue.
    fn fits(&self, ip: IpAddr) -> bool {
        let numbers: Vec<u32> = self.arrivals.iter().map(|arrival| arrival.number).collect();
        println!("{} of {COUNT}, sent in {:?}", numbers.len(), self.took_to_send);
        assert!(numbers.is_sorted(), "{numbers:?}");
        for (ahead, arrival) in (1..).zip(&self.arrivals) {
            let least = packet_time(ip) * ahead;
            assert!(arrival.at >= least, "{arrival:?} is earlier than {least:?}");
        }
        assert!(self.queued(ip) <= 1002, "{} of {COUNT}", numbers.len());
        (0..1000).eq(numbers.iter().copied().take(1000)) && numbers.len() < COUNT as usize
    }
}

/// Sends a burst through a queue of 1000 packets.
fn pass(from: &Node, to: &Node, ip: IpAddr, slow: &Injection) -> TestResult {
    in_time(|| {
        let settle = || {
            let _ = slow.affected();
        };
        Ok(Burst::send(from, to, ip, settle)?.fits(ip))
    })
}

/// With and without other faults on the link.
fn holds_a_thousand_packets(client: &Node, server: &Node) -> TestResult {
    let slow = server.link().condition(SLOW)?;
    for ip in both(server) {
        pass(client, server, ip, &slow)?;
        let other = server.link().drop_packets(Packets::udp().port(53))?.optional();
        pass(client, server, ip, &slow)?;
        other.end()?;
    }
    Ok(())
}

#[netns_test]
fn the_queue_of_a_direct_link_is_1000_packets(server: Node, net: Net) -> TestResult {
    holds_a_thousand_packets(&net.local(), &server)
}

#[netns_test]
fn the_queue_of_a_lan_is_1000_packets(a: Node, b: Node) -> TestResult {
    holds_a_thousand_packets(&a, &b)
}

/// From the link, and to it.
#[netns_test]
fn both_directions_of_a_link_have_the_same_queue(a: Node, b: Node) -> TestResult {
    let slow = a.link().egress().condition(SLOW)?;
    let ip = b.ipv4().into();
    pass(&a, &b, ip, &slow)?;
    slow.end()?;
    let slow = b.link().ingress().condition(SLOW)?;
    pass(&a, &b, ip, &slow)
}

/// The bytes of a bulk transfer, which takes 2 s.
const TRANSFER: usize = 2_500_000;

/// The median of the times that datagrams take beside a bulk transfer.
fn latency_under_load(client: &Node, server: &Node, ip: IpAddr) -> TestResult<Duration> {
    let listener = server.run(|| TcpListener::bind((ip, 0)))?;
    let mut sender = client.run(|| TcpStream::connect(listener.local_addr()?))?;
    let (mut receiver, _) = listener.accept()?;
    let writer = std::thread::spawn(move || sender.write_all(&vec![0; TRANSFER]));
    let mut probes = Stream::open(client, server, ip, 12)?;
    let mut buffer = vec![0; 15_000];
    loop {
        probes.send()?;
        if receiver.read(&mut buffer)? == 0 {
            break;
        }
    }
    writer.join().expect("no panic")?;
    let mut taken = Vec::new();
    nstest::eventually(PATIENCE, || {
        taken.extend(probes.take().iter().map(|arrival| arrival.took));
        taken.len() > 50
    })?;
    taken.sort_unstable();
    Ok(taken[taken.len() / 2])
}

/// Segmentation offload makes frames of up to 64 KiB. In the queue there are none. TCP
/// fills the queue, and then keeps it between half full and full.
#[netns_test]
fn the_latency_beside_a_bulk_transfer_is_the_queue(server: Node, net: Net) -> TestResult {
    // 1514 bytes at 10 Mbit/s.
    let frame = Duration::from_nanos(1514 * 800);
    for (port, frames) in (53..).zip([100, 50, 100]) {
        let paced = server.link().condition(SLOW.queue_limit(frames))?;
        let whole = frame * frames;
        // With 64 KiB in each place of the queue, it would hold the whole transfer: 2 s.
        let expected = whole.mul_f64(0.3)..whole + Duration::from_millis(200);
        in_time(|| {
            let latency = latency_under_load(&net.local(), &server, server.ip())?;
            println!("{frames} frames: {latency:?} for {whole:?}");
            Ok(expected.contains(&latency))
        })?;
        assert!(paced.affected() > TRANSFER as u64 / 1460, "{paced:?}");
        // Changes nothing.
        server.link().drop_packets(Packets::udp().port(port))?.optional();
    }
    Ok(())
}

fn tc(node: &Node, words: &str) -> TestResult {
    let status = node.command(find("tc")).arg("qdisc").args(words.split(' ')).status()?;
    assert!(status.success(), "tc qdisc {words}: {status}");
    Ok(())
}

/// The same as a router with a queue of its own: tc-tbf(8).
#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs tc; run ./check test")]
fn a_rate_is_like_a_router_with_a_token_bucket(net: Net) -> TestResult {
    let (near, far) = (net.add_lan("near").build()?, net.add_lan("far").build()?);
    let gate = net.add_router("gate").lan(&near).wan(&far).build()?;
    let client = net.add_node("client").join(&near).build()?;
    let server = net.add_node("server").join(&far).default_via(&gate).build()?;
    for ip in both(&server) {
        // tbf limits its queue in bytes. One packet passes at once.
        let frame = OCTETS + if ip.is_ipv4() { 42 } else { 62 };
        let limit = 999 * frame;
        let bucket = format!("replace dev eth1 root tbf rate 10mbit burst 1600 limit {limit}");
        tc(&gate, &bucket)?;
        in_time(|| {
            let burst = Burst::send(&client, &server, ip, || ())?;
            println!("tbf {ip}: {}", burst.queued(ip));
            Ok((995..=1005).contains(&burst.queued(ip)))
        })?;
        tc(&gate, "delete dev eth1 root")?;
        let slow = net.inject(Fault::on("server").ingress().condition(SLOW))?;
        pass(&client, &server, ip, &slow)?;
        slow.end()?;
    }
    Ok(())
}
