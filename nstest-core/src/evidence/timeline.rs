//! The events of a test: what its network was, what was done to it, and what happened.
//!
//! They are the one truth that cards, captures and reports are made of, and are written to
//! `events.jsonl`, an object a line. [`VERSION`] changes when a reader of an older version
//! would misread a line; kinds and fields may be added without.

use std::time::{Duration, SystemTime};

use super::fields::EventField;

/// The version of the format, in the first event of each file.
pub(crate) const VERSION: u32 = 1;

/// What a thread waits in that is stopped, by SIGSTOP or a debugger.
pub(crate) const STOPPED: &str = "nothing: it is stopped";

/// An event, and when it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Since the Unix epoch.
    pub(crate) time: Duration,
    pub(crate) event: TimelineEvent,
}

/// Defines the kinds of events, with their names and fields, and their two encodings.
macro_rules! events {
    ($($(#[$doc:meta])* $tag:literal $name:literal $kind:ident {
        $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
    })*) => {
        /// What happened.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) enum TimelineEvent {
            $($(#[$doc])* $kind { $($(#[$field_doc])* $field: $type,)* },)*
        }

        /// The kinds with the names and types of their fields.
        #[cfg(test)]
        const KINDS: &[(&str, &[(&str, &str)])] =
            &[$(($name, &[$((stringify!($field), stringify!($type)),)*]),)*];

        impl TimelineEvent {
            fn encode(&self, out: &mut Vec<u8>) {
                match self {
                    $(TimelineEvent::$kind { $($field),* } => {
                        u8::encode(&$tag, out);
                        $(EventField::encode($field, out);)*
                    })*
                }
            }

            fn decode(bytes: &mut &[u8]) -> Option<Self> {
                match u8::decode(bytes)? {
                    $($tag => Some(TimelineEvent::$kind { $($field: EventField::decode(bytes)?),* }),)*
                    _ => None,
                }
            }

            fn write_json(&self, out: &mut String) {
                match self {
                    $(TimelineEvent::$kind { $($field),* } => {
                        out.push_str(concat!("\"event\":\"", $name, "\""));
                        $(
                            out.push_str(concat!(",\"", stringify!($field), "\":"));
                            EventField::write_json($field, out);
                        )*
                    })*
                }
            }
        }
    };
}

events! {
    /// The test was started. The first event.
    1 "started" Started {
        version: u32,
        /// Nanoseconds since the Unix epoch, as a text, since they exceed 2^53.
        unix_time: String,
        test: String,
        binary: String,
        /// The commit of the sources, if they are in a repository.
        commit: Option<String>,
        seed: String,
        plan: Option<String>,
        /// A command that runs this test again in the same way.
        rerun: String,
    }
    /// A node was added.
    2 "node-added" NodeAdded {
        node: u32,
        name: String,
        /// The inode of its network namespace, as in the links of /proc/PID/ns.
        netns: Option<u64>,
    }
    /// A node was removed.
    3 "node-removed" NodeRemoved { node: u32, }
    /// A node got an interface.
    4 "interface-added" InterfaceAdded {
        node: u32,
        name: String,
        /// The number of its link end. Packets and faults refer to it.
        link_end: u32,
        mac: String,
    }
    /// An interface was removed.
    5 "interface-removed" InterfaceRemoved { link_end: u32, }
    /// An interface got an address, with its prefix length.
    6 "address-added" AddressAdded { node: u32, interface: String, address: String, }
    /// An interface lost an address.
    7 "address-removed" AddressRemoved { node: u32, interface: String, address: String, }
    /// A node got a route: `default via 10.0.2.254 dev eth0`. Routes to its own subnets follow
    /// from its addresses.
    40 "route-added" RouteAdded { node: u32, route: String, }
    /// A node lost a route.
    41 "route-removed" RouteRemoved { node: u32, route: String, }
    /// A router got its rules, which replace those that it had.
    42 "router-rules" RouterRules {
        node: u32,
        /// The name of its interface on the WAN.
        wan: String,
        /// `NAT (mapping …)`, `firewall block-inbound`, `forward tcp 80 to 10.0.3.1:80`.
        rules: Vec<String>,
    }
    /// These link ends are joined, and no others are on this network.
    8 "network" Network { network: u32, title: String, link_ends: Vec<u32>, }
    /// A network was removed.
    9 "network-removed" NetworkRemoved { network: u32, }
    /// A link end went up or down.
    10 "link" Link { link_end: u32, up: bool, }
    /// The test, or its plan, injected a fault.
    11 "fault-injected" FaultInjected {
        fault: u32,
        /// In the grammar of plans.
        text: String,
        /// The file and line, or the variable, that it comes from.
        place: String,
    }
    /// A fault came into force or was suspended.
    12 "fault-switched" FaultSwitched { fault: u32, on: bool, }
    /// A fault has ended for good.
    13 "fault-ended" FaultEnded { fault: u32, }
    /// When the test ended, a fault had affected no packet.
    43 "fault-unmatched" FaultUnmatched {
        fault: u32,
        /// Why, if that is known: `12 tcp passed, none matched`.
        why: Option<String>,
    }
    /// The test function has reached a step (`nstest::step`).
    14 "step" Step {
        text: String,
        /// The node that the thread was in.
        node: Option<u32>,
        thread: String,
    }
    /// A packet was recorded at a link end.
    15 "packet" Packet {
        /// Its number in the capture, from 1.
        packet: u64,
        link_end: u32,
        /// Whether the node received it; otherwise the node sent it.
        received: bool,
        /// Bytes of the frame, of which the capture may have fewer.
        length: u64,
        /// Such as `TCP`, `UDP`, `ICMP`, `ARP`.
        protocol: String,
        /// Addresses, with ports where the protocol has them; `None` if the frame has none.
        source: Option<String>,
        destination: Option<String>,
        /// The packet, decoded.
        summary: String,
        /// The number under which the packet was recorded where it was sent.
        sent_as: Option<u64>,
        /// What faults have done to it.
        fates: Vec<Fate>,
    }
    /// The test has printed a line.
    16 "output" Output { line: String, }
    /// A socket that was open when the test failed.
    17 "socket" Socket {
        node: u32,
        /// `tcp`, `udp`.
        protocol: String,
        /// As ss(8) names it: `listening`, `established`, `syn-sent`.
        state: String,
        local: String,
        /// `*` if it is not connected.
        remote: String,
        /// Bytes that the program has not read. For UDP, the memory that the kernel uses for them.
        unread: u64,
        /// Bytes that the other side has not acknowledged. For UDP, the memory that the kernel
        /// uses for datagrams that it has not sent yet.
        unacknowledged: u64,
        /// Those of them that were never sent, since the other side has no room or the
        /// network is congested.
        unsent: u64,
        /// Retransmissions of the oldest segment that was not acknowledged.
        retransmissions: u32,
        /// All retransmissions of the connection.
        total_retransmissions: u32,
        /// For a listening socket, how many connections wait to be accepted.
        waiting: u32,
        /// Name and number of a process that has it open, if it is alive: `server[7]`.
        process: Option<String>,
        /// Packets that arrived for it and that the kernel dropped, for instance since its
        /// receive buffer or its queue of connections was full.
        dropped: u64,
    }
    /// What a thread of the test waited for when the test failed.
    20 "thread" Thread {
        /// `name[number]`.
        thread: String,
        node: Option<u32>,
        /// The system call, such as `connect`, or where the kernel waits (wchan).
        waits_in: String,
        /// The file or socket that it waits for.
        waits_for: Option<String>,
    }
    /// What the sockets, and at a timeout the threads, did at this time follows. There is one at
    /// most.
    22 "snapshot" Snapshot {
        /// Of so many nodes the sockets were read.
        nodes: u32,
    }
    /// The thread of the test that waited longest for a processor, although it could run.
    21 "waited-for-processor" WaitedForProcessor {
        /// Nanoseconds that it waited.
        waited: u64,
        /// Nanoseconds since the start of its process.
        of: u64,
    }
    /// The wire has sent a packet later than it was to be delayed, or 10 ms late. The last one
    /// is the latest.
    23 "wire-late" WireLate {
        /// The link end at which the wire is.
        link_end: u32,
        /// Nanoseconds after the time at which it was to be sent.
        late: u64,
        /// Nanoseconds by which it was to be delayed.
        delay: u64,
    }
    /// A thread of the test panicked, which the test may have caught.
    24 "panicked" Panicked {
        /// Its name, `<unnamed>` if it has none.
        thread: String,
        /// The file, line and column.
        place: String,
        /// Empty if it is not a text.
        message: String,
    }
    /// The test has ended.
    18 "ended" Ended { passed: bool, verdict: String, }
    /// Something is not as complete as it should be.
    19 "note" Note { text: String, }
    /// A line of a log (`tracing`), or the begin or end of a span.
    31 "log" Log {
        /// `ERROR`, `WARN`, `INFO`, `DEBUG`, `TRACE`.
        level: String,
        /// The module that logged it.
        target: String,
        text: String,
        /// The node that the thread was in.
        node: Option<u32>,
        thread: String,
    }
    /// An exploration ran the test with this fault at this point.
    30 "exploration-point" ExplorationPoint {
        /// The packet at which the fault was injected, by its number in this record, the one
        /// of the run without faults.
        packet: Option<u64>,
        point: String,
        fault: String,
        /// `passed`, `failed` or `not-reached`.
        outcome: String,
    }
}

/// What a fault has done to a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fate {
    /// `dropped`, `delayed`, `reordered`, `duplicated`, `changed`, `made` or `answered`.
    pub(crate) effect: String,
    /// The number of the fault, where one fault did it.
    pub(crate) fault: Option<u32>,
    /// Nanoseconds by which it was delayed.
    pub(crate) delay: Option<u64>,
}

