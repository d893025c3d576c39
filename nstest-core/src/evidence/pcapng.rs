//! Writes captures that Wireshark and tshark read.
//!
//! The format is that of draft-ietf-opsawg-pcapng: blocks, each with its length at both ends
//! and padded to four bytes. There is one section in a file. No maintained crate writes all
//! of these kinds of blocks.

use std::io::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

use super::timeline::nanoseconds;

/// A capture that is being written.
#[derive(Debug)]
pub(crate) struct Pcapng<W> {
    out: W,
    interfaces: u32,
}

/// An interface of a capture: what [`Pcapng::interface`] has returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InterfaceId(u32);

/// A packet of a capture.
#[derive(Debug, Clone)]
pub(crate) struct CapturedPacket<'a> {
    pub(crate) interface: InterfaceId,
    /// Since the Unix epoch.
    pub(crate) time: Duration,
    /// Whether the interface received it; otherwise it sent it.
    pub(crate) inbound: bool,
    /// The length of the frame before it was cut off.
    pub(crate) length: usize,
    pub(crate) frame: &'a [u8],
    pub(crate) comments: &'a [String],
}

/// The types of blocks.
mod block {
    pub(super) const SECTION: u32 = 0x0a0d_0d0a;
    pub(super) const INTERFACE: u32 = 1;
    pub(super) const NAMES: u32 = 4;
    pub(super) const PACKET: u32 = 6;
    pub(super) const JOURNAL: u32 = 9;
    pub(super) const SECRETS: u32 = 10;
}

/// The codes of options.
mod option {
    pub(super) const END: u16 = 0;
    pub(super) const COMMENT: u16 = 1;
    pub(super) const INTERFACE_NAME: u16 = 2;
    pub(super) const PACKET_FLAGS: u16 = 2;
    pub(super) const SECTION_PROGRAM: u16 = 4;
    pub(super) const INTERFACE_RESOLUTION: u16 = 9;
}

const ETHERNET: u16 = 1;

impl<W: Write> Pcapng<W> {
    /// Begins a section. The comments are about the whole of it.
    ///
    /// # Errors
    /// Those of the writer, here as in all methods.
    pub(crate) fn begin(out: W, comments: &[String]) -> io::Result<Self> {
        const BYTE_ORDER: u32 = 0x1a2b_3c4d;
        const UNKNOWN_LENGTH: u64 = u64::MAX;
        let mut body = Body::default();
        body.u32(BYTE_ORDER);
        body.u16(1); // the version, 1.0
        body.u16(0);
        body.0.extend(UNKNOWN_LENGTH.to_le_bytes());
        body.comments(comments);
        body.option(
            option::SECTION_PROGRAM,
            concat!("nstest ", env!("CARGO_PKG_VERSION")).as_bytes(),
        );
        let mut pcapng = Self { out, interfaces: 0 };
        pcapng.block(block::SECTION, body.end_of_options())?;
        Ok(pcapng)
    }

    /// Adds TLS secrets, in the format of `SSLKEYLOGFILE`, which decrypt the packets after them.
    pub(crate) fn secrets(&mut self, secrets: &[u8]) -> io::Result<()> {
        const TLS_KEY_LOG: u32 = 0x544c_534b;
        let mut body = Body::default();
        body.u32(TLS_KEY_LOG);
        body.u32(length(secrets));
        body.padded(secrets);
        self.block(block::SECRETS, body)
    }

    /// Adds an interface.
    pub(crate) fn interface(&mut self, name: &str) -> io::Result<InterfaceId> {
        const NANOSECONDS: u8 = 9;
        let mut body = Body::default();
        body.u16(ETHERNET);
        body.u16(0);
        body.u32(0); // frames have no limit
        body.option(option::INTERFACE_NAME, name.as_bytes());
        body.option(option::INTERFACE_RESOLUTION, &[NANOSECONDS]);
        self.block(block::INTERFACE, body.end_of_options())?;
        self.interfaces += 1;
        Ok(InterfaceId(self.interfaces - 1))
    }

    /// Gives addresses names.
    pub(crate) fn names(&mut self, names: &[(IpAddr, &str)]) -> io::Result<()> {
        let mut body = Body::default();
        for (address, name) in names {
            let (kind, bytes) = match address {
                IpAddr::V4(address) => (1, address.octets().to_vec()),
                IpAddr::V6(address) => (2, address.octets().to_vec()),
            };
            body.option(kind, &[&bytes, name.as_bytes(), &[0]].concat());
        }
        body.u32(0); // the end of the records
        self.block(block::NAMES, body)
    }

    /// Adds a packet.
    pub(crate) fn packet(&mut self, packet: &CapturedPacket<'_>) -> io::Result<()> {
        const INBOUND: u32 = 1;
        const OUTBOUND: u32 = 2;
        let time = nanoseconds(packet.time);
        let mut body = Body::default();
        body.u32(packet.interface.0);
        body.u32((time >> 32) as u32);
        body.u32(time as u32);
        body.u32(length(packet.frame));
        body.u32(u32::try_from(packet.length).unwrap_or(u32::MAX));
        body.padded(packet.frame);
        body.comments(packet.comments);
        let flags = if packet.inbound { INBOUND } else { OUTBOUND };
        body.option(option::PACKET_FLAGS, &flags.to_le_bytes());
        self.block(block::PACKET, body.end_of_options())
    }

    /// Adds a line of a log, as an entry of systemd's journal (Journal Export Format).
    pub(crate) fn log_line(&mut self, time: Duration, source: &str, line: &str) -> io::Result<()> {
        let mut entry = format!("__REALTIME_TIMESTAMP={}\n", time.as_micros()).into_bytes();
        for (field, text) in [("SYSLOG_IDENTIFIER", source), ("MESSAGE", line)] {
            entry.extend(field.as_bytes());
            if text.contains('\n') {
                entry.push(b'\n');
                entry.extend((text.len() as u64).to_le_bytes());
            } else {
                entry.push(b'=');
            }
            entry.extend(text.as_bytes());
            entry.push(b'\n');
        }
        let mut body = Body::default();
        body.padded(&entry);
        self.block(block::JOURNAL, body)
    }

    /// The writer, when everything has been written.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }

    fn block(&mut self, kind: u32, Body(body): Body) -> io::Result<()> {
        const FRAME: usize = 12;
        let total = u32::try_from(body.len() + FRAME).map_err(|_| io::ErrorKind::InvalidInput)?;
        self.out.write_all(&kind.to_le_bytes())?;
        self.out.write_all(&total.to_le_bytes())?;
        self.out.write_all(&body)?;
        self.out.write_all(&total.to_le_bytes())
    }
}

/// The body of a block.
#[derive(Debug, Default)]
struct Body(Vec<u8>);

impl Body {
    fn u16(&mut self, value: u16) {
        self.0.extend(value.to_le_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.0.extend(value.to_le_bytes());
    }

    fn padded(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    /// Adds an option, or a record of the same form. What is too long for one is cut off.
    fn option(&mut self, code: u16, value: &[u8]) {
        let value = &value[..value.len().min(usize::from(u16::MAX))];
        self.u16(code);
        self.u16(value.len() as u16);
        self.padded(value);
    }

    fn comments(&mut self, comments: &[String]) {
        for comment in comments {
            self.option(option::COMMENT, comment.as_bytes());
        }
    }

    fn end_of_options(mut self) -> Self {
        self.u16(option::END);
        self.u16(0);
        self
    }
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
