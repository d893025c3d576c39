//! Messages of iproute2 6.1.0 and nft 1.0.6, in the formats that nstest encodes.
//!
//! Captured with `strace -e trace=sendmsg -e write=all COMMAND` in a fresh user and network
//! namespace, without the headers of netlink and of nft's batches. For little-endian machines
//! only, because the formats use the machine's byte order.

use std::borrow::Cow;

/// A message that a command sent.
pub(super) struct Fixture {
    /// The message's type.
    pub(super) kind: u16,
    /// The message after its `struct nlmsghdr`, in hexadecimal.
    body: Cow<'static, str>,
}

impl Fixture {
    pub(super) fn body(&self) -> Vec<u8> {
        let digits: Vec<u8> = self.body.bytes().filter(u8::is_ascii_hexdigit).collect();
        let byte =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }
}

/// `tc qdisc add dev va clsact`
pub(super) const CLSACT: Fixture = Fixture {
    kind: 0x0024,
    body: Cow::Borrowed(
        "
        00000000 03000000 0000ffff f1ffffff 00000000 0b000100 636c7361 63740000
    ",
    ),
};

/// `tc filter add dev va ingress protocol all prio 2 handle 800::1 u32 match u32 0 0 action mirred egress redirect dev vb`
pub(super) const REDIRECT: Fixture = Fixture {
    kind: 0x002c,
    body: Cow::Borrowed(
        "
        00000000 03000000 01000080 f2ffffff 00030200 08000100 75333200 60000200
        38000700 34000100 0b000100 6d697272 65640000 24000280 20000200 00000000
        00000000 04000000 00000000 00000000 01000000 05000000 24000500 01000100
        00000000 00000000 00000000 00000000 00000000 00000000 00000000
    ",
    ),
};

/// `tc filter replace dev va ingress protocol all prio 2 handle 800::1 u32 match u32 0 0 action mirred egress mirror dev vb pipe action mirred egress redirect dev vc`
pub(super) const MIRROR: Fixture = Fixture {
    kind: 0x002c,
    body: Cow::Borrowed(
        "
        00000000 03000000 01000080 f2ffffff 00030200 08000100 75333200 94000200
        6c000700 34000100 0b000100 6d697272 65640000 24000280 20000200 00000000
        00000000 03000000 00000000 00000000 02000000 05000000 34000200 0b000100
        6d697272 65640000 24000280 20000200 00000000 00000000 04000000 00000000
        00000000 01000000 07000000 24000500 01000100 00000000 00000000 00000000
        00000000 00000000 00000000 00000000
    ",
    ),
};

/// `tc filter add dev va ingress protocol all prio 2 handle 800::2 u32 match u16 0x0204 0xffff at -14 match u32 0x06080a0c 0xffffffff at -12 action mirred egress redirect dev vc`
pub(super) const BY_MAC: Fixture = Fixture {
    kind: 0x002c,
    body: Cow::Borrowed(
        "
        00000000 03000000 02000080 f2ffffff 00030200 08000100 75333200 70000200
        38000700 34000100 0b000100 6d697272 65640000 24000280 20000200 00000000
        00000000 04000000 00000000 00000000 01000000 07000000 34000500 01000200
        00000000 00000000 00000000 0000ffff 00000204 f0ffffff 00000000 ffffffff
        06080a0c f4ffffff 00000000
    ",
    ),
};

/// A table in the language of nft(8), and what `nft -f` sends for it: messages, each
/// its type and its body. Cut off are what nft keeps in a set for itself (the user
/// data) and, as above, headers.
pub(super) struct Sent {
    pub(super) text: &'static str,
    messages: &'static str,
}

impl Sent {
    pub(super) fn messages(&self) -> Vec<Fixture> {
        let mut messages: Vec<Fixture> = Vec::new();
        for line in self.messages.split_inclusive('\n') {
            match messages.last_mut() {
                Some(message) if line.starts_with(' ') => message.body.to_mut().push_str(line),
                _ => messages.push(Fixture {
                    kind: u16::from_str_radix(line.trim(), 16).unwrap(),
                    body: Cow::Borrowed(""),
                }),
            }
        }
        messages
    }
}

/// `nft -f ipv4.nft`
pub(super) const IPV4: Sent =
    Sent { text: include_str!("nft/ipv4.nft"), messages: include_str!("nft/ipv4.hex") };

/// `nft -f ipv6.nft`
pub(super) const IPV6: Sent =
    Sent { text: include_str!("nft/ipv6.nft"), messages: include_str!("nft/ipv6.hex") };

/// `nft -f uplink.nft`
pub(super) const UPLINK: Sent =
    Sent { text: include_str!("nft/uplink.nft"), messages: include_str!("nft/uplink.hex") };
