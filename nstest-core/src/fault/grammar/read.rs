//! Words as values.

use std::num::NonZeroU64;

use super::words::{BREAK, COLON, Words};
use crate::error::Result;
use crate::fault::action::{Action, Unreachable, is_word};
use crate::fault::bursts::GilbertElliott;
use crate::fault::condition::Condition;
use crate::fault::jitter::{Jitter, Shape};
use crate::fault::occurrence::Occurrence;
use crate::fault::packets::{Flags, Layer, Packets, Peer, Version};
use crate::fault::partition::Partition;
use crate::fault::percent::{self, Percent};
use crate::fault::plan::Plan;
use crate::fault::point::{Conversation, Point};
use crate::fault::rate::{self, Rate};
use crate::fault::span;
use crate::fault::spec::{Effect, Fault, Target};
use crate::frame::Direction;
use crate::frame::kind::Kind;
use crate::topology::{MacAddr, Subnet};

const DIRECTIONS: [(&str, Direction); 2] =
    [("egress", Direction::Egress), ("ingress", Direction::Ingress)];
const VERSIONS: [(&str, Version); 2] = [("ip4", Version::Four), ("ip6", Version::Six)];

pub(in crate::fault) fn plan(words: &mut Words<'_>) -> Result<Plan> {
    let mut plan = Plan::new();
    loop {
        while words.take(BREAK) {}
        if words.peek().is_none() {
            return Ok(plan);
        }
        plan = plan.with(fault(words)?);
        if words.peek().is_some_and(|word| word != BREAK) {
            return Err(words.expected(&["`;` and another fault", "`at`", "`lasting`", "`every`"]));
        }
    }
}

pub(in crate::fault) fn fault(words: &mut Words<'_>) -> Result<Fault> {
    let mut fault = Fault::on(target(words)?);
    fault.direction = words.one_of(&DIRECTIONS);
    fault.packets = packets(words)?;
    fault.occurrence = occurrence(words)?;
    if !words.take(COLON) {
        let mut valid = vec!["a colon and what happens, as in `: drop`"];
        valid.extend(["`egress` or `ingress`", "packets, as in `tcp port 80 data`", "`nth 3`"]);
        return Err(words.expected(&valid));
    }
    fault.effect = effect(words)?;
    loop {
        match words.peek() {
            Some("at") => fault.schedule.at = span_of(words)?,
            Some("lasting") => fault.schedule.lasting = Some(span_of(words)?),
            Some("every") => fault.schedule.every = Some(span_of(words)?),
            Some("optional") => {
                words.next();
                fault.optional = true;
            }
            _ => return Ok(fault),
        }
    }
}

/// A word, and the time behind it.
fn span_of(words: &mut Words<'_>) -> Result<std::time::Duration> {
    words.next();
    words.value(span::read, span::HELP)
}

const TARGET: &str = "begin with the name of a node, `server` or `server.eth1`, or with `*`";

fn target(words: &mut Words<'_>) -> Result<Target> {
    let read = |word: &str| {
        let target = Target::from(word);
        match &target {
            Target::Link { node, .. } if !is_word(node) => Err(format!("`{word}` is no node")),
            Target::Link { interface: Some(name), .. } if name.is_empty() => {
                Err(format!("`{word}` names no interface"))
            }
            _ => Ok(target),
        }
    };
    words.value(read, TARGET)
}

fn number(word: &str) -> std::result::Result<NonZeroU64, String> {
    match word.parse::<u64>().map(NonZeroU64::new) {
        Ok(Some(number)) => Ok(number),
        Ok(None) => Err("packets are counted from 1".to_owned()),
        Err(_) => Err(format!("`{word}` is no number")),
    }
}

fn occurrence(words: &mut Words<'_>) -> Result<Occurrence> {
    const WORDS: [(&str, fn(NonZeroU64) -> Occurrence); 4] = [
        ("nth", Occurrence::Nth),
        ("every-nth", Occurrence::EveryNth),
        ("first", Occurrence::First),
        ("after", Occurrence::After),
    ];
    if words.take("each") {
        return Ok(Occurrence::Every);
    }
    match words.one_of(&WORDS) {
        Some(make) => Ok(make(words.value(number, "write a number from 1: `nth 3`")?)),
        None => Ok(Occurrence::Every),
    }
}

