//! The plan grammar, version 1: faults as people write them.
//!
//! Words with white space between them; a colon behind a word parts what a fault
//! takes from what it does, `;` or a new line one fault from the next. What is
//! printed can be read and is the same value again; what could be read in one
//! release can be in the next.

mod condition;
mod packets;
mod read;
mod words;
mod write;

pub(super) use condition::condition;
pub(super) use packets::packets;
pub(super) use read::{fault, plan, point};
pub(super) use write::{fault_text, packets_text};

use std::time::Duration;

use super::span;
use crate::error::Result;
use words::Words;

/// Reads all of a text as one thing.
pub(super) fn whole<T>(
    what: &'static str,
    text: &str,
    read: impl FnOnce(&mut Words<'_>) -> Result<T>,
) -> Result<T> {
    let mut words = Words::new(what, text);
    let value = read(&mut words)?;
    words.end()?;
    Ok(value)
}

/// A word, and the time behind it.
fn span_of(words: &mut Words<'_>) -> Result<Duration> {
    words.next();
    words.value(span::read, span::HELP)
}
