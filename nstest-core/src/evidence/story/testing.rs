//! Builds stories for tests: a network, packets as text, faults, sockets.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::Story;
use crate::addr::MacAddr;
use crate::evidence::packets::TracedPacket;
use crate::evidence::timeline::{Entry, Fate, TimelineEvent};
use crate::frame::view::flag;

/// What becomes of a packet on the last hop of its path.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Then {
    Arrives,
    Lost,
    DroppedBy(u32),
    /// It would arrive a second later.
    DelayedBy(u32),
    /// It arrives, with a remark that this fault has delayed it by a second.
    LateBy(u32),
    /// It arrives, and this fault has changed it.
    ChangedBy(u32),
    /// It arrives, and this fault has made it.
    MadeBy(u32),
}

pub(crate) use Then::{Arrives, ChangedBy, DelayedBy, DroppedBy, LateBy, Lost, MadeBy};

/// A story that is being written. Times are in milliseconds since the start.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scene {
    entries: Vec<Entry>,
    packets: Vec<TracedPacket>,
    now: u64,
    nodes: Vec<String>,
    /// Link ends, with node, network and address.
    ends: BTreeMap<u32, (String, u32, IpAddr)>,
    networks: u32,
    seq: HashMap<(SocketAddr, SocketAddr), u32>,
}

impl Scene {
    pub(crate) fn new(test: &str) -> Self {
        Self::default().event(TimelineEvent::Started {
            version: 1,
            unix_time: String::new(),
            test: test.to_owned(),
            binary: "a/binary".to_owned(),
            commit: None,
            seed: "7".to_owned(),
            plan: None,
            rerun: format!("cargo test --test binary -- --exact {test}"),
        })
    }

    /// With a client and a server on a LAN: 10.0.2.1 and 10.0.2.2.
    pub(crate) fn pair() -> Self {
        Self::new("a::test").lan(&[("client", "10.0.2.1/24"), ("server", "10.0.2.2/24")])
    }

    /// A network of these nodes, which are made if they are new.
    pub(crate) fn lan(mut self, members: &[(&str, &str)]) -> Self {
        self.networks += 1;
        let (network, mut link_ends) = (self.networks, Vec::new());
        for (name, address) in members {
            if !self.nodes.iter().any(|node| node == name) {
                self.nodes.push((*name).to_owned());
                let node = self.node(name);
                self = self.event(TimelineEvent::NodeAdded {
                    node,
                    name: (*name).to_owned(),
                    netns: None,
                });
            }
            let node = self.node(name);
            let end = u32::try_from(self.ends.len()).unwrap() + 10;
            let nth = self.ends.values().filter(|(other, ..)| other == name).count();
            let interface = format!("eth{nth}");
            let (ip, _) = address.split_once('/').unwrap();
            self.ends.insert(end, ((*name).to_owned(), network, ip.parse().unwrap()));
            link_ends.push(end);
            self = self.event(TimelineEvent::InterfaceAdded {
                node,
                name: interface.clone(),
                link_end: end,
                mac: mac(end).to_string(),
            });
            let address = (*address).to_owned();
            self = self.event(TimelineEvent::AddressAdded { node, interface, address });
        }
        let title = format!("net{network}");
        self.event(TimelineEvent::Network { network, title, link_ends })
    }

    /// What follows happens at this time.
    pub(crate) fn at(mut self, now: u64) -> Self {
        self.now = now;
        self
    }

    pub(crate) fn event(mut self, event: TimelineEvent) -> Self {
        self.entries.push(Entry { time: self.time(), event });
        self
    }

    pub(crate) fn fault(self, fault: u32, text: &str) -> Self {
        let (text, place) = (text.to_owned(), "tests/a.rs:12".to_owned());
        self.event(TimelineEvent::FaultInjected { fault, text, place })
            .event(TimelineEvent::FaultSwitched { fault, on: true })
    }

    pub(crate) fn heal(self, fault: u32) -> Self {
        self.event(TimelineEvent::FaultEnded { fault })
    }

    pub(crate) fn output(self, line: &str) -> Self {
        self.event(TimelineEvent::Output { line: line.to_owned() })
    }

