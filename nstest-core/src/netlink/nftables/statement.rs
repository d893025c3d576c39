//! Encodes statements as expressions of the kernel.
//!
//! Each field takes one or more words of the registers. A concatenation is fields in
//! consecutive words.
//!
//! The traps:
//! - Numbers in netlink messages are in network byte order. Registers are compared as bytes, and
//!   connection tracking loads its values (`ct state`, `ct status`) in the machine's byte order
//!   (net/netfilter/nft_ct.c).
//! - For IPv6, a key and its data take up to 60 of the 64 bytes. nft(8) 1.0 and 1.1 abort on
//!   such rules. The kernel accepts them.

use std::net::IpAddr;

use nix::libc;

use super::super::attr::AttributeBuilder;
use super::expression::{Expressions, NatRange, Register};
use super::ruleset::{CtMatch, DataType, Field, FieldValue, L4Proto, NftRule, Statement};
use crate::addr::{Family, Prefix};

/// The name of anonymous sets. The kernel replaces `%d` by a number.
pub(super) const ANONYMOUS: &str = "__set%d";

/// The expressions of a rule. `id` returns the number of a set that the transaction adds.
pub(super) fn expressions(rule: &NftRule, id: &dyn Fn(&str) -> Option<u32>) -> AttributeBuilder {
    let mut expressions = Expressions { list: AttributeBuilder::default(), id };
    for statement in &rule.0 {
        expressions.statement(statement);
    }
    expressions.list
}

impl Register {
    /// The first word after `fields`.
    fn after(self, fields: &[Field]) -> Self {
        Self(self.0 + fields.iter().map(|field| words(field.of())).sum::<u8>())
    }
}

