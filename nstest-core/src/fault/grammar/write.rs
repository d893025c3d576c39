//! Values as text.

use std::fmt;

use crate::addr::Family;
use crate::fault::model::Fault;
use crate::fault::occurrence::Occurrence;
use crate::fault::packets::{Flags, PacketProtocol, Packets};
use crate::frame::kind::PacketKind;

impl fmt::Display for Packets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&packets_text(self))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&fault_text(self))
    }
}

fn packets_text(packets: &Packets) -> String {
    let mut words = Vec::new();
    words.extend(packets.family.map(|version| match version {
        Family::V4 => "ip4".to_owned(),
        Family::V6 => "ip6".to_owned(),
    }));
    let protocol =
        PacketProtocol::WORDS.iter().find(|(_, protocol)| Some(*protocol) == packets.protocol);
    words.extend(protocol.map(|(word, _)| (*word).to_owned()));
    for (word, port) in [("port", packets.port), ("sport", packets.sport), ("dport", packets.dport)]
    {
        words.extend(port.map(|port| format!("{word} {port}")));
    }
    for (word, peer) in [("from", packets.from), ("to", packets.to), ("host", packets.host)] {
        words.extend(peer.map(|peer| format!("{word} {peer}")));
    }
    words.extend(packets.connection.map(|nth| format!("#{nth}")));
    words.extend(packets.kind.map(|kind| match kind {
        // Without `kind`, these words are protocols.
        PacketKind::Icmp | PacketKind::Control => format!("kind {kind}"),
        _ => kind.to_string(),
    }));
    words.extend(flags_text(packets.flags));
    words.join(" ")
}

fn flags_text(flags: Flags) -> Option<String> {
    let bits = |bits: u8, prefix: &'static str| {
        Flags::WORDS
            .iter()
            .filter(move |(_, bit)| bits & bit != 0)
            .map(move |(word, _)| format!("{prefix}{word}"))
    };
    let all: Vec<String> = bits(flags.set, "").chain(bits(flags.unset, "!")).collect();
    (!all.is_empty()).then(|| format!("flags {}", all.join(",")))
}

fn fault_text(fault: &Fault) -> String {
    let mut words = vec![fault.target.to_string()];
    words.extend(fault.direction.map(|direction| direction.to_string()));
    if !fault.packets.is_all() {
        words.push(packets_text(&fault.packets));
    }
    if fault.occurrence != Occurrence::Every {
        words.push(fault.occurrence.to_string());
    }
    let takes = words.join(" ");
    let mut words = vec![format!("{takes}:")];
    words.extend(fault.then.then(|| "then".to_owned()));
    words.push(fault.effect.to_string());
    let schedule = fault.schedule.to_string();
    words.extend(Some(schedule).filter(|text| !text.is_empty()));
    if fault.optional {
        words.push("optional".to_owned());
    }
    words.join(" ")
}
