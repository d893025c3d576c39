//! Conditions behave the same in every kind of network.
//!
//! They are checked with the clock and with counters of the kernel. No packet may be early.
//! A loaded machine can make packets late, so one measurement of several must be in time.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use nstest::{Backend, Condition, Injection, Net, Node, Percent, Rate, TestResult, netns_test};

use crate::stream::{Arrival, PATIENCE, Stream, both, in_time};

/// The delay that the network may add.
const LATE: Duration = Duration::from_millis(300);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Two nodes, with the conditions at the link of the second.
struct Way<'a> {
    client: &'a Node,
    server: &'a Node,
    ip: IpAddr,
}

impl Way<'_> {
    fn forth(&self, octets: usize) -> std::io::Result<Stream> {
        Stream::for_bursts(self.client, self.server, self.ip, octets)
    }

    fn back(&self) -> std::io::Result<Stream> {
        let [v4, v6] = both(self.client);
        let ip = if self.ip.is_ipv4() { v4 } else { v6 };
        Stream::open(self.server, self.client, ip, 0)
    }

    fn impair(&self, condition: Condition) -> nstest::Result<Injection> {
        self.server.link().ingress().condition(condition)
    }
}

/// Checks all conditions with both IP versions.
fn conforms(client: &Node, server: &Node) -> TestResult {
    let delay = Condition::new().delay(ms(40));
    let rate = Condition::new().rate(Rate::mbit(8));
    for way in both(server).map(|ip| Way { client, server, ip }) {
        for condition in [delay, delay.rate(Rate::mbit(8))] {
            delays(&way, condition)?;
        }
        for condition in [rate, delay.rate(Rate::mbit(8))] {
            paces(&way, condition)?;
        }
        is_one_way(&way)?;
        changes_at_once(&way)?;
        loses_everything(&way)?;
        drops_the_tail(&way)?;
        doubles(&way)?;
        overtakes(&way)?;
        corrupts(&way)?;
    }
    Ok(())
}

fn delays(way: &Way<'_>, condition: Condition) -> TestResult {
    let slow = way.impair(condition)?;
    let mut stream = way.forth(0)?;
    in_time(|| {
        for count in 1..=10 {
            stream.send()?;
            stream.wait(count)?;
        }
        let arrivals = stream.take();
        for arrival in &arrivals {
            assert!(arrival.took >= ms(40), "{slow:?}: {arrival:?}");
        }
        Ok(arrivals.iter().any(|arrival| arrival.took < ms(40) + LATE))
    })?;
    assert!(slow.affected() >= 10, "{slow:?}");
    assert_eq!(slow.backends(), [Backend::Wire]);
    slow.end()?;
    assert!(slow.backends().is_empty());
    Ok(())
}

/// 100 datagrams of 1000 bytes at 8 Mbit/s: one in 1.042 ms (IPv4) or 1.062 (IPv6),
/// one after the other.
fn paces(way: &Way<'_>, condition: Condition) -> TestResult {
    const COUNT: u32 = 100;
    let paced = way.impair(condition)?;
    in_time(|| {
        let mut stream = way.forth(1000)?;
        for _ in 0..COUNT {
            stream.send()?;
        }
        stream.wait(COUNT)?;
        let arrivals = stream.take();
        let headers = if way.ip.is_ipv4() { 42 } else { 62 };
        let ideal = Duration::from_micros((1000 + headers) * u64::from(COUNT));
        let first = arrivals[0].at - arrivals[0].took;
        let took = arrivals[arrivals.len() - 1].at - first;
        assert!(took >= ideal, "{paced:?}: {took:?}, not {ideal:?}");
        let numbers: Vec<u32> = arrivals.iter().map(|arrival| arrival.number).collect();
        assert_eq!(numbers, (0..COUNT).collect::<Vec<_>>(), "{paced:?}: in order");
        Ok(took < ideal.mul_f64(1.3) + LATE)
    })?;
    assert!(paced.affected() >= u64::from(COUNT), "{paced:?}");
    assert_eq!(paced.affected() % u64::from(COUNT), 0, "{paced:?}");
    paced.end()?;
    Ok(())
}

