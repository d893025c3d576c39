//! Conditions do not affect control traffic. So the first packet to a neighbour, which the
//! kernel has to find by ARP or ND, gets the same treatment as all later ones.
//!
//! No test here sends anything before the packets that it looks at.

use std::net::{IpAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use expect_test::expect;
use nstest::{Action, Condition, Net, Node, Packets, Percent, TestResult, netns_test};

use crate::stream::{PATIENCE, Stream, both, in_time};

/// More than the kernel keeps for a neighbour that it has not found: 92 datagrams of this
/// length (`unres_qlen_bytes`, neighbour(7)).
const BURST: u32 = 150;
const OCTETS: usize = 1400;

/// Loses nothing.
const SLIGHT: Condition = Condition::new().delay(ms(1));

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Sends many datagrams at once. All of them must arrive, in order.
#[track_caller]
fn burst(from: &Node, to: &Node) -> TestResult {
    for ip in both(to) {
        burst_to(from, to, ip)?;
    }
    Ok(())
}

#[track_caller]
fn burst_to(from: &Node, to: &Node, ip: IpAddr) -> TestResult {
    let mut stream = Stream::for_bursts(from, to, ip, OCTETS)?;
    for _ in 0..BURST {
        stream.send()?;
    }
    stream.wait(BURST)?;
    let numbers: Vec<u32> = stream.take().iter().map(|arrival| arrival.number).collect();
    assert_eq!(numbers, (0..BURST).collect::<Vec<_>>(), "{ip}");
    Ok(())
}

/// The number of round trips of 80 ms until a connection is open.
fn round_trips(from: &Node, to: &Node, ip: IpAddr) -> TestResult<u128> {
    let listener = to.run(|| TcpListener::bind((ip, 0)))?;
    let start = Instant::now();
    from.run(|| TcpStream::connect(listener.local_addr()?))?;
    Ok(start.elapsed().as_millis() / 80)
}

const FAR: Condition = Condition::new().delay(ms(40));

#[netns_test]
fn the_first_connection_takes_one_round_trip(client: Node, _peer: Node, net: Net) -> TestResult {
    let lan = &net.lan("peers")?;
    let mut attempt = 0;
    in_time(|| {
        attempt += 1;
        let server = net.add_node(&format!("server{attempt}")).join(lan).build()?;
        server.link().condition(FAR)?;
        let taken = both(&server).map(|ip| round_trips(&client, &server, ip));
        server.remove()?;
        Ok(taken.into_iter().collect::<TestResult<Vec<_>>>()? == [1, 1])
    })
}

#[netns_test]
fn the_first_connection_through_a_router_takes_one_round_trip(net: Net) -> TestResult {
    let (near, far) = (net.add_lan("near").build()?, net.add_lan("far").build()?);
    let gate = net.add_router("gate").lan(&near).wan(&far).build()?;
    let client = net.add_node("client").join(&near).build()?;
    client.link().condition(FAR)?;
    let mut attempt = 0;
    in_time(|| {
        attempt += 1;
        let name = format!("server{attempt}");
        let server = net.add_node(&name).join(&far).default_via(&gate).build()?;
        let taken = both(&server).map(|ip| round_trips(&client, &server, ip));
        server.remove()?;
        Ok(taken.into_iter().collect::<TestResult<Vec<_>>>()? == [1, 1])
    })
}

#[netns_test]
fn a_burst_to_a_new_neighbour_arrives(server: Node, net: Net) -> TestResult {
    server.link().condition(SLIGHT)?;
    burst(&net.local(), &server)?;
    burst(&server, &net.local())
}

#[netns_test]
fn a_burst_on_a_lan_arrives(a: Node, b: Node, c: Node) -> TestResult {
    b.link().condition(SLIGHT)?;
    c.link().condition(SLIGHT)?;
    burst(&a, &b)?;
    burst(&b, &c)?;
    burst(&c, &a)
}

#[netns_test]
fn a_burst_on_a_bridge_arrives(net: Net) -> TestResult {
    let lan = net.add_lan("campus").build()?;
    let join = |number| net.add_node(&format!("n{number}")).join(&lan).build();
    let nodes = (0..24).map(join).collect::<nstest::Result<Vec<Node>>>()?;
    nodes[3].link().condition(SLIGHT)?;
    burst(&nodes[0], &nodes[3])?;
    burst(&nodes[3], &nodes[7])
}

#[netns_test]
fn a_burst_through_a_router_arrives(net: Net) -> TestResult {
    let (near, far) = (net.add_lan("near").build()?, net.add_lan("far").build()?);
    let gate = net.add_router("gate").lan(&near).wan(&far).build()?;
    let client = net.add_node("client").join(&near).build()?;
    let server = net.add_node("server").join(&far).default_via(&gate).build()?;
    client.link().condition(SLIGHT)?;
    server.link().condition(SLIGHT)?;
    burst(&client, &server)?;
    burst(&server, &client)
}

#[netns_test]
fn a_burst_after_the_link_was_down_arrives(a: Node, b: Node) -> TestResult {
    let link = b.link();
    link.condition(SLIGHT)?;
    for _ in 0..2 {
        link.down()?;
        link.up()?;
        burst(&a, &b)?;
    }
    Ok(())
}

#[netns_test]
fn a_burst_after_a_partition_arrives(a: Node, b: Node, net: Net) -> TestResult {
    b.link().condition(SLIGHT)?;
    let apart = net.partition(&[&[&a], &[&b]])?;
    let mut stream = Stream::open(&a, &b, b.ip(), OCTETS)?;
    stream.send()?;
    nstest::eventually(PATIENCE, || apart.affected() >= 1)?;
    net.heal()?;
    burst(&a, &b)?;
    burst(&b, &a)
}

/// A partition of others on the same LAN.
#[netns_test]
fn a_burst_beside_a_partition_arrives(a: Node, b: Node, c: Node, net: Net) -> TestResult {
    net.partition(&[&[&a, &c], &[&b, &c]])?.optional();
    burst(&a, &c)?;
    burst(&c, &b)
}

#[netns_test]
fn a_burst_of_a_node_that_moved_arrives(net: Net) -> TestResult {
    let (home, cafe) = (net.add_lan("home").build()?, net.add_lan("cafe").build()?);
    let laptop = net.add_node("laptop").join(&home).build()?;
    let at_home = net.add_node("a").join(&home).build()?;
    let in_cafe = net.add_node("b").join(&cafe).build()?;
    for node in [&laptop, &at_home, &in_cafe] {
        node.link().condition(SLIGHT)?;
    }
    laptop.roam(&home, &cafe)?;
    burst(&laptop, &in_cafe)?;
    burst(&in_cafe, &laptop)?;
    laptop.roam(&cafe, &home)?;
    burst(&at_home, &laptop)
}

#[netns_test]
fn a_burst_to_a_new_address_arrives(a: Node, b: Node, net: Net) -> TestResult {
    let lan = &net.lan("peers")?;
    b.link().condition(SLIGHT)?;
    for (node, other) in [(&a, &b), (&b, &a)] {
        let mut octets = node.ipv4().octets();
        octets[3] += 100;
        node.set_address(lan, IpAddr::from(octets))?;
        burst_to(other, node, IpAddr::from(octets))?;
        burst_to(node, other, other.ipv4().into())?;
    }
    Ok(())
}

/// With any seed: here, every packet is lost.
#[netns_test]
fn a_lossy_link_does_not_hide_a_neighbour(client: Node, server: Node) -> TestResult {
    let lossy = server.link().condition(Condition::new().loss(Percent::ALL))?;
    for ip in both(&server) {
        let mut stream = Stream::open(&client, &server, ip, OCTETS)?;
        for _ in 0..BURST {
            stream.send()?;
        }
    }
    // The packets and nothing else.
    nstest::eventually(PATIENCE, || lossy.affected() >= 2 * u64::from(BURST))?;
    assert_eq!(lossy.affected(), 2 * u64::from(BURST));
    Ok(())
}

/// The kernel waits three seconds for the answer to ARP, and three times one for its repetitions.
#[netns_test]
fn a_neighbour_behind_a_long_delay_is_found(client: Node, server: Node) -> TestResult {
    server.link().condition(Condition::new().delay(ms(1600)))?;
    let mut streams = both(&server).map(|ip| Stream::open(&client, &server, ip, OCTETS).unwrap());
    for stream in &mut streams {
        stream.send()?;
    }
    for stream in &mut streams {
        stream.wait(1)?;
        assert!(stream.take()[0].took >= ms(1600));
    }
    Ok(())
}

/// Neither the first packets nor their order depend on how the neighbour was found.
#[netns_test(seed = 7)]
fn the_first_packets_follow_from_the_seed(client: Node, server: Node) -> TestResult {
    let bad = Condition::new().loss(Percent::new(20.0)).duplicate(Percent::new(20.0));
    server.link().ingress().condition(bad)?;
    let mut stream = Stream::open(&client, &server, server.ip(), 12)?;
    for _ in 0..40 {
        stream.send()?;
    }
    let mut numbers = Vec::new();
    nstest::eventually(PATIENCE, || {
        numbers.extend(stream.take().iter().map(|arrival| arrival.number.to_string()));
        numbers.last().is_some_and(|last| last == "39")
    })?;
    expect!["3 3 4 5 6 8 9 12 12 14 15 16 16 17 18 19 20 21 22 22 23 23 24 25 25 26 27 29 30 31 34 35 37 38 39"].assert_eq(&numbers.join(" "));
    Ok(())
}

/// A test that needs slow or lost control traffic asks for it.
#[netns_test]
fn a_rule_for_control_traffic_affects_it(client: Node, server: Node, net: Net) -> TestResult {
    for (ip, packets) in both(&server).into_iter().zip([Packets::arp(), Packets::control().ipv6()])
    {
        let slow = server.link().ingress().fault()?.packets(packets);
        let slow = net.inject(slow.action(Action::Delay(ms(300))))?;
        let mut stream = Stream::open(&client, &server, ip, 12)?;
        stream.send()?;
        stream.wait(1)?;
        assert!(stream.take()[0].took >= ms(300), "{ip}: {slow:?}");
        slow.end()?;
    }
    Ok(())
}

/// Cuts and links that are down affect control traffic: neighbours do not find each other.
#[netns_test]
fn a_cut_affects_control_traffic(client: Node, server: Node, net: Net) -> TestResult {
    let _slight = server.link().condition(SLIGHT)?.optional();
    let cut = net.inject(server.link().fault()?.packets(Packets::all()).action(Action::Drop))?;
    let mut stream = Stream::open(&client, &server, server.ip(), 12)?;
    stream.send()?;
    // What the node sends is the ARP request.
    nstest::eventually(PATIENCE, || cut.affected() >= 1)?;
    let text = client.run(|| std::fs::read_to_string("/proc/thread-self/net/arp"))?;
    let ip = server.ipv4().to_string();
    let line = text.lines().find(|line| line.split_whitespace().next() == Some(&ip));
    assert!(line.is_some_and(|line| line.contains("00:00:00:00:00:00")), "{text}");
    cut.end()?;
    stream.wait(1)
}
