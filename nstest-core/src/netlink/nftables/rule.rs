//! One rule: a sequence of expressions on registers, as nft would write it.
//!
//! Register 1 holds what is compared; translation takes the address from it and
//! the ports from 2 and 3. The order of attributes is nft's, so that its bytes
//! are our fixtures.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use nix::libc;

use super::super::Prefix;
use super::super::attr::{Attributes, text};
use super::{Family, NFTA_EXPR_DATA, NFTA_EXPR_NAME, NFTA_RULE_EXPRESSIONS, NFTA_RULE_USERDATA};

/// A condition, or several, and what happens to a packet that meets them all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    family: Family,
    expressions: Attributes,
    comment: Option<String>,
}

/// How a connection stands (`ct state`); combine with `|`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State(u32);

impl State {
    pub(crate) const INVALID: Self = Self(1);
    pub(crate) const ESTABLISHED: Self = Self(1 << 1);
    pub(crate) const RELATED: Self = Self(1 << 2);
    pub(crate) const NEW: Self = Self(1 << 3);
}

impl std::ops::BitOr for State {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The ports that translation may give to a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ports {
    /// The one that it has, where that is free (RFC 4787: port preservation).
    Preserve,
    /// One of these.
    Range(RangeInclusive<u16>),
    /// One of these, by a random generator.
    Random(RangeInclusive<u16>),
}

/// How a sender learns that it is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reject {
    /// A reset, for TCP.
    TcpReset,
    /// ICMP destination unreachable, with a code of the table's own family.
    Icmp(u8),
}

impl Rule {
    /// A rule for a table of this family.
    pub(crate) fn new(family: Family) -> Self {
        Self { family, expressions: Attributes::default(), comment: None }
    }

    /// Of packets that came in through this interface.
    pub(crate) fn input(self, name: &str) -> Self {
        self.meta(libc::NFT_META_IIFNAME).equals(&padded(name))
    }

    /// Of packets that leave through this interface.
    pub(crate) fn output(self, name: &str) -> Self {
        self.meta(libc::NFT_META_OIFNAME).equals(&padded(name))
    }

    /// Of packets of this transport (`libc::IPPROTO_TCP`, …).
    pub(crate) fn transport(self, protocol: libc::c_int) -> Self {
        self.meta(libc::NFT_META_L4PROTO).equals(&[protocol as u8])
    }

    /// Of packets from this network.
    pub(crate) fn source(self, network: Prefix) -> Self {
        let offset = if network.ip.is_ipv4() { 12 } else { 8 };
        self.address(offset, network)
    }

    /// Of packets to this network.
    pub(crate) fn destination(self, network: Prefix) -> Self {
        let offset = if network.ip.is_ipv4() { 16 } else { 24 };
        self.address(offset, network)
    }

    /// Of packets from this port; say the transport first.
    pub(crate) fn source_port(self, port: u16) -> Self {
        self.payload(libc::NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2).equals(&port.to_be_bytes())
    }

    /// Of packets to this port; say the transport first.
    pub(crate) fn destination_port(self, port: u16) -> Self {
        self.payload(libc::NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2).equals(&port.to_be_bytes())
    }

    /// Of packets whose connection is in one of these states.
    pub(crate) fn state(self, states: State) -> Self {
        self.expression("ct", |data| {
            data.put_be32(NFTA_CT_KEY, libc::NFT_CT_STATE as u32).put_be32(NFTA_CT_DREG, 1);
        })
        .masked(&states.0.to_ne_bytes())
        .compare(libc::NFT_CMP_NEQ, &[0; 4])
    }

    /// Counts the packets that come this far.
    pub(crate) fn counter(self) -> Self {
        self.expression("counter", |_| {})
    }

    pub(crate) fn accept(self) -> Self {
        self.verdict(libc::NF_ACCEPT)
    }

    pub(crate) fn drop(self) -> Self {
        self.verdict(libc::NF_DROP)
    }