/// A condition of one direction does not affect the other.
fn is_one_way(way: &Way<'_>) -> TestResult {
    let (mut forth, mut back) = (way.forth(0)?, way.back()?);
    for egress in [false, true] {
        let link = way.server.link();
        let direction = if egress { link.egress() } else { link.ingress() };
        let slow = direction.condition(Condition::new().delay(ms(400)))?;
        in_time(|| {
            for stream in [&mut forth, &mut back] {
                stream.send()?;
            }
            let (slower, faster) = if egress { (&back, &forth) } else { (&forth, &back) };
            faster.wait(1)?;
            slower.wait(1)?;
            let (slower, faster) = (slower.take()[0].took, faster.take()[0].took);
            assert!(slower >= ms(400), "{slow:?}: {slower:?}, {faster:?}");
            Ok(faster < ms(400))
        })?;
        slow.end()?;
    }
    Ok(())
}

/// A new condition applies to the next packet after the call, and no packet is lost.
fn changes_at_once(way: &Way<'_>) -> TestResult {
    in_time(|| changes_while_packets_wait(way))
}

/// Returns whether the packet without delay was in time.
fn changes_while_packets_wait(way: &Way<'_>) -> TestResult<bool> {
    let mut stream = way.forth(0)?;
    let mut conditions = Vec::new();
    for (round, delay) in [ms(20), ms(300), ms(0), ms(300)].into_iter().enumerate() {
        conditions.push(way.impair(Condition::new().delay(delay).duplicate(Percent::ALL))?);
        stream.send()?;
        let count = u32::try_from(round)? + 1;
        // Each arrives twice; second copies of earlier packets may arrive later.
        nstest::eventually(PATIENCE, || stream.arrived() >= 2 * count)?;
    }
    let arrivals = stream.take();
    let of = |number: u32| arrivals.iter().filter(move |arrival| arrival.number == number);
    assert_eq!(arrivals.len(), 8, "{arrivals:?}");
    for (number, least) in [(0, ms(20)), (1, ms(300)), (2, ms(0)), (3, ms(300))] {
        assert_eq!(of(number).count(), 2, "{arrivals:?}");
        assert!(of(number).all(|arrival| arrival.took >= least), "{arrivals:?}");
    }
    let in_time = of(2).all(|arrival| arrival.took < ms(300));
    assert_eq!(conditions.iter().map(Injection::affected).collect::<Vec<_>>(), [1; 4]);
    conditions[3].end()?;
    Ok(in_time)
}

/// With 100 % loss or a rate of 0, all packets are lost.
fn loses_everything(way: &Way<'_>) -> TestResult {
    for condition in [Condition::new().loss(Percent::ALL), Condition::new().rate(Rate::ZERO)] {
        let mut stream = way.forth(0)?;
        let nothing = way.impair(condition)?;
        for _ in 0..20 {
            stream.send()?;
        }
        nstest::eventually(PATIENCE, || nothing.affected() >= 20)?;
        nothing.end()?;
        stream.send()?;
        stream.wait(1)?;
        let arrived: Vec<u32> = stream.take().iter().map(|arrival| arrival.number).collect();
        assert_eq!(arrived, [20], "{nothing:?}");
        assert_eq!(nothing.backends(), []);
    }
    Ok(())
}

/// Of packets that come at once, as many pass as the queue holds. The rest is dropped.
fn drops_the_tail(way: &Way<'_>) -> TestResult {
    let short = way.impair(Condition::new().rate(Rate::kbit(800)).queue_limit(20))?;
    assert_eq!(short.backends(), [Backend::Wire]);
    let mut stream = way.forth(1000)?;
    let start = Instant::now();
    for _ in 0..50 {
        stream.send()?;
    }
    nstest::eventually(PATIENCE, || short.affected() >= 50)?;
    // Each takes 10 ms. For each that left the queue before the last came, one more passes.
    let gone = u32::try_from(start.elapsed().as_millis() / 10)?;
    stream.wait(20)?;
    // The queue has room again, and the last packet arrives last.
    stream.send()?;
    let mut arrived = Vec::new();
    nstest::eventually(PATIENCE, || {
        arrived.extend(stream.take().iter().map(|arrival| arrival.number));
        arrived.last() == Some(&50)
    })?;
    assert_eq!(arrived[..20], (0..20).collect::<Vec<_>>());
    assert!(arrived.len() <= 22 + gone as usize, "{} passed in {gone} turns", arrived.len());
    assert_eq!(short.affected(), 51);
    short.end()?;
    Ok(())
}

fn doubles(way: &Way<'_>) -> TestResult {
    let double = way.impair(Condition::new().duplicate(Percent::ALL))?;
    let mut stream = way.forth(0)?;
    stream.send_many(100, |sent, arrived| arrived == 2 * sent)?;
    assert_eq!(double.affected(), 100);
    double.end()?;
    let few = way.impair(Condition::new().duplicate(Percent::new(10.0)))?;
    let mut stream = way.forth(0)?;
    stream
        .send_many(1000, |sent, arrived| u64::from(arrived) == u64::from(sent) + few.affected())?;
    let copies = stream.take().len() - 1000;
    assert!((70..130).contains(&copies), "{copies} of 1000 came twice");
    few.end()?;
    Ok(())
}