    pub(crate) fn panic(self, thread: &str, message: &str) -> Self {
        let (thread, message) = (thread.to_owned(), message.to_owned());
        self.event(TimelineEvent::Panicked { thread, place: "src/a.rs:3:5".to_owned(), message })
    }

    /// `server tcp listening 127.0.0.1:7000`, `client tcp established A > B`; `counts` are
    /// unread, unacknowledged and waiting.
    pub(crate) fn socket(self, text: &str, counts: [u32; 3]) -> Self {
        let words: Vec<&str> = text.split_whitespace().collect();
        let node = self.node(words[0]);
        let remote = words.get(5).copied().unwrap_or("0.0.0.0:0");
        self.event(TimelineEvent::Socket {
            node,
            protocol: words[1].to_owned(),
            state: words[2].to_owned(),
            local: words[3].to_owned(),
            remote: remote.to_owned(),
            unread: counts[0].into(),
            unacknowledged: counts[1].into(),
            unsent: 0,
            retransmissions: 0,
            total_retransmissions: 0,
            waiting: counts[2],
            process: Some(format!("{}[7]", words[0])),
            dropped: 0,
        })
    }

    /// The socket that was added last has dropped so many packets.
    pub(crate) fn dropped(mut self, count: u64) -> Self {
        if let Some(Entry { event: TimelineEvent::Socket { dropped, .. }, .. }) =
            self.entries.last_mut()
        {
            *dropped = count;
        }
        self
    }

    pub(crate) fn thread(self, name: &str, waits_in: &str, waits_for: &str) -> Self {
        self.event(TimelineEvent::Thread {
            thread: name.to_owned(),
            node: Some(0),
            waits_in: waits_in.to_owned(),
            waits_for: (!waits_for.is_empty()).then(|| waits_for.to_owned()),
        })
    }

    /// A packet from the node of its source to that of its destination.
    pub(crate) fn packet(self, text: &str, then: Then) -> Self {
        let (source, destination, _) = parse(text, &|name| self.address(name));
        let path = [self.owner(source.ip()), self.owner(destination.ip())];
        self.packet_by(&[&path[0], &path[1]], text, then)
    }

    /// A packet by way of these nodes: `client:40000 > server:7000 SYN`. Its kinds are `SYN`,
    /// `SYN-ACK`, `ACK`, `RST`, `FIN`, `data 100`, `again 100`, `udp 20`, `dns NAME`, `dns NAME
    /// CODE ADDRESS`, `arp`, `arp-reply`, and `icmp TYPE CODE` about a UDP datagram or a TCP
    /// segment back (`icmp 3 0 tcp server`).
    pub(crate) fn packet_by(mut self, path: &[&str], text: &str, then: Then) -> Self {
        let (source, destination, kind) = parse(text, &|name| self.address(name));
        let payload = self.payload(source, destination, &kind);
        for (nth, hop) in path.windows(2).enumerate() {
            let is_last = nth + 2 == path.len();
            let (from, to) = self.ends_between(hop[0], hop[1]);
            let to_mac = if kind[0] == "arp" { [0xff; 6] } else { mac(to).octets() };
            let frame = [&to_mac[..], &mac(from).octets(), &payload].concat();
            let sent = self.record(from, false, None, &frame);
            self.now += 1;
            match (is_last, then) {
                (true, Lost) => {}
                (true, DroppedBy(by)) => self.add_fate(sent, "dropped", by),
                (true, DelayedBy(by)) => self.add_fate(sent, "delayed", by),
                (true, MadeBy(by)) => {
                    self.packets.pop();
                    let received = self.record(to, true, None, &frame);
                    self.add_fate(received, "made", by);
                }
                _ => {
                    let number = self.packets[sent].number;
                    self.record(to, true, Some(number), &frame);
                    match then {
                        ChangedBy(by) if is_last => self.add_fate(sent, "changed", by),
                        LateBy(by) if is_last => self.add_fate(sent, "delayed", by),
                        _ => {}
                    }
                }
            }
        }
        self.now += 1;
        self
    }