    pub(crate) fn reject(self, how: Reject) -> Self {
        let (kind, code) = match how {
            Reject::Icmp(code) => (libc::NFT_REJECT_ICMP_UNREACH, code),
            Reject::TcpReset => (libc::NFT_REJECT_TCP_RST, 0),
        };
        self.expression("reject", |data| {
            data.put_be32(NFTA_REJECT_TYPE, kind as u32).put_u8(NFTA_REJECT_ICMP_CODE, code);
        })
    }

    /// Gives packets the address of the interface that they leave through.
    pub(crate) fn masquerade(mut self, ports: &Ports) -> Self {
        let (range, flags) = match ports {
            Ports::Preserve => return self.expression("masq", |_| {}),
            Ports::Range(range) => (range, 0),
            Ports::Random(range) => (range, NF_NAT_RANGE_PROTO_RANDOM_FULLY),
        };
        self = self
            .immediate(1, &range.start().to_be_bytes())
            .immediate(2, &range.end().to_be_bytes());
        self.expression("masq", |data| {
            data.put_be32(NFTA_MASQ_FLAGS, NF_NAT_RANGE_PROTO_SPECIFIED | flags)
                .put_be32(NFTA_MASQ_REG_PROTO_MIN, 1)
                .put_be32(NFTA_MASQ_REG_PROTO_MAX, 2);
        })
    }

    /// Gives packets this source address (SNAT).
    pub(crate) fn translate_source(self, ip: IpAddr, ports: &Ports) -> Self {
        self.translate(libc::NFT_NAT_SNAT, ip, ports)
    }

    /// Sends packets to this address instead (DNAT).
    pub(crate) fn translate_destination(self, ip: IpAddr, port: Option<u16>) -> Self {
        let ports = port.map_or(Ports::Preserve, |port| Ports::Range(port..=port));
        self.translate(libc::NFT_NAT_DNAT, ip, &ports)
    }

