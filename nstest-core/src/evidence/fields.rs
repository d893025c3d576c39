//! The fields of events: as bytes, between the processes of a test, and as JSON (RFC 8259), in
//! files.
//!
//! As bytes, numbers are little endian, and a text or a list is preceded by its length in four
//! bytes.

use std::fmt::Write;

/// A type that a field of an event can have.
pub(super) trait EventField: Sized {
    fn encode(&self, out: &mut Vec<u8>);

    /// `None` if the bytes are not a value of this type.
    fn decode(bytes: &mut &[u8]) -> Option<Self>;

    fn write_json(&self, out: &mut String);
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

/// JSON readers that keep numbers as `f64` read those below 2^53 exactly.
macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl EventField for $integer {
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend(self.to_le_bytes());
            }

            fn decode(bytes: &mut &[u8]) -> Option<Self> {
                Some(Self::from_le_bytes(take(bytes, size_of::<Self>())?.try_into().ok()?))
            }

            fn write_json(&self, out: &mut String) {
                let _ = write!(out, "{self}"); // a String takes everything
            }
        }
    )*};
}

integers!(u8, u32, u64);

impl EventField for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        match u8::decode(bytes)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn write_json(&self, out: &mut String) {
        out.push_str(if *self { "true" } else { "false" });
    }
}

impl EventField for String {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_length(self.len(), out);
        out.extend(self.as_bytes());
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let length = usize::try_from(u32::decode(bytes)?).ok()?;
        Self::from_utf8(take(bytes, length)?.to_vec()).ok()
    }

    fn write_json(&self, out: &mut String) {
        out.push('"');
        for character in self.chars() {
            match character {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                // Beside control characters those that end a script or a line of one, since
                // reports are HTML.
                '\0'..='\u{1f}' | '\u{7f}' | '<' | '\u{2028}' | '\u{2029}' => {
                    let _ = write!(out, "\\u{:04x}", u32::from(character));
                }
                character => out.push(character),
            }
        }
        out.push('"');
    }
}

impl<T: EventField> EventField for Vec<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_length(self.len(), out);
        self.iter().for_each(|item| item.encode(out));
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        (0..u32::decode(bytes)?).map(|_| T::decode(bytes)).collect()
    }

    fn write_json(&self, out: &mut String) {
        out.push('[');
        for (nth, item) in self.iter().enumerate() {
            if nth > 0 {
                out.push(',');
            }
            item.write_json(out);
        }
        out.push(']');
    }
}

impl<T: EventField> EventField for Option<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.is_some().encode(out);
        if let Some(value) = self {
            value.encode(out);
        }
    }

    fn decode(bytes: &mut &[u8]) -> Option<Self> {
        if bool::decode(bytes)? { T::decode(bytes).map(Some) } else { Some(None) }
    }

    fn write_json(&self, out: &mut String) {
        match self {
            Some(value) => value.write_json(out),
            None => out.push_str("null"),
        }
    }
}

/// Nothing is near the limit, since all of it is in memory.
fn encode_length(length: usize, out: &mut Vec<u8>) {
    u32::try_from(length).unwrap_or(u32::MAX).encode(out);
}