    /// A packet to a MAC address that no interface has, which reaches this node.
    pub(crate) fn packet_into_void(mut self, text: &str, reaches: Option<&str>) -> Self {
        let (source, destination, kind) = parse(text, &|name| self.address(name));
        let payload = self.payload(source, destination, &kind);
        let owner = self.owner(source.ip());
        let from = *self.ends.iter().find(|(_, (node, ..))| *node == owner).unwrap().0;
        let frame = [&mac(99).octets()[..], &mac(from).octets(), &payload].concat();
        let sent = self.record(from, false, None, &frame) as u64 + 1;
        if let Some(node) = reaches {
            self.record(self.ends_between(&owner, node).1, true, Some(sent), &frame);
        }
        self.now += 1;
        self
    }

    fn add_fate(&mut self, packet: usize, effect: &str, fault: u32) {
        let (delay, fault) = ((effect == "delayed").then_some(1_000_000_000), Some(fault));
        self.packets[packet].fates.push(Fate { effect: effect.to_owned(), fault, delay });
    }

    fn record(&mut self, end: u32, received: bool, sent_as: Option<u64>, frame: &[u8]) -> usize {
        self.packets.push(TracedPacket {
            number: self.packets.len() as u64 + 1,
            time: self.time(),
            link_end: end,
            received,
            length: frame.len(),
            frame: frame.into(),
            sent_as,
            fates: Vec::new(),
        });
        self.packets.len() - 1
    }

    /// The story of a test that fails now.
    pub(crate) fn fails(self, verdict: &str) -> Story {
        let verdict = verdict.to_owned();
        let scene = self.event(TimelineEvent::Ended { passed: false, verdict });
        let mut entries = scene.entries;
        entries.sort_by_key(|entry| entry.time);
        Story::of(&entries, &scene.packets)
    }

    /// The story of a test that is killed at its timeout now.
    pub(crate) fn times_out(self) -> Story {
        self.fails("nstest[timeout]: the test did not end within 2s; it was killed")
    }

    fn time(&self) -> Duration {
        Duration::from_secs(1_000_000) + Duration::from_millis(self.now)
    }

    fn node(&self, name: &str) -> u32 {
        let at = self.nodes.iter().position(|node| node == name);
        u32::try_from(at.expect("the node is in a network")).unwrap()
    }

    fn address(&self, name: &str) -> Option<IpAddr> {
        Some(self.ends.values().find(|(node, ..)| node == name)?.2)
    }

    fn owner(&self, address: IpAddr) -> String {
        let owner = self.ends.values().find(|(.., own)| *own == address);
        owner.map_or_else(|| panic!("no node has {address}"), |(node, ..)| node.clone())
    }

    fn ends_between(&self, from: &str, to: &str) -> (u32, u32) {
        for (end, (node, network, _)) in &self.ends {
            let other =
                self.ends.iter().find(|(_, (name, other, _))| name == to && other == network);
            if let (true, Some((other, _))) = (node == from, other) {
                return (*end, *other);
            }
        }
        panic!("{from} and {to} share no network");
    }

