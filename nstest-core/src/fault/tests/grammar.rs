//! What is printed can be read, and is the same.

use super::*;
use crate::fault::action::{Action, Unreachable};
use crate::fault::burst_loss::GilbertElliott;
use crate::fault::condition::Condition;
use crate::fault::conversation::Conversation;
use crate::fault::jitter::Jitter;
use crate::fault::model::FaultTarget;
use crate::fault::occurrence::Occurrence;
use crate::fault::packets::{AddrMatch, Flags, PacketProtocol, Packets};
use crate::fault::partition::Partition;
use crate::fault::percent::Percent;
use crate::fault::plan::Plan;
use crate::fault::point::InjectionPoint;
use crate::fault::random::{Class, Draw, Stream};
use crate::fault::rate::Rate;
use crate::frame::kind::PacketKind;

/// Values at random, always the same.
struct Dice(Stream);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(Stream::new(seed, "dice", Direction::Egress, Class::Payload))
    }

    fn below(&mut self, n: u64) -> u64 {
        self.0.next().bits(Draw::Loss) % n
    }

    fn is(&mut self) -> bool {
        self.below(2) == 0
    }

    fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize].clone()
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.is().then(|| make(self))
    }

    fn time(&mut self) -> Duration {
        let unit = self.of(&[1, 1000, 1_000_000, 1_000_000_000, 60_000_000_000]);
        Duration::from_nanos(unit * (1 + self.below(5000)))
    }

    fn percent(&mut self) -> Percent {
        Percent::new((1 + self.below(10_000)) as f64 / self.of(&[100.0, 1000.0, 1e6]))
    }

    fn condition(&mut self) -> Condition {
        let mut condition = Condition::new().delay(self.time());
        let time = self.time();
        let jitters = [Jitter::uniform(time), Jitter::normal(time), Jitter::pareto(time)];
        condition.jitter = self.maybe(|dice| dice.of(&jitters));
        for place in [
            &mut condition.loss,
            &mut condition.duplicate,
            &mut condition.reorder,
            &mut condition.corrupt,
        ] {
            *place = self.maybe(Self::percent).unwrap_or_default();
        }
        condition.burst_loss = self.maybe(|dice| {
            let bursts = GilbertElliott::new(dice.percent(), dice.percent());
            if dice.is() { bursts } else { bursts.loss_in_bad(dice.percent()) }
        });
        condition.rate = self.maybe(|dice| Rate::bit(dice.below(20_000_000_000)));
        if condition.rate.is_some() {
            condition.queue_limit = self.maybe(|dice| dice.below(100_000) as u32);
        }
        condition
    }

    fn peer(&mut self) -> AddrMatch {
        let all = ["10.0.2.3/32", "10.0.2.0/24", "fd00:2::/64", "::/128", "fe80::/10", "0.0.0.0/0"];
        match self.below(7) {
            6 => AddrMatch::Mac("02:6e:73:00:01:00".parse().unwrap()),
            n => AddrMatch::Subnet(all[n as usize].parse().unwrap()),
        }
    }

    fn packets(&mut self) -> Packets {
        Packets {
            protocol: self.maybe(|dice| dice.of(&PacketProtocol::WORDS).1),
            family: self.maybe(|dice| {
                let families = [Packets::all().ipv4().family, Packets::all().ipv6().family];
                dice.of(&families).unwrap()
            }),
            port: self.maybe(|dice| dice.below(65536) as u16),
            sport: self.maybe(|dice| dice.below(65536) as u16),
            dport: self.maybe(|dice| dice.below(65536) as u16),
            from: self.maybe(Self::peer),
            to: self.maybe(Self::peer),
            host: self.maybe(Self::peer),
            connection: self.maybe(|dice| 1 + dice.below(99) as u32),
            kind: self.maybe(|dice| dice.of(&PacketKind::WORDS).1),
            flags: {
                let (set, unset) = (self.below(256) as u8, self.below(256) as u8);
                self.maybe(|_| Flags { set, unset: unset & !set }).unwrap_or_default()
            },
        }
    }

    fn fault(&mut self) -> Fault {
        let mut fault = Fault::on(self.of(&["server", "a-1", "größe", "server.eth1", "b_.v.7"]));
        fault.direction = self.maybe(|dice| dice.of(&Direction::BOTH));
        fault.packets = self.packets();
        let n = 1 + self.below(1000);
        let occurrences = [
            Occurrence::Every,
            Occurrence::nth(n),
            Occurrence::every_nth(n),
            Occurrence::first(n),
            Occurrence::after(n),
        ];
        fault.occurrence = self.of(&occurrences);
        let actions = [
            Action::Drop,
            Action::Reject(Unreachable::Net),
            Action::Reject(Unreachable::AdminProhibited),
            Action::Reset,
            Action::Duplicate(1),
            Action::Duplicate(9),
            Action::Delay(self.time()),
            Action::Corrupt,
            Action::Mtu { mtu: 1280, notify: false },
            Action::Mtu { mtu: 1280, notify: true },
            Action::Blackhole,
            Action::Cut,
        ];
        let action = self.of(&actions);
        let mut fault = if self.is() { fault.then(action) } else { fault.action(action) };
        match self.below(6) {
            0 => {
                (fault.packets, fault.occurrence) = (Packets::all(), Occurrence::Every);
                fault = fault.condition(self.condition());
            }
            1 => {
                fault = Fault::on("server.eth1").down();
            }
            2 => {
                let (a, b) = (vec!["a", "b"], vec!["c"]);
                let ring = [vec!["a", "b"], vec!["b", "c"], vec!["c", "d"]];
                let partitions = [
                    Partition::new([a.clone(), b.clone()]),
                    Partition::new(ring),
                    Partition::one_way(a, b),
                ];
                let chosen = self.below(3) as usize;
                let partition = partitions.into_iter().nth(chosen).unwrap().unwrap();
                fault = Fault::partition(partition);
            }
            _ => {}
        }
        if self.is() {
            fault = fault.at(self.time());
        }
        if self.is() {
            let lasting = self.time();
            fault = fault.lasting(lasting);
            if self.is() {
                fault = fault.every(lasting + self.time());
            }
        }
        fault.optional = self.is();
        fault
    }
}

