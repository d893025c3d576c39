//! The first packet in which two runs of one test differ.
//!
//! Ephemeral ports, sequence numbers and times differ in each run. So connections are
//! compared by the port of their server and their number, and packets by their sender and what
//! they are. Acknowledgements without data are left out, since they depend on the time.

use std::net::IpAddr;
use std::time::Duration;

use litemap::LiteMap;

use super::story::Story;
use super::story::names::bytes;
use super::story::trace::PacketTrace;
use crate::frame::view::{Tcp, TransportHeader, flag};

/// Says where a run left the course of another one, if it did: "tcp port 7000 #1: after 3
/// packets, `client` sends RST; without the fault, `server` sends 5 bytes".
pub(crate) fn difference(usual: &Story, other: &Story) -> Option<String> {
    let (usual, other) = (conversations(usual), conversations(other));
    let differing = other.iter().filter_map(|(name, packets)| {
        let expected = usual.get(name).map_or(&[][..], Vec::as_slice);
        let same = packets.iter().zip(expected).take_while(|(a, b)| a.what == b.what).count();
        let (here, there) = (packets.get(same), expected.get(same));
        (here.is_some() || there.is_some()).then_some((name, same, here, there))
    });
    // A conversation that has ended early differs at its end.
    let time = |packet: Option<&Sent>| packet.map_or(Duration::MAX, |packet| packet.time);
    let (name, same, here, there) = differing.min_by_key(|(_, _, here, _)| time(*here))?;
    let after = match same {
        0 => "at its start".to_owned(),
        1 => "after its first packet".to_owned(),
        count => format!("after {count} packets"),
    };
    let what = |packet: Option<&Sent>| {
        packet.map_or_else(|| "nothing follows".to_owned(), |packet| packet.what.clone())
    };
    Some(format!("{name}, {after}: {}; without the fault, {}", what(here), what(there)))
}

/// A packet that its first node has sent.
struct Sent {
    /// `client sends SYN`.
    what: String,
    /// Since the start of the test.
    time: Duration,
}

/// The packets of each conversation, in the order of their time.
fn conversations(story: &Story) -> LiteMap<String, Vec<Sent>> {
    let mut names: LiteMap<(IpPort, IpPort), String> = LiteMap::new();
    let mut numbers: LiteMap<String, usize> = LiteMap::new();
    let mut conversations: LiteMap<String, Vec<Sent>> = LiteMap::new();
    for packet in &story.packets {
        let Some(found) = ConversationPacket::of(packet) else { continue };
        let Some(kind) = found.kind else { continue };
        let key = (found.from.min(found.to), found.from.max(found.to));
        let name = names.entry(key).or_insert_with(|| {
            let title = format!("{} port {}", found.protocol, found.to.1);
            let number = numbers.entry(title.clone()).or_default();
            *number += 1;
            format!("{title} #{number}")
        });
        let sender = story.host(found.from.0);
        let time = packet.time().saturating_sub(story.start);
        let what = format!("`{sender}` sends {kind}");
        conversations.entry(name.clone()).or_default().push(Sent { what, time });
    }
    conversations
}

type IpPort = (IpAddr, u16);

/// What a packet of a conversation is.
struct ConversationPacket {
    protocol: &'static str,
    from: IpPort,
    to: IpPort,
    /// `None` for an acknowledgement alone.
    kind: Option<String>,
}

impl ConversationPacket {
    fn of(packet: &PacketTrace) -> Option<Self> {
        let headers = &packet.headers;
        let (source, destination) = (headers.source?, headers.destination?);
        let (sport, dport) = headers.ports()?;
        let (protocol, kind) = match &headers.transport {
            TransportHeader::Tcp(tcp) => ("tcp", segment(tcp)),
            TransportHeader::Udp { len, .. } => ("udp", Some(bytes(*len as u64))),
            _ => return None,
        };
        Some(Self { protocol, from: (source, sport), to: (destination, dport), kind })
    }
}

fn segment(tcp: &Tcp) -> Option<String> {
    let flags = match tcp.flags & (flag::SYN | flag::ACK) {
        both if both == flag::SYN | flag::ACK => Some("SYN-ACK"),
        flag::SYN => Some("SYN"),
        _ if tcp.has(flag::RST) => Some("RST"),
        _ => None,
    };
    let data = (tcp.len > 0).then(|| bytes(tcp.len as u64));
    let end = tcp.has(flag::FIN).then(|| "FIN".to_owned());
    let parts: Vec<String> = flags.map(str::to_owned).into_iter().chain(data).chain(end).collect();
    (!parts.is_empty()).then(|| parts.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::super::story::testing::{Arrives, DroppedBy, Lost, Scene};
    use super::*;

    fn conversation(port: u16) -> Scene {
        let packet = |scene: Scene, forth: bool, what: &str, then| match forth {
            true => scene.packet(&format!("client:{port} > server:7000 {what}"), then),
            false => scene.packet(&format!("server:7000 > client:{port} {what}"), then),
        };
        let scene = packet(Scene::pair(), true, "SYN", Arrives);
        let scene = packet(scene, false, "SYN-ACK", Arrives);
        packet(packet(scene, true, "ACK", Arrives), true, "data 5", Arrives)
    }

    fn of(usual: Scene, other: Scene) -> Option<String> {
        difference(&usual.fails("a"), &other.fails("b"))
    }

    #[test]
    fn runs_that_differ_in_their_ports_only_are_the_same() {
        assert_eq!(of(conversation(40_000), conversation(50_000)), None);
    }

    #[test]
    fn the_first_other_packet_is_named() {
        let usual = conversation(40_000)
            .packet("server:7000 > client:40000 data 2", Arrives)
            .packet("client:40000 > server:7000 FIN", Arrives);
        let reset = conversation(50_000).packet("client:50000 > server:7000 RST", Arrives);
        assert_eq!(
            of(usual, reset).unwrap(),
            "tcp port 7000 #1, after 3 packets: `client` sends RST; without the fault, `server` sends 2 bytes"
        );
    }

    #[test]
    fn a_conversation_that_ends_early_differs_at_its_end() {
        let lost = Scene::pair().packet("client:50000 > server:7000 SYN", DroppedBy(1));
        assert_eq!(
            of(conversation(40_000), lost).unwrap(),
            "tcp port 7000 #1, after its first packet: nothing follows; without the fault, `server` sends SYN-ACK"
        );
        let again = Scene::pair()
            .packet("client:50000 > server:7000 udp 4", Arrives)
            .packet("client:50001 > server:7000 udp 4", Lost);
        let usual = Scene::pair().packet("client:50000 > server:7000 udp 4", Arrives);
        assert_eq!(
            of(usual, again).unwrap(),
            "udp port 7000 #2, at its start: `client` sends 4 bytes; without the fault, nothing follows"
        );
    }
}
