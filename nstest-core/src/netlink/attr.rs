//! Attributes of netlink messages (type, length, value; padded to four bytes), for the formats
//! that no crate has: nftables, conntrack, sock_diag.
//!
//! The traps: a length includes the header but not the padding. Only newer families refuse a
//! nested attribute without NLA_F_NESTED. See netlink(7) and include/uapi/linux/netlink.h.

use nix::libc;

const HEADER: usize = 4;
const NESTED: u16 = libc::NLA_F_NESTED as u16;
const TYPE_MASK: u16 = libc::NLA_TYPE_MASK as u16;

/// Builds the body of a message: a fixed header, then attributes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AttributeBuilder(Vec<u8>);

impl AttributeBuilder {
    /// Starts with the fixed header of the family.
    pub(crate) fn after(header: &[u8]) -> Self {
        debug_assert_eq!(header.len() % HEADER, 0);
        Self(header.to_vec())
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(crate) fn put(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        let start = self.open(kind);
        self.0.extend_from_slice(value);
        self.close(start);
        self
    }

    pub(crate) fn put_be32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.put(kind, &value.to_be_bytes())
    }

    pub(crate) fn put_be64(&mut self, kind: u16, value: u64) -> &mut Self {
        self.put(kind, &value.to_be_bytes())
    }

    pub(crate) fn put_u8(&mut self, kind: u16, value: u8) -> &mut Self {
        self.put(kind, &[value])
    }

    /// A string, with its terminating NUL.
    pub(crate) fn put_str(&mut self, kind: u16, value: &str) -> &mut Self {
        let start = self.open(kind);
        self.0.extend_from_slice(value.as_bytes());
        self.0.push(0);
        self.close(start);
        self
    }

    /// A nested attribute: its value consists of attributes.
    pub(crate) fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) -> &mut Self {
        let start = self.open(kind | NESTED);
        fill(self);
        self.close(start);
        self
    }

    fn open(&mut self, kind: u16) -> usize {
        let start = self.0.len();
        self.0.extend_from_slice(&[0; 2]);
        self.0.extend_from_slice(&kind.to_ne_bytes());
        start
    }

    fn close(&mut self, start: usize) {
        let length =
            u16::try_from(self.0.len() - start).expect("an attribute has less than 64 KiB");
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.0.resize(self.0.len().next_multiple_of(HEADER), 0);
    }
}

/// The attributes in `bytes`: the type without its flags, and the value.
///
/// Malformed bytes end the iteration. Callers handle a missing attribute.
pub(crate) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let kind = u16_at(bytes, 2)? & TYPE_MASK;
        let value = bytes.get(HEADER..length)?;
        bytes = bytes.get(length.next_multiple_of(HEADER)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The text of a string attribute, without its NUL.
pub(crate) fn text(value: &[u8]) -> String {
    let end = value.iter().position(|b| *b == 0).unwrap_or(value.len());
    String::from_utf8_lossy(&value[..end]).into_owned()
}

macro_rules! readers {
    ($($name:ident: $ty:ty;)*) => {
        $(
            #[doc = concat!("The `", stringify!($ty), "` at an offset, in the machine's byte order.")]
            pub(crate) fn $name(bytes: &[u8], at: usize) -> Option<$ty> {
                let field = bytes.get(at..at + size_of::<$ty>())?;
                Some(<$ty>::from_ne_bytes(field.try_into().ok()?))
            }
        )*
    };
}

readers! {
    u16_at: u16;
    u32_at: u32;
    i32_at: i32;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(bytes: &[u8], kind: u16) -> Option<&[u8]> {
        attributes(bytes).find_map(|(k, value)| (k == kind).then_some(value))
    }

    #[test]
    fn lengths_count_the_header_and_not_the_padding() {
        let mut body = AttributeBuilder::after(&[9; 4]);
        body.put_str(1, "lo").nest(2, |inner| {
            inner.put_u8(3, 7);
        });
        let expected: &[u8] = &[
            9, 9, 9, 9, // the fixed header
            7, 0, 1, 0, b'l', b'o', 0, 0, // "lo", NUL, one byte of padding
            12, 0, 2, 0x80, 5, 0, 3, 0, 7, 0, 0, 0, // nested
        ];
        assert_eq!(body.into_bytes(), expected);
        assert_eq!(find(&expected[4..], 1).map(text).as_deref(), Some("lo"));
        let inner = find(&expected[4..], 2).unwrap();
        assert_eq!(find(inner, 3), Some(&[7][..]));
    }

    #[test]
    fn malformed_bytes_end_the_iteration() {
        for bytes in [&[][..], &[4, 0, 1], &[3, 0, 1, 0], &[0, 0, 1, 0], &[9, 0, 1, 0, 5, 5]] {
            assert_eq!(attributes(bytes).count(), 0, "{bytes:?}");
        }
        assert_eq!(attributes(&[5, 0, 1, 0, 5]).count(), 1, "unpadded tail");
    }
}
