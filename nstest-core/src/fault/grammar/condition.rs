//! Conditions.

use super::duration_of;
use super::words::{TWICE, Words};
use crate::error::Result;
use crate::fault::burst_loss::GilbertElliott;
use crate::fault::condition::Condition;
use crate::fault::jitter::{Distribution, Jitter};
use crate::fault::percent::{self, Percent};
use crate::fault::rate::{self, Rate};

pub(super) const PARAMETERS: [&str; 10] = [
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

/// Whether a condition can start with a word.
pub(super) fn is_parameter(word: &str) -> bool {
    PARAMETERS.contains(&word) || Condition::PRESETS.iter().any(|(preset, _)| *preset == word)
}

pub(super) fn condition(words: &mut Words<'_>) -> Result<Condition> {
    let preset = words.one_of(&Condition::PRESETS);
    let is_perfect = words.take("perfect");
    let mut condition = preset.unwrap_or_default();
    let (start, mut seen) = (condition, Vec::new());
    while let Some(word) = words.peek() {
        if seen.contains(&word) {
            return Err(words.refuse(TWICE, "write it once"));
        }
        match word {
            "delay" => condition.delay = duration_of(words)?,
            "jitter" => {
                let amount = duration_of(words)?;
                let distribution =
                    words.one_of(&Distribution::WORDS).unwrap_or(Distribution::Uniform);
                condition.jitter = Some(Jitter { amount, distribution });
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
                let read =
                    |word: &str| word.parse().map_err(|_| format!("`{word}` is not a number"));
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
        seen.push(word);
    }
    if start == condition && seen.is_empty() && preset.is_none() && !is_perfect {
        let mut valid = Vec::from(PARAMETERS);
        valid.extend(Condition::PRESETS.map(|(word, _)| word));
        return Err(words.expected(&valid));
    }
    match condition.problem() {
        None => Ok(condition),
        Some((why, help)) => Err(words.refuse_last(why, help)),
    }
}

fn percent(words: &mut Words<'_>) -> Result<Percent> {
    words.value(Percent::read, percent::HELP)
}