    /// The packet after its Ethernet addresses.
    fn payload(&mut self, source: SocketAddr, destination: SocketAddr, kind: &[String]) -> Vec<u8> {
        let number = |at: usize| kind.get(at).map_or(0, |word| word.parse().unwrap());
        let ports = [source.port().to_be_bytes(), destination.port().to_be_bytes()].concat();
        let udp = |data: &[u8]| {
            let length = u16::try_from(8 + data.len()).unwrap().to_be_bytes();
            ip(source, destination, 17, &[&ports, &length[..], &[0, 0], data].concat())
        };
        let name = kind[0].as_str();
        match name {
            "udp" => return udp(&vec![7; number(1)]),
            "dns" => {
                let labels = kind[1].split('.').map(|label| {
                    [&[u8::try_from(label.len()).unwrap()][..], label.as_bytes()].concat()
                });
                let question = [labels.collect::<Vec<_>>().concat(), vec![0, 0, 1, 0, 1]].concat();
                // `dns NAME CODE ADDRESS…`: an answer.
                let Some(code) = kind.get(2) else {
                    return udp(&[vec![0; 12], question].concat());
                };
                let addresses = kind[3..].iter().map(|word| word.parse::<Ipv4Addr>().unwrap());
                let records = addresses.map(|ip| {
                    [&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4][..], &ip.octets()].concat()
                });
                let (records, code): (Vec<_>, u8) = (records.collect(), code.parse().unwrap());
                let count = u8::try_from(records.len()).unwrap();
                let head = vec![0, 0, 0x80, code, 0, 1, 0, count, 0, 0, 0, 0];
                return udp(&[head, question, records.concat()].concat());
            }
            "arp" | "arp-reply" => return arp(source, destination, name == "arp"),
            "icmp" => {
                let (kind_of, code) = (number(1) as u8, number(2) as u8);
                let protocol = if kind[3] == "udp" { 17 } else { 6 };
                // By default, the node that the datagram was sent to answers.
                let to = kind.get(4).and_then(|name| self.address(name)).unwrap_or(source.ip());
                let to = SocketAddr::new(to, source.port());
                let back = [destination.port().to_be_bytes(), source.port().to_be_bytes()].concat();
                let rest = [0, 0, 0, 0, 0, 0, 0, 0, 5 << 4, flag::SYN, 0, 0, 0, 0, 0, 0];
                let quoted = ip(destination, to, protocol, &[&back, &rest[..]].concat());
                let body = [&[kind_of, code, 0, 0, 0, 0, 0, 0][..], &quoted[2..]].concat();
                return ip(source, destination, 1, &body);
            }
            _ => {}
        }
        let length = if matches!(name, "data" | "again") { number(1) } else { 0 };
        let (flags, advance) = match name {
            "SYN" => (flag::SYN, 1),
            "SYN-ACK" => (flag::SYN | flag::ACK, 1),
            "RST" => (flag::RST | flag::ACK, 0),
            "FIN" => (flag::FIN | flag::ACK, 1),
            "ACK" => (flag::ACK, 0),
            "data" | "again" => (flag::ACK | flag::PSH, length),
            other => panic!("no kind of packet: {other}"),
        };
        let next = self.seq.entry((source, destination)).or_insert(1_000);
        let seq = match name {
            "again" => *next - u32::try_from(length).unwrap(),
            "SYN" => 1_000,
            _ => *next,
        };
        *next = seq + u32::try_from(advance).unwrap();
        let numbers = [seq.to_be_bytes(), 1_u32.to_be_bytes()].concat();
        let rest = [5 << 4, flags, 0xff, 0xff, 0, 0, 0, 0];
        ip(source, destination, 6, &[&ports, &numbers, &rest[..], &vec![7; length]].concat())
    }
}

pub(crate) fn mac(end: u32) -> MacAddr {
    MacAddr::new([2, b'n', b's', 0, 0, u8::try_from(end).unwrap()])
}

/// Source, destination, and the words after them.
fn parse(
    text: &str,
    address: &dyn Fn(&str) -> Option<IpAddr>,
) -> (SocketAddr, SocketAddr, Vec<String>) {
    let words: Vec<&str> = text.split_whitespace().collect();
    let endpoint = |word: &str| {
        let (host, port) = word.rsplit_once(':').unwrap_or((word, "0"));
        let ip = address(host).or_else(|| host.parse().ok());
        SocketAddr::new(ip.unwrap_or_else(|| panic!("no node {host}")), port.parse().unwrap())
    };
    let kind = words[3..].iter().map(|word| (*word).to_owned()).collect();
    (endpoint(words[0]), endpoint(words[2]), kind)
}

fn v4(address: SocketAddr) -> Ipv4Addr {
    match address.ip() {
        IpAddr::V4(ip) => ip,
        IpAddr::V6(ip) => panic!("{ip}: scenes are IPv4"),
    }
}

fn ip(source: SocketAddr, destination: SocketAddr, protocol: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + body.len()).unwrap().to_be_bytes();
    let header = [0x45, 0, length[0], length[1], 0, 0, 0x40, 0, 64, protocol, 0, 0];
    [&[8, 0][..], &header, &v4(source).octets(), &v4(destination).octets(), body].concat()
}

fn arp(source: SocketAddr, destination: SocketAddr, request: bool) -> Vec<u8> {
    let operation = if request { 1 } else { 2 };
    [
        &[8, 6, 0, 1, 8, 0, 6, 4, 0, operation][..],
        &[0; 6],
        &v4(source).octets(),
        &[0; 6],
        &v4(destination).octets(),
    ]
    .concat()
}