impl Expressions<'_> {
    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::InInterface(name) => {
                self.meta(libc::NFT_META_IIFNAME, Register::FIRST);
                self.equals(&padded(name));
            }
            Statement::OutInterface(name) => {
                self.meta(libc::NFT_META_OIFNAME, Register::FIRST);
                self.equals(&padded(name));
            }
            Statement::HasPorts => {
                self.load(&[Field::Proto], Register::FIRST);
                self.lookup(ANONYMOUS, None, true);
            }
            Statement::Is(transport) => {
                self.load(&[Field::Proto], Register::FIRST);
                self.equals(&[number(*transport)]);
            }
            Statement::Equals(field, value) => {
                self.load(&[*field], Register::FIRST);
                match value {
                    FieldValue::Addr(addr) => self.equals(&octets(*addr)),
                    FieldValue::Port(port) => self.equals(&port.to_be_bytes()),
                }
            }
            Statement::In(field, prefix) => self.within(*field, *prefix),
            Statement::PortBetween(field, first, last) => {
                self.load(&[*field], Register::FIRST);
                self.compare(libc::NFT_CMP_GTE, &first.to_be_bytes());
                self.compare(libc::NFT_CMP_LTE, &last.to_be_bytes());
            }
            Statement::Ct(what) => self.conntrack(*what),
            Statement::Lookup { key, set, found } => {
                self.load(key, Register::FIRST);
                self.lookup(set, None, *found);
            }
            Statement::Update { set, key, timeout, data } => {
                let after = self.load(key, Register::FIRST);
                // nft aligns the data to four words. After the longest keys of IPv6 there is no
                // space for that.
                let whole = Register(after.0.next_multiple_of(4));
                let fits = whole.after(data).0 <= Register::WORDS;
                let start = if fits { whole } else { after };
                self.load(data, start);
                let data = (!data.is_empty()).then_some(start);
                self.dynset(set, *timeout, data);
            }
            Statement::SnatTo { addr, ports, random } => {
                self.translate(libc::NFT_NAT_SNAT, *addr, *ports, *random);
            }
            Statement::DnatTo { addr, port } => {
                self.translate(libc::NFT_NAT_DNAT, *addr, Some((*port, *port)), false);
            }
            Statement::SnatMap { family, key, map } => {
                self.translate_by(libc::NFT_NAT_SNAT, *family, key, map);
            }
            Statement::DnatMap { family, key, map } => {
                self.translate_by(libc::NFT_NAT_DNAT, *family, key, map);
            }
            Statement::Masquerade => self.masquerade(),
            Statement::DupTo { addr, device } => {
                let via = Register::whole(1);
                self.immediate(Register::FIRST, &octets(*addr));
                self.immediate(via, &device.to_ne_bytes());
                self.duplicate(via);
            }
            Statement::SnatPrefix(prefix) => self.translate_prefix(libc::NFT_NAT_SNAT, *prefix),
            Statement::DnatPrefix(prefix) => self.translate_prefix(libc::NFT_NAT_DNAT, *prefix),
            Statement::Jump(chain) => self.verdict(libc::NFT_JUMP, Some(chain)),
            Statement::Accept => self.verdict(libc::NF_ACCEPT, None),
            Statement::Drop => self.verdict(libc::NF_DROP, None),
        }
    }

    /// Loads fields into consecutive words. Returns the register after them.
    fn load(&mut self, fields: &[Field], mut to: Register) -> Register {
        use libc::{
            NFT_PAYLOAD_NETWORK_HEADER as NETWORK, NFT_PAYLOAD_TRANSPORT_HEADER as TRANSPORT,
        };
        for field in fields {
            match field {
                Field::Proto => self.meta(libc::NFT_META_L4PROTO, to),
                Field::SourceAddr(family) | Field::DestAddr(family) => {
                    self.payload(NETWORK, offset(*field), width(*family), to);
                }
                Field::SourcePort => self.payload(TRANSPORT, 0, 2, to),
                Field::DestPort => self.payload(TRANSPORT, 2, 2, to),
                Field::OriginalSourceAddr(Family::V4) => self.original(libc::NFT_CT_SRC_IP, to),
                Field::OriginalSourceAddr(Family::V6) => self.original(libc::NFT_CT_SRC_IP6, to),
                Field::OriginalDestAddr(Family::V4) => self.original(libc::NFT_CT_DST_IP, to),
                Field::OriginalDestAddr(Family::V6) => self.original(libc::NFT_CT_DST_IP6, to),
                Field::OriginalSourcePort => self.original(libc::NFT_CT_PROTO_SRC, to),
            }
            to = to.after(&[*field]);
        }
        to
    }

    fn within(&mut self, field: Field, prefix: Prefix) {
        let octets = octets(prefix.ip);
        let whole = usize::from(prefix.length / 8);
        match field {
            Field::SourceAddr(_) | Field::DestAddr(_) if prefix.length % 8 == 0 => {
                if whole > 0 {
                    let base = libc::NFT_PAYLOAD_NETWORK_HEADER;
                    self.payload(base, offset(field), whole as u32, Register::FIRST);
                    self.equals(&octets[..whole]);
                }
            }
            _ => {
                let mask = mask(octets.len(), prefix.length);
                let network: Vec<u8> = octets.iter().zip(&mask).map(|(o, m)| o & m).collect();
                self.load(&[field], Register::FIRST);
                self.masked(&mask);
                self.equals(&network);
            }
        }
    }

    fn conntrack(&mut self, what: CtMatch) {
        // From include/uapi/linux/netfilter/nf_conntrack_common.h. A state is the bit with its
        // number in ip_conntrack_info. A status is a bit itself.
        const INVALID: u32 = 1;
        const ESTABLISHED_OR_RELATED: u32 = 1 << 1 | 1 << 2;
        const NEW: u32 = 1 << 3;
        const IPS_SRC_NAT: u32 = 1 << 4;
        const IPS_DST_NAT: u32 = 1 << 5;
        const IP_CT_DIR_ORIGINAL: u8 = 0;
        let (key, bits) = match what {
            CtMatch::Original => {
                self.ct(libc::NFT_CT_DIRECTION);
                return self.equals(&[IP_CT_DIR_ORIGINAL]);
            }
            CtMatch::EstablishedOrRelated => (libc::NFT_CT_STATE, ESTABLISHED_OR_RELATED),
            CtMatch::New => (libc::NFT_CT_STATE, NEW),
            CtMatch::NewOrInvalid => (libc::NFT_CT_STATE, NEW | INVALID),
            CtMatch::SourceTranslated => (libc::NFT_CT_STATUS, IPS_SRC_NAT),
            CtMatch::DestTranslated => (libc::NFT_CT_STATUS, IPS_DST_NAT),
        };
        self.ct(key);
        self.masked(&bits.to_ne_bytes());
        self.compare(libc::NFT_CMP_NEQ, &[0; 4]);
    }

    fn translate(
        &mut self,
        kind: libc::c_int,
        addr: IpAddr,
        ports: Option<(u16, u16)>,
        random: bool,
    ) {
        let mut range = NatRange::default();
        self.immediate(Register::FIRST, &octets(addr));
        if let Some((first, last)) = ports {
            range.flags |= NF_NAT_RANGE_PROTO_SPECIFIED;
            let register = Register::whole(1);
            self.immediate(register, &first.to_be_bytes());
            range.port = Some(register);
            if first != last {
                let register = Register::whole(2);
                self.immediate(register, &last.to_be_bytes());
                range.last_port = Some(register);
            }
        }
        if random {
            range.flags |= NF_NAT_RANGE_PROTO_RANDOM_FULLY;
        }
        self.nat(kind, Family::of(addr), range);
    }

    /// Translates to the address and port in a map.
    fn translate_by(&mut self, kind: libc::c_int, family: Family, key: &[Field], map: &str) {
        self.load(key, Register::FIRST);
        self.lookup(map, Some(Register::FIRST), true);
        let port = Register::FIRST.after(&[Field::SourceAddr(family)]);
        self.nat(kind, family, NatRange { port: Some(port), ..NatRange::default() });
    }

    /// Translates to the same host number in another prefix, from its first to its last address.
    fn translate_prefix(&mut self, kind: libc::c_int, prefix: Prefix) {
        let first = octets(prefix.ip);
        let mask = mask(first.len(), prefix.length);
        let last: Vec<u8> = first.iter().zip(&mask).map(|(octet, mask)| octet | !mask).collect();
        let end = Register::whole(1);
        self.immediate(Register::FIRST, &first);
        self.immediate(end, &last);
        let range =
            NatRange { last_addr: Some(end), flags: NF_NAT_RANGE_NETMAP, ..NatRange::default() };
        self.nat(kind, Family::of(prefix.ip), range);
    }
}

