//! The plan grammar, version 1: faults and what they consist of, as text.
//!
//! A text is words separated by white space. A colon ends the part of a fault that says
//! where it is and which packets it takes; the effect follows. `;` or a new line separates
//! faults. What a value prints parses to the same value, and what one release reads, later
//! ones read, too.
//!
//! `read` makes values of words and `write` the reverse. The values do not depend on this
//! module: it implements `FromStr` and `Display` for them.

mod condition;
mod packets;
mod read;
mod words;
mod write;

use std::str::FromStr;
use std::time::Duration;

use super::condition::Condition;
use super::duration;
use super::model::Fault;
use super::packets::Packets;
use super::plan::Plan;
use super::point::InjectionPoint;
use crate::error::{Error, Result};
use words::Words;

impl FromStr for Condition {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        whole("condition", text, condition::condition)
    }
}

impl FromStr for Packets {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        whole("packets", text, packets::packets)
    }
}

impl FromStr for Fault {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        whole("fault", text, read::fault)
    }
}

impl FromStr for Plan {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let plan = whole("plan", text, read::plan)?;
        plan.check()?;
        Ok(plan)
    }
}

impl FromStr for InjectionPoint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        whole("point", text, read::point)
    }
}

/// Reads a whole text as one value. `what` names it in errors.
fn whole<T>(
    what: &'static str,
    text: &str,
    read: impl FnOnce(&mut Words<'_>) -> Result<T>,
) -> Result<T> {
    let mut words = Words::new(what, text);
    let value = read(&mut words)?;
    words.end()?;
    Ok(value)
}

/// Skips the next word, and reads the one after it as a time.
fn duration_of(words: &mut Words<'_>) -> Result<Duration> {
    words.next();
    words.value(duration::read, duration::HELP)
}