#[test]
fn printed_faults_are_read_as_the_same_value() {
    let mut dice = Dice::new(1);
    let mut read = 0;
    for _ in 0..5000 {
        let fault = dice.fault();
        if fault.check().is_err() {
            continue; // a reset of UDP, say
        }
        read += 1;
        let text = fault.to_string();
        let again = text.parse::<Fault>().unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(again, fault, "{text}");
        assert_eq!(again.to_string(), text);
        let packets = fault.packets;
        assert_eq!(packets.to_string().parse::<Packets>().unwrap(), packets);
        if let Ok(plan) = format!("{text};\n {text} optional").parse::<Plan>() {
            assert_eq!(plan.to_string().parse::<Plan>().unwrap(), plan);
        }
    }
    assert!(read > 3000, "{read}");
    for _ in 0..2000 {
        let condition = dice.condition();
        assert_eq!(condition.to_string().parse::<Condition>().unwrap(), condition);
    }
}

#[test]
fn printed_points_are_read_as_the_same_value() {
    let mut dice = Dice::new(2);
    for _ in 0..2000 {
        let layers = [
            Some(PacketProtocol::Tcp),
            Some(PacketProtocol::Udp),
            Some(PacketProtocol::Icmp),
            None,
        ];
        let protocol = dice.of(&layers);
        let kinds = match protocol {
            Some(PacketProtocol::Icmp) => vec![PacketKind::Icmp, PacketKind::Fragment],
            Some(PacketProtocol::Tcp) => vec![
                PacketKind::Syn,
                PacketKind::SynAck,
                PacketKind::Data,
                PacketKind::Fin,
                PacketKind::Ack,
            ],
            _ => vec![PacketKind::Datagram, PacketKind::Fragment, PacketKind::Other],
        };
        let point = InjectionPoint {
            link: FaultTarget::from("server"),
            direction: dice.of(&Direction::BOTH),
            conversation: Conversation {
                protocol,
                port: dice.maybe(|dice| dice.below(65536) as u16),
                nth: 1 + dice.below(99) as u32,
            },
            kind: dice.of(&kinds),
            nth: 1 + dice.below(1000),
        };
        let text = point.to_string();
        let again = text.parse::<InjectionPoint>().unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(again, point, "{text}");
        let fault = format!("{text}: drop").parse::<Fault>().unwrap();
        assert_eq!(fault, point.fault(Action::Drop));
    }
}

