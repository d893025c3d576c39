//! Packet filters and occurrences.

use std::num::NonZeroU64;

use super::words::{TWICE, Words};
use crate::addr::{Family, MacAddr, Subnet};
use crate::error::Result;
use crate::fault::occurrence::Occurrence;
use crate::fault::packets::{AddrMatch, Flags, PacketProtocol, Packets};
use crate::frame::kind::PacketKind;

const VERSIONS: [(&str, Family); 2] = [("ip4", Family::V4), ("ip6", Family::V6)];

fn number(word: &str) -> std::result::Result<NonZeroU64, String> {
    match word.parse::<u64>().map(NonZeroU64::new) {
        Ok(Some(number)) => Ok(number),
        Ok(None) => Err("packets are counted from 1".to_owned()),
        Err(_) => Err(format!("`{word}` is not a number")),
    }
}

pub(super) fn occurrence(words: &mut Words<'_>) -> Result<Occurrence> {
    type Make = fn(NonZeroU64) -> Occurrence;
    const WORDS: [(&str, Make); 4] = [
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

pub(super) fn packets(words: &mut Words<'_>) -> Result<Packets> {
    let mut packets = Packets::all();
    while let Some(word) = words.peek() {
        if let Some(version) = words.one_of(&VERSIONS) {
            once(words, &mut packets.family, version)?;
        } else if let Some(protocol) = words.one_of(&PacketProtocol::WORDS) {
            once(words, &mut packets.protocol, protocol)?;
        } else if words.take("kind") {
            let kind = words.one_of(&PacketKind::WORDS);
            let kind =
                kind.ok_or_else(|| words.expected(&PacketKind::WORDS.map(|(word, _)| word)))?;
            once(words, &mut packets.kind, kind)?;
        } else if let Some(kind) = words.one_of(&PacketKind::WORDS) {
            once(words, &mut packets.kind, kind)?;
        } else if word.starts_with('#') {
            let read = |word: &str| {
                let nth = word[1..].parse::<u32>().ok().filter(|nth| *nth > 0);
                nth.ok_or_else(|| format!("`{word}` is not a connection"))
            };
            let nth = words.value(read, "write `#1` for the first connection")?;
            once(words, &mut packets.connection, nth)?;
        } else if words.take("flags") {
            if packets.flags != Flags::default() {
                return Err(words.refuse_last(TWICE, "write all flags in one list"));
            }
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
            let read = |word: &str| word.parse().map_err(|_| format!("`{word}` is not a port"));
            let value = words.value(read, "write a number from 0 to 65535")?;
            once(words, port, value)?;
        }
    }
    Ok(packets)
}

/// Sets a value that may be given once.
fn once<T>(words: &Words<'_>, place: &mut Option<T>, value: T) -> Result<()> {
    if place.replace(value).is_some() {
        let help = "write it once, and another fault for other packets";
        return Err(words.refuse_last(TWICE, help));
    }
    Ok(())
}

fn peer(word: &str) -> std::result::Result<AddrMatch, String> {
    let addr = word.parse::<std::net::IpAddr>().ok().map(AddrMatch::from);
    let subnet = || word.parse::<Subnet>().ok().map(AddrMatch::Subnet);
    let mac = || word.parse::<MacAddr>().ok().map(AddrMatch::Mac);
    addr.or_else(subnet).or_else(mac).ok_or_else(|| format!("`{word}` is not an address"))
}

fn flags(word: &str) -> std::result::Result<Flags, String> {
    let mut flags = Flags::default();
    for name in word.split(',') {
        let bare = name.strip_prefix('!').unwrap_or(name);
        let Some((_, bit)) = Flags::WORDS.iter().find(|(word, _)| *word == bare) else {
            let names = Flags::WORDS.map(|(word, _)| word).join(", ");
            return Err(format!("`{name}` is not one of {names}"));
        };
        let place = if name == bare { &mut flags.set } else { &mut flags.unset };
        *place |= bit;
    }
    if flags.set & flags.unset != 0 {
        return Err("a flag cannot be both set and unset".to_owned());
    }
    Ok(flags)
}
