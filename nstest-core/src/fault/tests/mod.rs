mod chance;
mod conditions;
mod conflicts;
mod connections;
mod fragments;
mod grammar;
mod mistakes;
mod rules;
mod values;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use super::model::Fault;
use super::pipeline::Pipeline;
use super::receipt::Receipt;
use super::rule::Rule;
use crate::frame::{Direction, Discovery, Frame, Outlet, Stage};

const CLIENT: [u8; 4] = [10, 0, 2, 1];
const SERVER: [u8; 4] = [10, 0, 2, 2];

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A frame of IPv4, without checksums.
fn ipv4(src: [u8; 4], dst: [u8; 4], protocol: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, b'n', b's', 0, dst[3], 0, 2, b'n', b's', 0, src[3], 0, 8, 0];
    frame.extend([0x45, 0]);
    frame.extend((20 + body.len() as u16).to_be_bytes());
    frame.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
    frame.extend(Ipv4Addr::from(src).octets());
    frame.extend(Ipv4Addr::from(dst).octets());
    frame.extend(body);
    frame
}

/// A datagram from the client's port 40000 to the server's 7000.
fn udp(len: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for field in [40000, 7000, 8 + len as u16, 0] {
        body.extend(field.to_be_bytes());
    }
    body.resize(8 + len, b'x');
    ipv4(CLIENT, SERVER, 17, &body)
}

/// A segment between a port of the client's and the server's 7000.
fn tcp(from_server: bool, port: u16, seq: u32, ack: u32, flags: u8, len: usize) -> Vec<u8> {
    let (sport, dport) = if from_server { (7000, port) } else { (port, 7000) };
    let mut body = Vec::new();
    body.extend(u16::to_be_bytes(sport));
    body.extend(u16::to_be_bytes(dport));
    body.extend(seq.to_be_bytes());
    body.extend(ack.to_be_bytes());
    body.extend([0x50, flags, 1, 0, 0, 0, 0, 0]);
    body.resize(20 + len, b'x');
    let (src, dst) = if from_server { (SERVER, CLIENT) } else { (CLIENT, SERVER) };
    ipv4(src, dst, 6, &body)
}

/// Who has the server's address?
fn arp() -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend([2, b'n', b's', 0, 1, 0, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend([2, b'n', b's', 0, 1, 0]);
    frame.extend(CLIENT);
    frame.extend([0; 6]);
    frame.extend(SERVER);
    frame
}

/// Passes frames through a pipeline.
struct Bench {
    pipeline: Pipeline,
    start: Instant,
    out: Outlet,
}

impl Bench {
    fn new(seed: u64) -> Self {
        Self {
            pipeline: Pipeline::new(seed, "server"),
            start: Instant::now(),
            out: Outlet::default(),
        }
    }

    /// The condition in both directions, and the receipt of egress.
    fn condition(&mut self, text: &str) -> Receipt {
        let receipts = Direction::BOTH.map(|direction| {
            let receipt = Receipt::new(text);
            let condition = text.parse().unwrap();
            self.pipeline.set_condition(direction, Some((condition, receipt.clone())));
            receipt
        });
        let [receipt, _] = receipts;
        receipt
    }

    /// The rule of a fault that is written.
    fn fault(&mut self, text: &str) -> Receipt {
        let fault: Fault = text.parse().unwrap();
        let receipt = fault.receipt();
        self.add(fault.rule(0, receipt.clone()).unwrap());
        receipt
    }

    fn add(&mut self, rule: Rule) -> super::pipeline::RuleId {
        self.pipeline.add(rule, Default::default())
    }

    /// When the frame goes on, in milliseconds after it came, and what else.
    fn pass(&mut self, direction: Direction, frame: &[u8], at: Duration) -> Passed {
        self.out.clear();
        let shown = Frame { bytes: frame, segment_len: None };
        self.pipeline.pass(direction, shown, self.start + at, &mut self.out);
        let since = |then: &Instant| then.duration_since(self.start + at);
        Passed {
            forward: self.out.forward.iter().map(since).collect(),
            emitted: self
                .out
                .emissions
                .iter()
                .map(|e| (since(&e.at), e.direction, e.frame.clone()))
                .collect(),
        }
    }

    fn egress(&mut self, frame: &[u8]) -> Passed {
        self.pass(Direction::Egress, frame, Duration::ZERO)
    }

    fn ingress(&mut self, frame: &[u8]) -> Passed {
        self.pass(Direction::Ingress, frame, Duration::ZERO)
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Passed {
    forward: Vec<Duration>,
    emitted: Vec<(Duration, Direction, Vec<u8>)>,
}

impl Passed {
    fn is_lost(&self) -> bool {
        self.forward.is_empty() && self.emitted.is_empty()
    }

    fn is_whole(&self) -> bool {
        self.forward == [Duration::ZERO] && self.emitted.is_empty()
    }
}
