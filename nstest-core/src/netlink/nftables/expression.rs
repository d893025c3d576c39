//! The expressions of the kernel, which exchange values through registers.
//!
//! The registers have 64 bytes, in words of 4 bytes. Attributes are in the order of nft(8), so
//! that tests can compare them with messages that nft sent.

use std::time::Duration;

use nix::libc;

use super::super::attr::AttributeBuilder;
use super::header::{NFTA_DATA_VALUE, milliseconds, number};
use crate::addr::Family;

/// Builds the expressions of a rule. `id` returns the number of a set that the same transaction
/// adds.
pub(super) struct Expressions<'a> {
    pub(super) list: AttributeBuilder,
    pub(super) id: &'a dyn Fn(&str) -> Option<u32>,
}

/// A register, by its first word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Register(pub(super) u8);

impl Register {
    /// The register for comparisons.
    pub(super) const FIRST: Self = Self(0);
    pub(super) const WORDS: u8 = 16;

    /// Single words and aligned groups of four words have different numbers. An aligned register
    /// gets the number of the group.
    pub(super) fn number(self) -> u32 {
        let word = u32::from(self.0);
        if word % 4 == 0 {
            libc::NFT_REG_1 as u32 + word / 4
        } else {
            libc::NFT_REG32_00 as u32 + word
        }
    }

    /// The group of four words with this index.
    pub(super) fn whole(nth: u8) -> Self {
        Self(4 * nth)
    }
}

/// The registers with the range of a translation. The first address is in the first register.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct NatRange {
    pub(super) last_addr: Option<Register>,
    pub(super) port: Option<Register>,
    pub(super) last_port: Option<Register>,
    /// NF_NAT_RANGE_….
    pub(super) flags: u32,
}

impl Expressions<'_> {
    /// The kernel itself adds NF_NAT_RANGE_MAP_IPS to the flags.
    pub(super) fn nat(&mut self, kind: libc::c_int, family: Family, range: NatRange) {
        self.expression("nat", |body| {
            body.put_be32(NFTA_NAT_TYPE, kind as u32)
                .put_be32(NFTA_NAT_FAMILY, u32::from(number(family)))
                .put_be32(NFTA_NAT_REG_ADDR_MIN, Register::FIRST.number());
            for (attribute, register) in [
                (NFTA_NAT_REG_ADDR_MAX, range.last_addr),
                (NFTA_NAT_REG_PROTO_MIN, range.port),
                (NFTA_NAT_REG_PROTO_MAX, range.last_port),
            ] {
                if let Some(register) = register {
                    body.put_be32(attribute, register.number());
                }
            }
            if range.flags != 0 {
                body.put_be32(NFTA_NAT_FLAGS, range.flags);
            }
        });
    }

    pub(super) fn masquerade(&mut self) {
        self.expression("masq", |_| {});
    }

    /// The next hop is in the first register.
    pub(super) fn duplicate(&mut self, device: Register) {
        self.expression("dup", |body| {
            body.put_be32(NFTA_DUP_SREG_ADDR, Register::FIRST.number())
                .put_be32(NFTA_DUP_SREG_DEV, device.number());
        });
    }

    pub(super) fn meta(&mut self, key: libc::c_int, to: Register) {
        self.expression("meta", |body| {
            body.put_be32(NFTA_META_KEY, key as u32).put_be32(NFTA_META_DREG, to.number());
        });
    }

    pub(super) fn payload(&mut self, base: libc::c_int, offset: u32, length: u32, to: Register) {
        self.expression("payload", |body| {
            body.put_be32(NFTA_PAYLOAD_DREG, to.number())
                .put_be32(NFTA_PAYLOAD_BASE, base as u32)
                .put_be32(NFTA_PAYLOAD_OFFSET, offset)
                .put_be32(NFTA_PAYLOAD_LEN, length);
        });
    }

    pub(super) fn ct(&mut self, key: libc::c_int) {
        self.expression("ct", |body| {
            body.put_be32(NFTA_CT_KEY, key as u32).put_be32(NFTA_CT_DREG, Register::FIRST.number());
        });
    }

    /// A field of the connection's first packet.
    pub(super) fn original(&mut self, key: libc::c_int, to: Register) {
        self.expression("ct", |body| {
            body.put_be32(NFTA_CT_KEY, key as u32)
                .put_be32(NFTA_CT_DREG, to.number())
                .put_u8(NFTA_CT_DIRECTION, 0);
        });
    }

    /// Adds or refreshes the element with the key in the first register.
    pub(super) fn dynset(&mut self, set: &str, timeout: Duration, data: Option<Register>) {
        let id = (self.id)(set);
        self.expression("dynset", |body| {
            body.put_be32(NFTA_DYNSET_SREG_KEY, Register::FIRST.number());
            if let Some(data) = data {
                body.put_be32(NFTA_DYNSET_SREG_DATA, data.number());
            }
            body.put_be32(NFTA_DYNSET_OP, libc::NFT_DYNSET_OP_UPDATE as u32)
                .put_be64(NFTA_DYNSET_TIMEOUT, milliseconds(timeout))
                .put_str(NFTA_DYNSET_SET_NAME, set);
            if let Some(id) = id {
                body.put_be32(NFTA_DYNSET_SET_ID, id);
            }
        });
    }

    pub(super) fn lookup(&mut self, set: &str, data: Option<Register>, found: bool) {
        let id = (self.id)(set);
        self.expression("lookup", |body| {
            body.put_be32(NFTA_LOOKUP_SREG, Register::FIRST.number());
            if let Some(data) = data {
                body.put_be32(NFTA_LOOKUP_DREG, data.number());
            }
            body.put_str(NFTA_LOOKUP_SET, set);
            if let Some(id) = id {
                body.put_be32(NFTA_LOOKUP_SET_ID, id);
            }
            if !found {
                body.put_be32(NFTA_LOOKUP_FLAGS, libc::NFT_LOOKUP_F_INV as u32);
            }
        });
    }

    pub(super) fn masked(&mut self, mask: &[u8]) {
        self.expression("bitwise", |body| {
            body.put_be32(NFTA_BITWISE_SREG, Register::FIRST.number())
                .put_be32(NFTA_BITWISE_DREG, Register::FIRST.number())
                .put_be32(NFTA_BITWISE_LEN, mask.len() as u32)
                .nest(NFTA_BITWISE_MASK, |nest| {
                    nest.put(NFTA_DATA_VALUE, mask);
                })
                .nest(NFTA_BITWISE_XOR, |nest| {
                    nest.put(NFTA_DATA_VALUE, &vec![0; mask.len()]);
                });
        });
    }

    pub(super) fn equals(&mut self, value: &[u8]) {
        self.compare(libc::NFT_CMP_EQ, value);
    }

    pub(super) fn compare(&mut self, operation: libc::c_int, value: &[u8]) {
        self.expression("cmp", |body| {
            body.put_be32(NFTA_CMP_SREG, Register::FIRST.number())
                .put_be32(NFTA_CMP_OP, operation as u32)
                .nest(NFTA_CMP_DATA, |nest| {
                    nest.put(NFTA_DATA_VALUE, value);
                });
        });
    }

    pub(super) fn immediate(&mut self, to: Register, value: &[u8]) {
        self.expression("immediate", |body| {
            body.put_be32(NFTA_IMMEDIATE_DREG, to.number()).nest(NFTA_IMMEDIATE_DATA, |nest| {
                nest.put(NFTA_DATA_VALUE, value);
            });
        });
    }

    pub(super) fn verdict(&mut self, code: libc::c_int, chain: Option<&str>) {
        self.expression("immediate", |body| {
            body.put_be32(NFTA_IMMEDIATE_DREG, libc::NFT_REG_VERDICT as u32).nest(
                NFTA_IMMEDIATE_DATA,
                |nest| {
                    nest.nest(NFTA_DATA_VERDICT, |verdict| {
                        verdict.put_be32(NFTA_VERDICT_CODE, code as u32);
                        if let Some(chain) = chain {
                            verdict.put_str(NFTA_VERDICT_CHAIN, chain);
                        }
                    });
                },
            );
        });
    }

    fn expression(&mut self, name: &str, fill: impl FnOnce(&mut AttributeBuilder)) {
        self.list.nest(NFTA_LIST_ELEM, |element| {
            element.put_str(NFTA_EXPR_NAME, name).nest(NFTA_EXPR_DATA, fill);
        });
    }
}