/// A reordered packet has no delay, and overtakes those with one.
fn overtakes(way: &Way<'_>) -> TestResult {
    let reordered = way.impair(Condition::new().delay(ms(200)).reorder(Percent::new(25.0)))?;
    in_time(|| {
        let mut stream = way.forth(0)?;
        for _ in 0..200 {
            stream.send()?;
        }
        stream.wait(200)?;
        let arrivals = stream.take();
        let mut all: Vec<u32> = arrivals.iter().map(|arrival| arrival.number).collect();
        all.sort_unstable();
        assert_eq!(all, (0..200).collect::<Vec<_>>());
        // A late packet without delay looks like one with delay.
        let (at_once, delayed): (Vec<&Arrival>, Vec<&Arrival>) =
            arrivals.iter().partition(|arrival| arrival.took < ms(200));
        let delayed: Vec<u32> = delayed.iter().map(|arrival| arrival.number).collect();
        let overtakes = |pair: &[Arrival]| pair[0].number > pair[1].number;
        Ok((30..70).contains(&at_once.len())
            && arrivals.windows(2).any(overtakes)
            && delayed.is_sorted())
    })?;
    reordered.end()?;
    Ok(())
}

/// The kernel of the server finds the wrong checksum or length, and drops the packet.
fn corrupts(way: &Way<'_>) -> TestResult {
    let before = bad_datagrams(way)?;
    let corrupt = way.impair(Condition::new().corrupt(Percent::ALL))?;
    let mut stream = way.forth(1000)?;
    for _ in 0..50 {
        stream.send()?;
    }
    nstest::eventually(PATIENCE, || match bad_datagrams(way) {
        Ok(now) if now - before == 50 => Ok(()),
        Ok(now) => Err(format!("{} are bad", now - before)),
        Err(error) => Err(error.to_string()),
    })?;
    assert_eq!((stream.arrived(), corrupt.affected()), (0, 50));
    corrupt.end()?;
    Ok(())
}

/// The number of UDP datagrams with a wrong checksum or length that a node received.
fn bad_datagrams(way: &Way<'_>) -> std::io::Result<u64> {
    let read = |file| way.server.run(|| std::fs::read_to_string(file));
    let of = |value: Option<&str>| value.and_then(|v| v.parse().ok());
    let found = if way.ip.is_ipv4() {
        let text = read("/proc/thread-self/net/snmp")?;
        let mut lines = text.lines().filter(|line| line.starts_with("Udp: "));
        let (names, values) = (lines.next(), lines.next());
        let columns =
            names.unwrap_or_default().split(' ').zip(values.unwrap_or_default().split(' '));
        columns
            .into_iter()
            .find_map(|(name, value)| (name == "InErrors").then_some(value.to_owned()))
    } else {
        let text = read("/proc/thread-self/net/snmp6")?;
        let line = text.lines().find_map(|line| line.strip_prefix("Udp6InErrors"));
        line.map(|value| value.trim().to_owned())
    };
    of(found.as_deref()).ok_or_else(|| std::io::Error::other("no InErrors"))
}

#[netns_test]
fn a_direct_link(server: Node, net: Net) -> TestResult {
    conforms(&net.local(), &server)
}

#[netns_test]
fn a_lan_of_three(client: Node, server: Node) -> TestResult {
    conforms(&client, &server)
}

/// A LAN with too many nodes for a hub.
#[netns_test]
fn a_bridge(net: Net) -> TestResult {
    let lan = net.add_lan("campus").build()?;
    let names: Vec<String> = (0..24).map(|number| format!("n{number}")).collect();
    let join = |name: &String| net.add_node(name).join(&lan).build();
    let nodes = names.iter().map(join).collect::<nstest::Result<Vec<Node>>>()?;
    conforms(&nodes[0], &nodes[23])
}

#[netns_test]
fn a_router(net: Net) -> TestResult {
    let near = net.add_lan("near").build()?;
    let far = net.add_lan("far").build()?;
    let gate = net.add_router("gate").lan(&near).wan(&far).build()?;
    let client = net.add_node("client").join(&near).build()?;
    let server = net.add_node("server").join(&far).default_via(&gate).build()?;
    conforms(&client, &server)
}
