//! What each section of a card says.

use std::net::{IpAddr, SocketAddr};

use super::layout::{Section, WIDTH, command, cut_start, fitted};
use super::packets;
use crate::evidence::packets::LOOPBACK;
use crate::evidence::story::trace::PacketTrace;
use crate::evidence::story::{KnownFault, KnownInterface, OpenSocket, Story, WaitingThread};

/// All of them, in their order.
pub(super) fn sections(story: &Story, hints: &[String], notes: &[String]) -> Vec<Section> {
    let outcome = if story.passed { "passed" } else { "failed" };
    let mut sections = vec![Section::text(outcome, 3, &verdict(story))];
    sections.extend(hints.iter().map(|hint| Section::text("hint", 4, hint)));
    sections.push(Section::of("network", 2, network(story)));
    sections.push(Section::of("sockets", 3, sockets(story)));
    sections.push(Section::of("waits", 1, threads(story)));
    let (packets, earlier) = packets::packets(story);
    let mut packets = Section::of("packets", 4, packets).newest(earlier);
    packets.lines.extend(packets::silence(story));
    sections.push(packets);
    sections.push(Section::of("faults", 1, faults(story)).wrapped());
    sections.push(Section::of("step", 1, step(story)));
    let notes = story.notes.iter().chain(notes).cloned().collect();
    sections.push(Section::of("note", 1, notes).wrapped());
    sections.push(Section::of("seed", 1, seed(story)));
    sections.push(Section::of("rerun", 2, command(&story.rerun)));
    let folder = story.folder.iter().map(|folder| cut_start(folder, WIDTH));
    sections.push(Section::of("files", 1, folder.collect()));
    sections
}

/// The first line of it, after the name of the test.
fn verdict(story: &Story) -> String {
    let text = story.verdict.trim();
    let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("failed");
    // `assertion failed` has its values on the next lines, as has what was expected.
    let values = text.lines().skip(1).map(str::trim);
    let values = values.filter(|line| {
        ["left:", "right:", "#[should_panic]"].iter().any(|start| line.starts_with(start))
    });
    let values: Vec<&str> = values.collect();
    let values = if values.is_empty() { String::new() } else { format!(" {}", values.join(" ")) };
    // The processes are in the message above the card, and the threads below.
    let first = first.split("; processes alive").next().unwrap_or(first);
    let first = first.strip_prefix("nstest[timeout]: ").unwrap_or(first);
    let panic = "the test panicked";
    let place = story.own_panic().filter(|_| first.starts_with(panic)).map(|own| own.place);
    let first = match (place.as_deref().map(file_and_line), first.strip_prefix(panic)) {
        (Some(place), Some(rest)) if !place.is_empty() => format!("{panic} at {place}{rest}"),
        _ => first.to_owned(),
    };
    format!("{}: {first}{values}", story.test)
}

/// A line for each network, with what is wrong there.
fn network(story: &Story) -> Vec<String> {
    let mut lines = Vec::new();
    for network in story.networks.values() {
        let ends = network.link_ends.iter().filter_map(|end| {
            let known = story.interface(*end).filter(|known| !known.removed)?;
            Some(end_text(story, *end, known))
        });
        let ends: Vec<String> = ends.collect();
        if ends.is_empty() {
            continue;
        }
        let (shown, hidden) = ends.split_at(ends.len().min(6));
        let mut line = match network.title.as_str() {
            "" => String::new(),
            title => format!("{title}: "),
        };
        for (nth, end) in shown.iter().enumerate() {
            let between = if nth == 0 { "" } else { " — " };
            if line.chars().count() + between.chars().count() + end.chars().count() > WIDTH {
                lines.push(std::mem::take(&mut line));
            }
            line.push_str(if line.is_empty() { between.trim_start() } else { between });
            line.push_str(end);
        }
        if !hidden.is_empty() {
            line.push_str(&format!(" (+{} more)", hidden.len()));
        }
        lines.push(line);
    }
    lines
}