pub(in crate::fault) fn packets(words: &mut Words<'_>) -> Result<Packets> {
    let mut packets = Packets::all();
    while let Some(word) = words.peek() {
        if let Some(version) = words.one_of(&VERSIONS) {
            once(words, &mut packets.family, version)?;
        } else if let Some(layer) = words.one_of(&Layer::WORDS) {
            once(words, &mut packets.layer, layer)?;
        } else if words.take("kind") {
            let kind = words.one_of(&Kind::WORDS);
            let kind = kind.ok_or_else(|| words.expected(&Kind::WORDS.map(|(word, _)| word)))?;
            once(words, &mut packets.kind, kind)?;
        } else if let Some(kind) = words.one_of(&Kind::WORDS) {
            once(words, &mut packets.kind, kind)?;
        } else if word.starts_with('#') {
            let read = |word: &str| {
                let nth = word[1..].parse::<u32>().ok().filter(|nth| *nth > 0);
                nth.ok_or_else(|| format!("`{word}` is no connection"))
            };
            let nth = words.value(read, "write `#1` for the first connection")?;
            once(words, &mut packets.connection, nth)?;
        } else if words.take("flags") {
            packets.flags = words.value(flags, "write names, as in `flags syn,!ack`")?;
        } else {
            let port = match word {
                "port" => &mut packets.port,
                "sport" => &mut packets.sport,
                "dport" => &mut packets.dport,
                _ => {
                    let peer = match word {
                        "from" => &mut packets.from,
                        "to" => &mut packets.to,
                        "host" => &mut packets.host,
                        _ => return Ok(packets),
                    };
                    words.next();
                    let help = "write an address, a subnet or a MAC: `10.0.2.2`, `10.0.2.0/24`";
                    let value = words.value(self::peer, help)?;
                    once(words, peer, value)?;
                    continue;
                }
            };
            words.next();
            let read = |word: &str| word.parse().map_err(|_| format!("`{word}` is no port"));
            let value = words.value(read, "write a number from 0 to 65535")?;
            once(words, port, value)?;
        }
    }
    Ok(packets)
}

/// What has been read already cannot be something else as well.
fn once<T>(words: &Words<'_>, place: &mut Option<T>, value: T) -> Result<()> {
    if place.replace(value).is_some() {
        let help = "say it once; write another fault for other packets";
        return Err(words.refuse_last("this has been said before", help));
    }
    Ok(())
}

fn peer(word: &str) -> std::result::Result<Peer, String> {
    let addr = word.parse::<std::net::IpAddr>().ok().map(Peer::from);
    let subnet = || word.parse::<Subnet>().ok().map(Peer::Subnet);
    let mac = || word.parse::<MacAddr>().ok().map(Peer::Mac);
    addr.or_else(subnet).or_else(mac).ok_or_else(|| format!("`{word}` is no address"))
}

fn flags(word: &str) -> std::result::Result<Flags, String> {
    let mut flags = Flags::default();
    for name in word.split(',') {
        let bare = name.strip_prefix('!').unwrap_or(name);
        let Some((_, bit)) = Flags::WORDS.iter().find(|(word, _)| *word == bare) else {
            let names = Flags::WORDS.map(|(word, _)| word).join(", ");
            return Err(format!("`{name}` is none of {names}"));
        };
        let place = if name == bare { &mut flags.set } else { &mut flags.unset };
        *place |= bit;
    }
    if flags.set & flags.unset != 0 {
        return Err("a flag cannot be set and not set".to_owned());
    }
    Ok(flags)
}

pub(in crate::fault) fn point(words: &mut Words<'_>) -> Result<Point> {
    let link = target(words)?;
    let Some(direction) = words.one_of(&DIRECTIONS) else {
        return Err(words.expected(&["egress", "ingress"]));
    };
    let packets = packets(words)?;
    let (Some(nth), Some(kind)) = (
        packets.connection,
        packets.kind.or((packets.layer == Some(Layer::Icmp)).then_some(Kind::Icmp)),
    ) else {
        return Err(words.refuse(
            "a point names a connection and a kind of packet",
            "write it as `server egress tcp port 7000 #1 data nth 3`",
        ));
    };
    let place = words.refuse("a point is one packet", "end it with a number, as in `nth 3`");
    let Occurrence::Nth(number) = occurrence(words)? else { return Err(place) };
    let conversation = Conversation { layer: packets.layer, port: packets.port, nth };
    let point = Point { link, direction, conversation, kind, nth: number.get() };
    if point.packets() != packets {
        return Err(words.refuse_last(
            format!("a point is not told by all of `{packets}`"),
            "write it as `server egress tcp port 7000 #1 data nth 3`",
        ));
    }
    Ok(point)
}

fn effect(words: &mut Words<'_>) -> Result<Effect> {
    if words.take("condition") {
        return Ok(Effect::Condition(condition(words)?));
    }
    if words.take("down") {
        return Ok(Effect::Down);
    }
    if words.take("partition") {
        return Ok(Effect::Partition(partition(words)?));
    }
    Ok(Effect::Action(action(words)?))
}

const EFFECTS: [&str; 14] = [
    "drop",
    "reject KIND",
    "reset",
    "duplicate",
    "delay TIME",
    "corrupt",
    "mtu OCTETS",
    "half-open",
    "cut",
    "notify NAME",
    "condition …",
    "down",
    "partition A | B",
    "(the loss and rate of a link are a `condition`)",
];