/// The number of the protocol in an IP header.
pub(super) fn number(transport: L4Proto) -> u8 {
    let number = match transport {
        L4Proto::Tcp => libc::IPPROTO_TCP,
        L4Proto::Udp => libc::IPPROTO_UDP,
    };
    number as u8
}

/// The length of a value in registers, in words.
pub(super) fn words(of: DataType) -> u8 {
    match of {
        DataType::Addr(Family::V6) => 4,
        DataType::Addr(Family::V4) | DataType::Proto | DataType::Port => 1,
    }
}

/// The offset of an address in the IP header (RFC 791, section 3.1; RFC 8200, section 3).
fn offset(field: Field) -> u32 {
    match field {
        Field::SourceAddr(Family::V4) => 12,
        Field::DestAddr(Family::V4) => 16,
        Field::SourceAddr(Family::V6) => 8,
        Field::DestAddr(Family::V6) => 24,
        _ => unreachable!("{field} is no address in a header"),
    }
}

fn width(family: Family) -> u32 {
    u32::from(family.bits()) / 8
}

fn octets(addr: IpAddr) -> Vec<u8> {
    match addr {
        IpAddr::V4(addr) => addr.octets().to_vec(),
        IpAddr::V6(addr) => addr.octets().to_vec(),
    }
}

/// The name of an interface, padded with zeros, as the kernel compares it.
fn padded(name: &str) -> [u8; libc::IFNAMSIZ] {
    let mut padded = [0; libc::IFNAMSIZ];
    for (to, from) in padded.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    padded
}

fn mask(octets: usize, length: u8) -> Vec<u8> {
    (0..octets)
        .map(|i| {
            let ones = usize::from(length).saturating_sub(8 * i).min(8);
            !(0xff_u16 >> ones) as u8
        })
        .collect()
}

const NF_NAT_RANGE_PROTO_SPECIFIED: u32 = 1 << 1;
const NF_NAT_RANGE_PROTO_RANDOM_FULLY: u32 = 1 << 4;
const NF_NAT_RANGE_NETMAP: u32 = 1 << 6;
