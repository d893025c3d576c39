//! What the body of a test found in its network.
//!
//! The encoding: a number has four bytes, little endian. The number of its items precedes a
//! list, the number of its bytes a text. A byte, 0 or 1, precedes an optional value.

/// What the body of a test found in its network. It is sent when the body has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// The points at which a fault could be injected, in the order of time; only for a
    /// census.
    pub points: Vec<FoundPoint>,
    /// The outcome of the plan. Absent without a plan, or without a network to apply it to.
    pub injected: Option<PlanOutcome>,
    /// The declared faults that affected no packet, each as a text.
    pub unmatched: Vec<String>,
    /// Whether anything in the network depended on the seed.
    pub random: bool,
}

/// A point of a test at which a fault can be injected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPoint {
    /// The point, in the grammar of plans.
    pub point: String,
    /// The packet at this point, decoded.
    pub packet: String,
}

/// The outcome of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanOutcome {
    /// Its faults that had no effect, each as a text, with the reason if one is known.
    pub unmatched: Vec<String>,
    /// The first packet that it affected, decoded.
    pub packet: Option<String>,
}

impl Findings {
    /// Whether there is nothing to report.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a plan was applied, and each of its faults had an effect.
    pub(crate) fn reached(&self) -> bool {
        self.injected.as_ref().is_some_and(|injected| injected.unmatched.is_empty())
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        number(&mut out, self.points.len());
        for FoundPoint { point, packet } in &self.points {
            text(&mut out, point);
            text(&mut out, packet);
        }
        out.push(u8::from(self.injected.is_some()));
        if let Some(PlanOutcome { unmatched, packet }) = &self.injected {
            texts(&mut out, unmatched);
            out.push(u8::from(packet.is_some()));
            if let Some(packet) = packet {
                text(&mut out, packet);
            }
        }
        texts(&mut out, &self.unmatched);
        out.push(u8::from(self.random));
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let mut points = Vec::new();
        for _ in 0..reader.number()? {
            points.push(FoundPoint { point: reader.text()?, packet: reader.text()? });
        }
        let injected = match reader.flag()? {
            false => None,
            true => {
                let unmatched = reader.texts()?;
                let packet = if reader.flag()? { Some(reader.text()?) } else { None };
                Some(PlanOutcome { unmatched, packet })
            }
        };
        let unmatched = reader.texts()?;
        let random = reader.flag()?;
        reader.0.is_empty().then_some(Self { points, injected, unmatched, random })
    }
}

/// No list or text is near the limit, since all of it is in memory.
fn number(out: &mut Vec<u8>, number: usize) {
    out.extend(u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
}

fn text(out: &mut Vec<u8>, text: &str) {
    number(out, text.len());
    out.extend(text.as_bytes());
}

fn texts(out: &mut Vec<u8>, texts: &[String]) {
    number(out, texts.len());
    for one in texts {
        text(out, one);
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<usize> {
        let bytes = self.take(4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    }

    fn flag(&mut self) -> Option<bool> {
        match self.take(1)? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    fn text(&mut self) -> Option<String> {
        let length = self.number()?;
        String::from_utf8(self.take(length)?.to_vec()).ok()
    }

    fn texts(&mut self) -> Option<Vec<String>> {
        let mut texts = Vec::new();
        for _ in 0..self.number()? {
            texts.push(self.text()?);
        }
        Some(texts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Findings {
        let point = |name: &str| FoundPoint { point: name.into(), packet: "ä".repeat(3) };
        Findings {
            points: vec![point("a"), point("")],
            injected: Some(PlanOutcome { unmatched: Vec::new(), packet: Some("SYN".into()) }),
            unmatched: vec!["reset of a".into()],
            random: true,
        }
    }

    #[test]
    fn findings_are_decoded_as_they_were_encoded() {
        let injected = Some(PlanOutcome { unmatched: vec!["a: drop".into()], packet: None });
        for findings in [Findings::default(), full(), Findings { injected, ..Findings::default() }]
        {
            assert_eq!(Findings::decode(&findings.encode()), Some(findings));
        }
    }

    #[test]
    fn bytes_that_are_cut_or_too_long_are_refused() {
        let bytes = full().encode();
        for length in 0..bytes.len() {
            assert_eq!(Findings::decode(&bytes[..length]), None, "{length} bytes");
        }
        assert_eq!(Findings::decode(&[bytes, vec![0]].concat()), None);
    }
}