/// `client 10.0.2.1/24`.
fn end_text(story: &Story, end: u32, known: &KnownInterface) -> String {
    let several = story
        .node_of(end)
        .and_then(|node| story.nodes.get(&node))
        .is_some_and(|node| node.interfaces.values().filter(|known| !known.removed).count() > 1);
    let node = story.end_name(end);
    let name = if several { format!("{node}.{}", known.name) } else { node.clone() };
    let is_shown = |ip: &IpAddr| match ip {
        IpAddr::V6(ip) => !ip.is_unicast_link_local(),
        IpAddr::V4(_) => true,
    };
    // One address is enough to know the subnet, and IPv4 is shorter.
    let mut addresses: Vec<_> = known.addresses.iter().filter(|(ip, _)| is_shown(ip)).collect();
    addresses.sort_by_key(|(ip, _)| ip.is_ipv6());
    let address = addresses.first().map(|(ip, length)| format!(" {ip}/{length}"));
    // Faults are not in force on `lo`.
    let faults = story.faults.iter().filter(|_| end != LOOPBACK);
    let mut states: Vec<String> =
        faults.filter_map(|fault| fault.state_of(&node, &known.name)).collect();
    if known.down.is_some() && !states.iter().any(|state| state == "down") {
        states.push("down".to_owned());
    }
    states.dedup();
    let states = match states.is_empty() {
        true => String::new(),
        false => format!(" [{}]", states.join(", ")),
    };
    format!("{name}{}{states}", address.unwrap_or_default())
}

/// The sockets that matter, those that are stuck first.
fn sockets(story: &Story) -> Vec<String> {
    let rank = |socket: &&OpenSocket| {
        let is_stuck = socket.unread > 0
            || socket.unacknowledged > 0
            || socket.retransmissions > 0
            || socket.waiting > 0
            || socket.dropped > 0
            || socket.state.starts_with("syn");
        match socket.state.as_str() {
            _ if is_stuck => 0,
            state if state.starts_with("listen") => 1,
            "established" => 2,
            _ if socket.protocol.starts_with("udp") => 3,
            "close-wait" | "fin-wait-1" | "last-ack" => 4,
            _ => 5,
        }
    };
    let mut sockets: Vec<&OpenSocket> =
        story.sockets.iter().filter(|socket| rank(socket) < 5).collect();
    sockets.sort_by_key(rank);
    sockets.into_iter().map(|socket| socket_text(story, socket)).collect()
}

fn socket_text(story: &Story, socket: &OpenSocket) -> String {
    let is_connected = socket.remote.is_some_and(|remote| remote.port() > 0);
    let local = socket.local.map(|local| match is_connected {
        true => story.endpoint(local.ip(), local.port()),
        false => local.to_string(),
    });
    let remote = socket
        .remote
        .filter(|_| is_connected)
        .map(|remote| format!(" > {}", story.endpoint(remote.ip(), remote.port())));
    let mut text = format!(
        "{}: {} {} {}{}",
        story.node_name(socket.node),
        socket.protocol,
        socket.state,
        local.unwrap_or_default(),
        remote.unwrap_or_default()
    );
    let retransmits = if socket.retransmissions == 1 { "retransmit" } else { "retransmits" };
    let counts = [
        (socket.unread, "unread"),
        (socket.unacknowledged, "unacked"),
        (socket.retransmissions.into(), retransmits),
        (socket.waiting.into(), "to accept"),
        (socket.dropped, "dropped"),
    ];
    for (count, what) in counts.iter().filter(|(count, _)| *count > 0) {
        match socket.protocol.as_str() {
            // The kernel tells the memory that the datagrams take.
            "udp" if *what == "unread" => text.push_str(", unread data"),
            "udp" if *what == "unacked" => text.push_str(", unsent data"),
            _ => text.push_str(&format!(", {count} {what}")),
        }
    }
    let node = format!("{}: ", story.node_name(socket.node));
    let text = fitted(text, &[(" established", ""), (if is_connected { &node } else { "" }, "")]);
    // Most sockets are those of the test's own process, so it is left out first.
    let process = socket.process.as_ref().map(|process| format!(" ({process})"));
    let fits = |process: &String| text.chars().count() + process.chars().count() <= WIDTH;
    let process = process.filter(fits).unwrap_or_default();
    text + &process
}

