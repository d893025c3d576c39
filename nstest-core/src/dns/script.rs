//! From a question to what is said to it.
//!
//! The answers for a name lie upon each other, the last one on top. One that does
//! not apply (its questions are used up, it is for another type, its time has not
//! come) lets the one below it speak.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::answer::{Answer, Reply};
use super::query::{Query, QueryType};
use super::record::{Record, key, name};
use crate::error::Result;

/// As many as RFC 1034 leaves to resolvers to choose; more is taken for a circle.
const ALIASES: usize = 8;

/// What a resolver says, and what it was asked.
#[derive(Debug, Default)]
pub(crate) struct Script {
    names: HashMap<String, Vec<Layer>>,
    failures: Vec<(String, Answer, Scripted)>,
    queries: Vec<Query>,
}

#[derive(Debug)]
struct Layer {
    answer: Answer,
    since: Instant,
    scripted: Scripted,
}

/// An answer that a resolver was given for a name.
#[derive(Debug, Clone, Default)]
pub struct Scripted {
    met: Arc<AtomicU64>,
}

impl Scripted {
    /// To how many questions it was the answer so far; of a stale one, how many
    /// were answered with what was said before.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.met.load(Ordering::Relaxed)
    }

    fn meet(&self) {
        self.met.fetch_add(1, Ordering::Relaxed);
    }
}

/// What is said to one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    /// The last word on the name, or on the one that it is an alias of.
    pub(super) reply: Reply,
    /// Each under its name.
    pub(super) records: Vec<(String, Record)>,
    pub(super) delay: Duration,
}

/// What one name has to say.
struct Word {
    reply: Reply,
    records: Vec<Record>,
    delay: Duration,
}

impl Script {
    /// Puts an answer on top of those for a name.
    pub(crate) fn answer(&mut self, text: &str, answer: Answer, now: Instant) -> Result<Scripted> {
        answer.check()?;
        let name = key(&name(text)?);
        let scripted = Scripted::default();
        if answer.is_failure() && !answer.optional {
            self.failures.push((name.clone(), answer.clone(), scripted.clone()));
        }
        let layers = self.names.entry(name).or_default();
        if answer.is_final() {
            layers.clear();
        }
        layers.push(Layer { answer, since: now, scripted: scripted.clone() });
        Ok(scripted)
    }

    pub(super) fn note(&mut self, query: Query) {
        self.queries.push(query);
    }

    pub(crate) fn queries(&self) -> Vec<Query> {
        self.queries.clone()
    }

    /// The failures that nobody has met, and what was asked instead.
    pub(crate) fn unasked(&self) -> Vec<String> {
        let mut asked: Vec<&str> = self.queries.iter().map(|query| query.name.as_str()).collect();
        asked.sort_unstable();
        asked.dedup();
        let asked = match asked.as_slice() {
            [] => "no question reached it".to_owned(),
            names => format!("it was asked for {}", names.join(", ")),
        };
        let unmet = self.failures.iter().filter(|(.., scripted)| scripted.count() == 0);
        let told = |(name, answer, _): &(String, Answer, Scripted)| {
            format!("was to answer {answer} for {name}, and nobody met that: {asked}")
        };
        unmet.map(told).collect()
    }

    /// What is said to a question for the name of this key.
    pub(super) fn say(&self, name: &str, kind: QueryType, now: Instant) -> Said {
        let mut said = Said { reply: Reply::Records, records: Vec::new(), delay: Duration::ZERO };
        let mut owner = name.to_owned();
        for _ in 0..=ALIASES {
            let word = self.word(&owner, kind, now);
            said.delay += word.delay;
            // A flaw of an alias is one of the whole message.
            if said.reply == Reply::Records {
                said.reply = word.reply;
            }
            let before = said.records.len();
            let alias = word.records.iter().find_map(|record| record.alias_of().map(key_of));
            let wanted = word
                .records
                .into_iter()
                .filter(|record| record.kind() == kind || record.alias_of().is_some());
            said.records.extend(wanted.map(|record| (owner.clone(), record)));
            match alias {
                Some(target) if kind != QueryType::CNAME => owner = target,
                _ => {
                    if said.reply == Reply::Records && said.records.len() == before {
                        said.reply = Reply::NoData;
                    }
                    return said;
                }
            }
        }
        Said { reply: Reply::ServFail, records: Vec::new(), ..said }
    }

    fn word(&self, name: &str, kind: QueryType, now: Instant) -> Word {
        let mut left = None;
        for layer in self.layers(name).iter().rev() {
            let answer = &layer.answer;
            if answer.only.is_some_and(|only| only != kind) {
                continue;
            }
            let age = now.saturating_duration_since(layer.since);
            if age < answer.stale {
                layer.scripted.meet();
                left.get_or_insert(answer.stale - age);
                continue;
            }
            if answer.times.is_some_and(|times| layer.scripted.count() >= times) {
                continue;
            }
            if answer.stale.is_zero() {
                layer.scripted.meet();
            }
            let mut records = answer.records.clone();
            if let Some(left) = left {
                // Rounded up: whoever keeps it that long meets the new answer then.
                let ttl = Duration::from_secs(left.as_secs() + u64::from(left.subsec_nanos() > 0));
                records = records.into_iter().map(|record| record.ttl(ttl)).collect();
            }
            return Word { reply: answer.reply, records, delay: answer.delay };
        }
        Word { reply: Reply::NxDomain, records: Vec::new(), delay: Duration::ZERO }
    }

    /// Those of the name, or else of the closest wildcard above it (RFC 4592).
    fn layers(&self, name: &str) -> &[Layer] {
        if let Some(layers) = self.names.get(name) {
            return layers;
        }
        let mut rest = name;
        while let Some((_, above)) = rest.split_once('.') {
            if let Some(layers) = self.names.get(&format!("*.{above}")) {
                return layers;
            }
            rest = above;
        }
        &[]
    }
}

/// Names in records have been checked when they were given.
fn key_of(text: &str) -> String {
    name(text).map(|name| key(&name)).unwrap_or_default()
}