fn action(words: &mut Words<'_>) -> Result<Action> {
    const PLAIN: [(&str, Action); 5] = [
        ("drop", Action::Drop),
        ("reset", Action::Reset),
        ("corrupt", Action::Corrupt),
        ("half-open", Action::HalfOpen),
        ("cut", Action::Cut),
    ];
    if let Some((word, action)) = PLAIN.iter().find(|(word, _)| words.peek() == Some(word)) {
        words.take(word);
        return Ok(action.clone());
    }
    match words.peek() {
        Some("reject") => {
            words.next();
            let why = words.one_of(&Unreachable::WORDS);
            let names = Unreachable::WORDS.map(|(word, _)| word);
            why.map(Action::Reject).ok_or_else(|| words.expected(&names))
        }
        Some("duplicate") => {
            words.next();
            let is_number = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
            if !words.peek().is_some_and(is_number) {
                return Ok(Action::Duplicate(1));
            }
            let read = |word: &str| word.parse().map_err(|_| format!("`{word}` is no number"));
            words.value(read, "write a number of copies, from 1 to 255").map(Action::Duplicate)
        }
        Some("delay") => Ok(Action::Delay(span_of(words)?)),
        Some("mtu") => {
            words.next();
            let read = |word: &str| word.parse().map_err(|_| format!("`{word}` is no number"));
            let mtu = words.value(read, "write a number of octets, as in `mtu 1280`")?;
            Ok(Action::Mtu { mtu, told: words.take("told") })
        }
        Some("notify") => {
            words.next();
            let read = |word: &str| match is_word(word) {
                true => Ok(word.into()),
                false => Err(format!("`{word}` is no name")),
            };
            words.value(read, "write a name, as in `notify first-data`").map(Action::Notify)
        }
        _ => Err(words.expected(&EFFECTS)),
    }
}

fn partition(words: &mut Words<'_>) -> Result<Partition> {
    const ENDS: [&str; 5] = ["at", "lasting", "every", "optional", BREAK];
    let (mut groups, mut is_one_way) = (vec![Vec::new()], false);
    while let Some(word) = words.peek().filter(|word| !ENDS.contains(word)) {
        match word {
            "|" if !is_one_way => groups.push(Vec::new()),
            ">" if groups.len() == 1 => {
                is_one_way = true;
                groups.push(Vec::new());
            }
            _ if is_word(word) => groups.last_mut().expect("there is one").push(word.to_owned()),
            _ => {
                let help = "write nodes with `|` between groups, or one `>`: `partition a > b c`";
                return Err(words.refuse(format!("`{word}` is no node"), help));
            }
        }
        words.next();
    }
    let partition = Partition { groups, is_one_way };
    match partition.nonsense() {
        None => Ok(partition),
        Some(why) => Err(words.refuse_last(why, "name two groups or more: `partition a | b c`")),
    }
}

pub(in crate::fault) fn condition(words: &mut Words<'_>) -> Result<Condition> {
    let preset = words.one_of(&Condition::PRESETS);
    let is_perfect = words.take("perfect");
    let mut condition = preset.unwrap_or_default();
    let (start, mut said) = (condition, Vec::new());
    while let Some(word) = words.peek() {
        if said.contains(&word) {
            return Err(words.refuse("this has been said before", "say it once"));
        }
        match word {
            "delay" => condition.delay = span_of(words)?,
            "jitter" => {
                let amount = span_of(words)?;
                let shape = words.one_of(&Shape::WORDS).unwrap_or(Shape::Uniform);
                condition.jitter = Some(Jitter { amount, shape });
            }
            "bursts" => {
                words.next();
                let mut bursts = GilbertElliott::new(percent(words)?, percent(words)?);
                if words.peek().is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit())) {
                    bursts = bursts.loss_in_bad(percent(words)?).loss_in_good(percent(words)?);
                }
                condition.bursts = Some(bursts);
            }
            "rate" => {
                words.next();
                condition.rate = Some(words.value(Rate::read, rate::HELP)?);
            }
            "queue" => {
                words.next();
                let read = |word: &str| word.parse().map_err(|_| format!("`{word}` is no number"));
                condition.queue = Some(words.value(read, "write a number of packets")?);
            }
            _ => {
                let place = match word {
                    "loss" => &mut condition.loss,
                    "duplicate" => &mut condition.duplicate,
                    "reorder" => &mut condition.reorder,
                    "corrupt" => &mut condition.corrupt,
                    _ => break,
                };
                words.next();
                *place = percent(words)?;
            }
        }
        said.push(word);
    }
    if start == condition && said.is_empty() && preset.is_none() && !is_perfect {
        let mut valid = vec!["delay", "jitter", "loss", "bursts", "duplicate", "reorder"];
        valid.extend(["corrupt", "rate", "queue", "perfect"]);
        valid.extend(Condition::PRESETS.map(|(word, _)| word));
        return Err(words.expected(&valid));
    }
    Ok(condition)
}

fn percent(words: &mut Words<'_>) -> Result<Percent> {
    words.value(Percent::read, percent::HELP)
}