const NFTA_BITWISE_DREG: u16 = 2;
const NFTA_BITWISE_LEN: u16 = 3;
const NFTA_BITWISE_MASK: u16 = 4;
const NFTA_BITWISE_SREG: u16 = 1;
const NFTA_BITWISE_XOR: u16 = 5;
const NFTA_CMP_DATA: u16 = 3;
const NFTA_CMP_OP: u16 = 2;
const NFTA_CMP_SREG: u16 = 1;
const NFTA_CT_DIRECTION: u16 = 3;
const NFTA_CT_DREG: u16 = 1;
const NFTA_CT_KEY: u16 = 2;
const NFTA_DATA_VERDICT: u16 = 2;
const NFTA_DUP_SREG_ADDR: u16 = 1;
const NFTA_DUP_SREG_DEV: u16 = 2;
const NFTA_EXPR_DATA: u16 = 2;
const NFTA_EXPR_NAME: u16 = 1;
const NFTA_DYNSET_OP: u16 = 3;
const NFTA_DYNSET_SET_ID: u16 = 2;
const NFTA_DYNSET_SET_NAME: u16 = 1;
const NFTA_DYNSET_SREG_DATA: u16 = 5;
const NFTA_DYNSET_SREG_KEY: u16 = 4;
const NFTA_DYNSET_TIMEOUT: u16 = 6;
const NFTA_IMMEDIATE_DATA: u16 = 2;
const NFTA_IMMEDIATE_DREG: u16 = 1;
const NFTA_LIST_ELEM: u16 = 1;
const NFTA_LOOKUP_DREG: u16 = 3;
const NFTA_LOOKUP_FLAGS: u16 = 5;
const NFTA_LOOKUP_SET: u16 = 1;
const NFTA_LOOKUP_SET_ID: u16 = 4;
const NFTA_LOOKUP_SREG: u16 = 2;
const NFTA_META_DREG: u16 = 1;
const NFTA_META_KEY: u16 = 2;
const NFTA_NAT_FAMILY: u16 = 2;
const NFTA_NAT_FLAGS: u16 = 7;
const NFTA_NAT_REG_ADDR_MAX: u16 = 4;
const NFTA_NAT_REG_ADDR_MIN: u16 = 3;
const NFTA_NAT_REG_PROTO_MAX: u16 = 6;
const NFTA_NAT_REG_PROTO_MIN: u16 = 5;
const NFTA_NAT_TYPE: u16 = 1;
const NFTA_PAYLOAD_BASE: u16 = 2;
const NFTA_PAYLOAD_DREG: u16 = 1;
const NFTA_PAYLOAD_LEN: u16 = 4;
const NFTA_PAYLOAD_OFFSET: u16 = 3;
const NFTA_VERDICT_CHAIN: u16 = 2;
const NFTA_VERDICT_CODE: u16 = 1;