    /// Sends a copy to this next hop, by the device with this index, past the
    /// question whether the machine forwards.
    pub(crate) fn duplicate(self, hop: IpAddr, device: u32) -> Self {
        let hop = match hop {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        self.immediate(1, &hop).immediate(2, &device.to_ne_bytes()).expression("dup", |data| {
            data.put_be32(NFTA_DUP_SREG_ADDR, 1).put_be32(NFTA_DUP_SREG_DEV, 2);
        })
    }

    /// A name to find the rule by, up to 127 bytes.
    pub(crate) fn comment(mut self, comment: impl Into<String>) -> Self {
        let comment = comment.into();
        debug_assert!(comment.len() < 128);
        self.comment = Some(comment);
        self
    }

    pub(super) fn write(&self, body: &mut Attributes) {
        let expressions = self.expressions.clone().into_bytes();
        body.put(NFTA_RULE_EXPRESSIONS | NESTED, &expressions);
        if let Some(comment) = &self.comment {
            // A format between programs, of which the kernel knows nothing:
            // type, length, text with its NUL (libnftnl's udata.h).
            let mut data = vec![UDATA_COMMENT, comment.len() as u8 + 1];
            data.extend_from_slice(comment.as_bytes());
            data.push(0);
            body.put(NFTA_RULE_USERDATA, &data);
        }
    }

    fn translate(mut self, kind: libc::c_int, ip: IpAddr, ports: &Ports) -> Self {
        let (address, family) = match ip {
            IpAddr::V4(ip) => (ip.octets().to_vec(), libc::NFPROTO_IPV4),
            IpAddr::V6(ip) => (ip.octets().to_vec(), libc::NFPROTO_IPV6),
        };
        self = self.immediate(1, &address);
        // The kernel adds "map the address" by itself, from the register.
        let (range, flags) = match ports {
            Ports::Preserve => (None, 0),
            Ports::Range(range) => (Some(range), NF_NAT_RANGE_PROTO_SPECIFIED),
            Ports::Random(range) => {
                (Some(range), NF_NAT_RANGE_PROTO_SPECIFIED | NF_NAT_RANGE_PROTO_RANDOM_FULLY)
            }
        };
        if let Some(range) = range {
            self = self.immediate(2, &range.start().to_be_bytes());
            if range.start() != range.end() {
                self = self.immediate(3, &range.end().to_be_bytes());
            }
        }
        self.expression("nat", |data| {
            data.put_be32(NFTA_NAT_TYPE, kind as u32)
                .put_be32(NFTA_NAT_FAMILY, family as u32)
                .put_be32(NFTA_NAT_REG_ADDR_MIN, 1);
            if let Some(range) = range {
                data.put_be32(NFTA_NAT_REG_PROTO_MIN, 2);
                if range.start() != range.end() {
                    data.put_be32(NFTA_NAT_REG_PROTO_MAX, 3);
                }
            }
            if flags != 0 {
                data.put_be32(NFTA_NAT_FLAGS, flags);
            }
        })
    }

    fn address(mut self, offset: u32, network: Prefix) -> Self {
        let (octets, family) = match network.ip {
            IpAddr::V4(ip) => (ip.octets().to_vec(), libc::NFPROTO_IPV4),
            IpAddr::V6(ip) => (ip.octets().to_vec(), libc::NFPROTO_IPV6),
        };
        if self.family == Family::Inet {
            // The offset means something in this family's header only.
            self = self.meta(libc::NFT_META_NFPROTO).equals(&[family as u8]);
        }
        let base = libc::NFT_PAYLOAD_NETWORK_HEADER;
        let whole = usize::from(network.length / 8);
        match network.length % 8 {
            0 if whole == 0 => self,
            0 => self.payload(base, offset, whole as u32).equals(&octets[..whole]),
            _ => {
                let mask = mask(octets.len(), network.length);
                let masked: Vec<u8> = octets.iter().zip(&mask).map(|(o, m)| o & m).collect();
                self.payload(base, offset, octets.len() as u32).masked(&mask).equals(&masked)
            }
        }
    }

    fn meta(self, key: libc::c_int) -> Self {
        self.expression("meta", |data| {
            data.put_be32(NFTA_META_KEY, key as u32).put_be32(NFTA_META_DREG, 1);
        })
    }

    fn payload(self, base: libc::c_int, offset: u32, length: u32) -> Self {
        self.expression("payload", |data| {
            data.put_be32(NFTA_PAYLOAD_DREG, 1)
                .put_be32(NFTA_PAYLOAD_BASE, base as u32)
                .put_be32(NFTA_PAYLOAD_OFFSET, offset)
                .put_be32(NFTA_PAYLOAD_LEN, length);
        })
    }

    fn masked(self, mask: &[u8]) -> Self {
        self.expression("bitwise", |data| {
            data.put_be32(NFTA_BITWISE_SREG, 1)
                .put_be32(NFTA_BITWISE_DREG, 1)
                .put_be32(NFTA_BITWISE_LEN, mask.len() as u32)
                .nest(NFTA_BITWISE_MASK, |nest| {
                    nest.put(NFTA_DATA_VALUE, mask);
                })
                .nest(NFTA_BITWISE_XOR, |nest| {
                    nest.put(NFTA_DATA_VALUE, &vec![0; mask.len()]);
                });
        })
    }

    fn equals(self, value: &[u8]) -> Self {
        self.compare(libc::NFT_CMP_EQ, value)
    }

    fn compare(self, operation: libc::c_int, value: &[u8]) -> Self {
        self.expression("cmp", |data| {
            data.put_be32(NFTA_CMP_SREG, 1).put_be32(NFTA_CMP_OP, operation as u32).nest(
                NFTA_CMP_DATA,
                |nest| {
                    nest.put(NFTA_DATA_VALUE, value);
                },
            );
        })
    }

    fn immediate(self, register: u32, value: &[u8]) -> Self {
        self.expression("immediate", |data| {
            data.put_be32(NFTA_IMMEDIATE_DREG, register).nest(NFTA_IMMEDIATE_DATA, |nest| {
                nest.put(NFTA_DATA_VALUE, value);
            });
        })
    }

    fn verdict(self, code: libc::c_int) -> Self {
        self.expression("immediate", |data| {
            data.put_be32(NFTA_IMMEDIATE_DREG, libc::NFT_REG_VERDICT as u32).nest(
                NFTA_IMMEDIATE_DATA,
                |nest| {
                    nest.nest(NFTA_DATA_VERDICT, |verdict| {
                        verdict.put_be32(NFTA_VERDICT_CODE, code as u32);
                    });
                },
            );
        })
    }

    fn expression(mut self, name: &str, fill: impl FnOnce(&mut Attributes)) -> Self {
        self.expressions.nest(NFTA_LIST_ELEM, |element| {
            element.put_str(NFTA_EXPR_NAME, name).nest(NFTA_EXPR_DATA, fill);
        });
        self
    }
}

/// The comment in a rule's user data.
pub(super) fn comment(data: &[u8]) -> Option<String> {
    match data {
        [UDATA_COMMENT, length, rest @ ..] => rest.get(..usize::from(*length)).map(text),
        _ => None,
    }
}

/// An interface's name as the kernel compares it: filled up with zeroes.
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

const NESTED: u16 = libc::NLA_F_NESTED as u16;
const UDATA_COMMENT: u8 = 0;
const NF_NAT_RANGE_PROTO_SPECIFIED: u32 = 1 << 1;
const NF_NAT_RANGE_PROTO_RANDOM_FULLY: u32 = 1 << 4;
const NFTA_LIST_ELEM: u16 = 1;
const NFTA_DATA_VALUE: u16 = 1;
const NFTA_DATA_VERDICT: u16 = 2;
const NFTA_VERDICT_CODE: u16 = 1;
const NFTA_META_DREG: u16 = 1;
const NFTA_META_KEY: u16 = 2;
const NFTA_CT_DREG: u16 = 1;
const NFTA_CT_KEY: u16 = 2;
const NFTA_PAYLOAD_DREG: u16 = 1;
const NFTA_PAYLOAD_BASE: u16 = 2;
const NFTA_PAYLOAD_OFFSET: u16 = 3;
const NFTA_PAYLOAD_LEN: u16 = 4;
const NFTA_BITWISE_SREG: u16 = 1;
const NFTA_BITWISE_DREG: u16 = 2;
const NFTA_BITWISE_LEN: u16 = 3;
const NFTA_BITWISE_MASK: u16 = 4;
const NFTA_BITWISE_XOR: u16 = 5;
const NFTA_CMP_SREG: u16 = 1;
const NFTA_CMP_OP: u16 = 2;
const NFTA_CMP_DATA: u16 = 3;
const NFTA_IMMEDIATE_DREG: u16 = 1;
const NFTA_IMMEDIATE_DATA: u16 = 2;
const NFTA_DUP_SREG_ADDR: u16 = 1;
const NFTA_DUP_SREG_DEV: u16 = 2;
const NFTA_REJECT_TYPE: u16 = 1;
const NFTA_REJECT_ICMP_CODE: u16 = 2;
const NFTA_MASQ_FLAGS: u16 = 1;
const NFTA_MASQ_REG_PROTO_MIN: u16 = 2;
const NFTA_MASQ_REG_PROTO_MAX: u16 = 3;
const NFTA_NAT_TYPE: u16 = 1;
const NFTA_NAT_FAMILY: u16 = 2;
const NFTA_NAT_REG_ADDR_MIN: u16 = 3;
const NFTA_NAT_REG_PROTO_MIN: u16 = 5;
const NFTA_NAT_REG_PROTO_MAX: u16 = 6;
const NFTA_NAT_FLAGS: u16 = 7;
