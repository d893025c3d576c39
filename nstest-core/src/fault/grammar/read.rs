//! Faults, plans and points.

use super::condition::{self, condition};
use super::duration_of;
use super::packets::{occurrence, packets};
use super::words::{COLON, SEPARATOR, TWICE, Words};
use crate::error::Result;
use crate::fault::action::{Action, Unreachable, is_word};
use crate::fault::conversation::Conversation;
use crate::fault::duration;
use crate::fault::model::{Fault, FaultEffect, FaultTarget};
use crate::fault::occurrence::Occurrence;
use crate::fault::packets::PacketProtocol;
use crate::fault::partition::Partition;
use crate::fault::plan::Plan;
use crate::fault::point::InjectionPoint;
use crate::frame::Direction;
use crate::frame::kind::PacketKind;

const DIRECTIONS: [(&str, Direction); 2] =
    [("egress", Direction::Egress), ("ingress", Direction::Ingress)];

pub(super) fn plan(words: &mut Words<'_>) -> Result<Plan> {
    let mut plan = Plan::new();
    loop {
        while words.take(SEPARATOR) {}
        if words.peek().is_none() {
            return Ok(plan);
        }
        let fault = fault(words)?;
        if words.peek().is_some_and(|word| word != SEPARATOR) {
            let mut valid = vec!["`;` and another fault", "at", "lasting", "every", "optional"];
            if let FaultEffect::Condition(_) = fault.effect {
                valid.extend(condition::PARAMETERS);
            }
            return Err(words.expected(&valid));
        }
        plan = plan.with(fault);
    }
}

pub(super) fn fault(words: &mut Words<'_>) -> Result<Fault> {
    let mut fault = Fault::on(target(words)?);
    fault.direction = words.one_of(&DIRECTIONS);
    fault.packets = packets(words)?;
    fault.occurrence = occurrence(words)?;
    if !words.take(COLON) {
        let mut valid = vec!["a colon and an effect, as in `: drop`"];
        valid.extend(["`egress` or `ingress`", "packets, as in `tcp port 80 data`", "`nth 3`"]);
        return Err(words.expected(&valid));
    }
    let mark = words.mark();
    fault = match words.take("then") {
        true => fault.then(action(words)?),
        false => {
            fault.effect = effect(words)?;
            fault
        }
    };
    let mut seen = Vec::new();
    while let Some(word) = words.peek() {
        if seen.contains(&word) {
            return Err(words.refuse(TWICE, "write it once"));
        }
        match word {
            "at" => fault.schedule.at = duration_of(words)?,
            "lasting" => fault.schedule.lasting = Some(duration_of(words)?),
            "every" => fault.schedule.every = Some(duration_of(words)?),
            "optional" => {
                words.next();
                fault.optional = true;
            }
            _ => break,
        }
        seen.push(word);
    }
    match fault.problem() {
        None => Ok(fault),
        Some((why, help)) => Err(words.refuse_at(mark, why, &help)),
    }
}

const TARGET: &str = "start with the name of a node, `server` or `server.eth1`, or with `*`";

fn target(words: &mut Words<'_>) -> Result<FaultTarget> {
    let read = |word: &str| {
        let target = FaultTarget::from(word);
        match &target {
            FaultTarget::Link { node, .. } if !is_word(node) => {
                Err(format!("`{word}` is not a node"))
            }
            FaultTarget::Link { interface: Some(name), .. } if name.is_empty() => {
                Err(format!("the name of the interface is missing in `{word}`"))
            }
            _ => Ok(target),
        }
    };
    words.value(read, TARGET)
}

pub(super) fn point(words: &mut Words<'_>) -> Result<InjectionPoint> {
    let link = target(words)?;
    let Some(direction) = words.one_of(&DIRECTIONS) else {
        return Err(words.expected(&["egress", "ingress"]));
    };
    let packets = packets(words)?;
    let (Some(nth), Some(kind)) = (
        packets.connection,
        packets
            .kind
            .or((packets.protocol == Some(PacketProtocol::Icmp)).then_some(PacketKind::Icmp)),
    ) else {
        return Err(words.refuse(
            "a point needs a connection and a kind of packet",
            "write it as `server egress tcp port 7000 #1 data nth 3`",
        ));
    };
    let place = words.refuse("a point is one packet", "end it with a number, as in `nth 3`");
    let Occurrence::Nth(number) = occurrence(words)? else { return Err(place) };
    let conversation = Conversation { protocol: packets.protocol, port: packets.port, nth };
    let point = InjectionPoint { link, direction, conversation, kind, nth: number.get() };
    if point.packets() != packets {
        return Err(words.refuse_last(
            format!("a point cannot have all criteria of `{packets}`"),
            "write it as `server egress tcp port 7000 #1 data nth 3`",
        ));
    }
    Ok(point)
}

fn effect(words: &mut Words<'_>) -> Result<FaultEffect> {
    if words.take("condition") {
        return Ok(FaultEffect::Condition(condition(words)?));
    }
    if words.take("down") {
        return Ok(FaultEffect::Down);
    }
    if words.take("partition") {
        return Ok(FaultEffect::Partition(partition(words)?));
    }
    Ok(FaultEffect::Action(action(words)?))
}

const EFFECTS: [&str; 15] = [
    "drop",
    "reject REASON",
    "reset",
    "duplicate",
    "delay",
    "corrupt",
    "mtu BYTES",
    "blackhole",
    "cut",
    "then reset",
    "then blackhole",
    "then cut",
    "condition …",
    "down",
    "partition A | B",
];

fn action(words: &mut Words<'_>) -> Result<Action> {
    const PLAIN: [(&str, Action); 5] = [
        ("drop", Action::Drop),
        ("reset", Action::Reset),
        ("corrupt", Action::Corrupt),
        ("blackhole", Action::Blackhole),
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
            if !words.is_number() {
                return Ok(Action::Duplicate(1));
            }
            let read = |word: &str| word.parse().map_err(|_| format!("`{word}` is not a number"));
            words.value(read, "write a number of copies, from 1 to 255").map(Action::Duplicate)
        }
        Some("delay") => {
            words.next();
            if !words.is_number() {
                return Ok(Action::Delay(Action::DEFAULT_DELAY));
            }
            words.value(duration::read, duration::HELP).map(Action::Delay)
        }
        Some("mtu") => {
            words.next();
            let read = |word: &str| word.parse().map_err(|_| format!("`{word}` is not a number"));
            let mtu = words.value(read, "write a number of bytes, as in `mtu 1280`")?;
            Ok(Action::Mtu { mtu, notify: words.take("notify") })
        }
        Some(word) if condition::is_parameter(word) => Err(words.refuse(
            format!("`{word}` is part of a condition"),
            &format!("write `condition` before it: `condition {word} …`"),
        )),
        _ => Err(words.expected(&EFFECTS)),
    }
}

fn partition(words: &mut Words<'_>) -> Result<Partition> {
    const ENDS: [&str; 5] = ["at", "lasting", "every", "optional", SEPARATOR];
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
                return Err(words.refuse(format!("`{word}` is not a node"), help));
            }
        }
        words.next();
    }
    let partition = Partition { groups, is_one_way };
    match partition.problem() {
        None => Ok(partition),
        Some(why) => Err(words.refuse_last(why, "name two or more groups: `partition a | b c`")),
    }
}
