//! What a link is like.

use super::span_of;
use super::words::{TWICE, Words};
use crate::error::Result;
use crate::fault::burst_loss::GilbertElliott;
use crate::fault::condition::Condition;
use crate::fault::jitter::{Jitter, Shape};
use crate::fault::percent::{self, Percent};
use crate::fault::rate::{self, Rate};

const KNOBS: [&str; 10] = [
    "delay",
    "jitter",
    "loss",
    "burst-loss",
    "duplicate",
    "reorder",
    "corrupt",
    "rate",
    "queue-limit",
    "perfect",
];

/// Whether a word is the first of a condition.
pub(super) fn is_knob(word: &str) -> bool {
    KNOBS.contains(&word) || Condition::PRESETS.iter().any(|(preset, _)| *preset == word)
}

pub(super) fn condition(words: &mut Words<'_>) -> Result<Condition> {
    let preset = words.one_of(&Condition::PRESETS);
    let is_perfect = words.take("perfect");
    let mut condition = preset.unwrap_or_default();
    let (start, mut said) = (condition, Vec::new());
    while let Some(word) = words.peek() {
        if said.contains(&word) {
            return Err(words.refuse(TWICE, "say it once"));
        }
        match word {
            "delay" => condition.delay = span_of(words)?,
            "jitter" => {
                let amount = span_of(words)?;
                let shape = words.one_of(&Shape::WORDS).unwrap_or(Shape::Uniform);
                condition.jitter = Some(Jitter { amount, shape });
            }
            "burst-loss" => {
                words.next();
                let mut bursts = GilbertElliott::new(percent(words)?, percent(words)?);
                if words.is_number() {
                    bursts = bursts.loss_in_bad(percent(words)?).loss_in_good(percent(words)?);
                }
                condition.burst_loss = Some(bursts);
            }
            "rate" => {
                words.next();
                condition.rate = Some(words.value(Rate::read, rate::HELP)?);
            }
            "queue-limit" => {
                words.next();
                let read = |word: &str| word.parse().map_err(|_| format!("`{word}` is no number"));
                condition.queue_limit = Some(words.value(read, "write a number of packets")?);
            }
            _ => {
                let place = match word {
                    "loss" => &mut condition.loss,
                    "duplicate" => &mut condition.duplicate,
                    "reorder" => &mut condition.reorder,
                    "corrupt" => &mut condition.corrupt,
                    _ => break,
                };
                words.next();
                *place = percent(words)?;
            }
        }
        said.push(word);
    }
    if start == condition && said.is_empty() && preset.is_none() && !is_perfect {
        let mut valid = Vec::from(KNOBS);
        valid.extend(Condition::PRESETS.map(|(word, _)| word));
        return Err(words.expected(&valid));
    }
    match condition.nonsense() {
        None => Ok(condition),
        Some((why, help)) => Err(words.refuse_last(why, help)),
    }
}

fn percent(words: &mut Words<'_>) -> Result<Percent> {
    words.value(Percent::read, percent::HELP)
}