impl EventField for Fate {
    fn encode(&self, out: &mut Vec<u8>) {
        let Self { effect, fault, delay } = self;
        effect.encode(out);
        fault.encode(out);
        delay.encode(out);
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let (effect, fault) = (EventField::decode(bytes)?, EventField::decode(bytes)?);
        Some(Self { effect, fault, delay: EventField::decode(bytes)? })
    }

    fn write_json(&self, out: &mut String) {
        let Self { effect, fault, delay } = self;
        out.push_str("{\"effect\":");
        effect.write_json(out);
        for (name, value) in [("fault", fault.map(u64::from)), ("delay", *delay)] {
            out.push_str(&format!(",\"{name}\":"));
            value.write_json(out);
        }
        out.push('}');
    }
}

/// A time by the clock that packets have, since the Unix epoch.
pub(crate) fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO)
}

/// At most so many bytes of a text.
pub(crate) fn start_of(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// A time as events have it.
pub(crate) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Entry {
    /// Appends the entry, with its length before it.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        0_u32.encode(out);
        self.time.as_secs().encode(out);
        self.time.subsec_nanos().encode(out);
        self.event.encode(out);
        let length = u32::try_from(out.len() - start - size_of::<u32>()).unwrap_or(u32::MAX);
        out[start..start + size_of::<u32>()].copy_from_slice(&length.to_le_bytes());
    }

    /// Takes the first entry off `bytes`: `None` at the end, and where a process was killed
    /// while it wrote.
    pub(crate) fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let length = usize::try_from(u32::decode(bytes)?).ok()?;
        let (mut entry, rest) = bytes.split_at_checked(length)?;
        *bytes = rest;
        let time = Duration::new(u64::decode(&mut entry)?, u32::decode(&mut entry)?);
        let event = TimelineEvent::decode(&mut entry)?;
        entry.is_empty().then_some(Self { time, event })
    }

    /// One line of `events.jsonl`. Its time is in seconds since the start of the test.
    pub(crate) fn write_json(&self, start: Duration, out: &mut String) {
        let (sign, time) = match self.time.checked_sub(start) {
            Some(time) => ("", time),
            None => ("-", start - self.time), // the clock was set
        };
        let (seconds, nanoseconds) = (time.as_secs(), time.subsec_nanos());
        out.push_str(&format!("{{\"time\":{sign}{seconds}.{nanoseconds:09},"));
        self.event.write_json(out);
        out.push_str("}\n");
    }
}

#[cfg(test)]
mod tests;