/// `client: connect tcp client:40000 -> server:7000 (syn-sent), thread main[7]`. The threads
/// of nodes often have the same name.
fn threads(story: &Story) -> Vec<String> {
    let text = |thread: &WaitingThread| {
        let node = thread.node.map(|node| format!("{}: ", story.node_name(node)));
        let on = thread.waits_for.as_ref().map(|what| format!(" {}", named(story, what)));
        let by = format!(", thread {}", thread.thread);
        let (node, on) = (node.unwrap_or_default(), on.unwrap_or_default());
        let text = format!("{node}{}{on}{by}", thread.waits_in);
        fitted(text, &[(" (established)", ""), (&by, "")])
    };
    story.threads.iter().map(text).collect()
}

/// A text with the names of nodes in place of their addresses.
fn named(story: &Story, text: &str) -> String {
    let word = |word: &str| match word.parse::<SocketAddr>() {
        Ok(address) if story.owner(address.ip()).is_some() => {
            story.endpoint(address.ip(), address.port())
        }
        _ => word.to_owned(),
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// When each was in force.
fn faults(story: &Story) -> Vec<String> {
    story.faults.iter().map(|fault| fault_text(story, fault)).collect()
}

fn fault_text(story: &Story, fault: &KnownFault) -> String {
    let mut intervals: Vec<String> = fault
        .in_force
        .iter()
        .map(|(start, end)| match end {
            Some(end) => format!("{} to {}", story.clock(*start), story.clock(*end)),
            None => format!("{} to the end", story.clock(*start)),
        })
        .collect();
    if intervals.len() > 2 {
        let more = intervals.len() - 1;
        intervals.drain(1..);
        intervals.push(format!("{more} more times"));
    }
    let when = if intervals.is_empty() { "not in force".to_owned() } else { intervals.join(", ") };
    let dropped = |control: bool| {
        let packets = story.packets.iter().filter(|trace| trace.headers.is_control() == control);
        packets.flat_map(PacketTrace::drops).filter(|by| *by == fault.number).count()
    };
    let dropped = match (dropped(false), dropped(true)) {
        (0, 0) => String::new(),
        (0, control) => format!(", dropped {control} (ARP or ND)"),
        (count, 0) => format!(", dropped {count}"),
        (count, control) => format!(", dropped {count} and {control} of ARP or ND"),
    };
    let unmatched = fault.unmatched.as_ref().map(|_| ", affected no packet").unwrap_or_default();
    let (number, text, place) = (fault.number, &fault.text, file_and_line(&fault.place));
    format!("{number} `{text}`  {when}{dropped}{unmatched} ({place})")
}

/// A place without directories and the column.
fn file_and_line(place: &str) -> String {
    let place = place.rsplit('/').next().unwrap_or_default();
    place.splitn(3, ':').take(2).collect::<Vec<_>>().join(":")
}

fn step(story: &Story) -> Vec<String> {
    let last = story.steps.iter().rev().find(|(time, _)| *time <= story.failed_at);
    last.map(|(time, text)| format!("{text} (since {})", story.clock(*time))).into_iter().collect()
}

fn seed(story: &Story) -> Vec<String> {
    if story.seed.is_empty() {
        return Vec::new();
    }
    let plan = story.plan.as_ref().map(|plan| format!("; plan `{plan}`"));
    vec![format!("{}{}", story.seed, plan.unwrap_or_default())]
}