/// Whatever is written, it is read or refused.
#[test]
fn no_text_makes_the_parser_panic() {
    let pieces = [
        "server",
        "*",
        ":",
        ": ",
        ";",
        "\n",
        " ",
        "  ",
        "tcp",
        "port",
        "80",
        "#1",
        "#",
        "nth",
        "3",
        "0",
        "drop",
        "condition",
        "loss",
        "1%",
        "ü",
        "partition",
        "|",
        ">",
        "a",
        "at",
        "1s",
        "kind",
        "flags",
        "!syn",
        ",",
        "from",
        "::",
        "jitter",
        "egress",
        "reject",
        "mtu",
        "every",
        "lasting",
        "burst-loss",
        "-",
        ".",
        "\u{3000}",
    ];
    let mut dice = Dice::new(3);
    for _ in 0..20_000 {
        let len = dice.below(14);
        let mut text = String::new();
        for _ in 0..len {
            text += dice.of(&pieces);
            if dice.is() {
                text.push(' ');
            }
        }
        if let Ok(plan) = text.parse::<Plan>() {
            assert_eq!(plan.to_string().parse::<Plan>().unwrap(), plan, "{text}");
        }
        let _ =
            (text.parse::<InjectionPoint>(), text.parse::<Condition>(), text.parse::<Packets>());
    }
}

#[test]
fn white_space_and_new_lines_are_free() {
    let plan: Plan = "\n server :  drop ;; \n\n\tclient:drop\n;".parse().unwrap_or_default();
    assert_eq!(plan.faults().len(), 0, "a colon ends a word");
    let plan: Plan = "\n server :  drop ;; \n\n\tclient: drop\n;".parse().unwrap();
    assert_eq!(plan.to_string(), "server: drop; client: drop");
    assert_eq!("".parse::<Plan>().unwrap(), Plan::new());
}

#[test]
fn the_faults_in_the_table_of_the_guide_can_be_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/src/guide/faults.md");
    let page = std::fs::read_to_string(path).unwrap();
    let section = page.split("\n## ").find(|section| section.starts_with("Plans\n")).unwrap();
    let faults = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let faults: Vec<String> = faults.map(|fault| fault.replace("\\|", "|")).collect();
    assert_eq!(faults.len(), 19);
    for fault in faults {
        let read = fault.parse::<Fault>().unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(read.to_string().parse::<Fault>().unwrap(), read, "{fault}");
        read.check().unwrap_or_else(|error| panic!("{error:?}"));
    }
}

#[test]
fn the_examples_of_the_page_can_be_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/src/design/faults.md");
    let page = std::fs::read_to_string(path).unwrap();
    let blocks: Vec<&str> = page.split("```").collect();
    let examples = blocks.iter().rev().find_map(|block| block.strip_prefix("text\n")).unwrap();
    for line in examples.lines() {
        let plan = line.parse::<Plan>().unwrap_or_else(|error| panic!("{error:?}"));
        assert!(!plan.faults().is_empty());
    }
    let plan = examples.parse::<Plan>().unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(plan.faults().len(), 7);
}
