//! Which answer a query gets.
//!
//! The answers for a name form a stack. The last one is on top. If it does not apply (it has
//! answered all its queries, it is for another type, or its time has not come), the one below
//! it is tried.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::answer::{Answer, ResponseKind};
use super::query::{Query, QueryType};
use super::record::{Record, key, name};
use crate::error::Result;

/// How many CNAMEs are followed. A longer chain is treated as a loop. RFC 1034 leaves the
/// number to the resolver.
const ALIASES: usize = 8;

/// The answers of a resolver, and the queries that it received.
#[derive(Debug, Default)]
pub(crate) struct Script {
    names: HashMap<String, Vec<StackedAnswer>>,
    failures: Vec<(String, Answer, ScriptedAnswer)>,
    queries: Vec<Query>,
}

#[derive(Debug)]
struct StackedAnswer {
    answer: Answer,
    since: Instant,
    scripted: ScriptedAnswer,
}

/// An answer that was given to a resolver. It counts the queries that got it.
#[derive(Debug, Clone, Default)]
pub struct ScriptedAnswer {
    count: Arc<AtomicU64>,
}

impl ScriptedAnswer {
    /// How many queries have got this answer. For a stale answer: how many queries have got
    /// the previous answer because of it.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    fn increment(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }
}

/// The answer to one query, with all CNAMEs followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ResolvedAnswer {
    /// The kind of response for the name, or for the target of its CNAME.
    pub(super) reply: ResponseKind,
    /// With the name of each record.
    pub(super) records: Vec<(String, Record)>,
    pub(super) delay: Duration,
}

/// The answer for one name.
struct NameAnswer {
    reply: ResponseKind,
    records: Vec<Record>,
    delay: Duration,
}

impl Script {
    /// Puts an answer on top of the stack of a name.
    pub(crate) fn answer(
        &mut self,
        text: &str,
        answer: Answer,
        now: Instant,
    ) -> Result<ScriptedAnswer> {
        answer.check()?;
        let name = key(&name(text)?);
        let scripted = ScriptedAnswer::default();
        if answer.is_failure() && !answer.optional {
            self.failures.push((name.clone(), answer.clone(), scripted.clone()));
        }
        let stack = self.names.entry(name).or_default();
        if answer.is_final() {
            stack.clear();
        }
        stack.push(StackedAnswer { answer, since: now, scripted: scripted.clone() });
        Ok(scripted)
    }

    pub(super) fn record(&mut self, query: Query) {
        self.queries.push(query);
    }

    pub(crate) fn queries(&self) -> Vec<Query> {
        self.queries.clone()
    }

    /// Describes the failures that no query has got, and the queries that there were.
    pub(crate) fn unused_failures(&self) -> Vec<String> {
        let mut queried: Vec<&str> = self.queries.iter().map(|query| query.name.as_str()).collect();
        queried.sort_unstable();
        queried.dedup();
        let queried = match queried.as_slice() {
            [] => "it received no query".to_owned(),
            names => format!("its queries were for {}", names.join(", ")),
        };
        let unused = self.failures.iter().filter(|(.., scripted)| scripted.count() == 0);
        let describe = |(name, answer, _): &(String, Answer, ScriptedAnswer)| {
            format!("no query got the answer `{answer}` for {name}; {queried}")
        };
        unused.map(describe).collect()
    }

    /// The answer to a query for `name`, which must be a [`key`].
    pub(super) fn resolve(&self, name: &str, kind: QueryType, now: Instant) -> ResolvedAnswer {
        let mut resolved = ResolvedAnswer {
            reply: ResponseKind::Records,
            records: Vec::new(),
            delay: Duration::ZERO,
        };
        let mut owner = name.to_owned();
        for _ in 0..=ALIASES {
            let found = self.answer_for(&owner, kind, now);
            resolved.delay += found.delay;
            // A failure of a CNAME is a failure of the whole response.
            if resolved.reply == ResponseKind::Records {
                resolved.reply = found.reply;
            }
            let before = resolved.records.len();
            let alias = found.records.iter().find_map(|record| record.alias_of().map(key_of));
            let wanted = found
                .records
                .into_iter()
                .filter(|record| record.kind() == kind || record.alias_of().is_some());
            resolved.records.extend(wanted.map(|record| (owner.clone(), record)));
            match alias {
                Some(target) if kind != QueryType::CNAME => owner = target,
                _ => {
                    if resolved.reply == ResponseKind::Records && resolved.records.len() == before {
                        resolved.reply = ResponseKind::NoData;
                    }
                    return resolved;
                }
            }
        }
        ResolvedAnswer { reply: ResponseKind::ServFail, records: Vec::new(), ..resolved }
    }

    fn answer_for(&self, name: &str, kind: QueryType, now: Instant) -> NameAnswer {
        let (mut left, mut exists) = (None, false);
        for stacked in self.stack(name).iter().rev() {
            let answer = &stacked.answer;
            let used_up = answer.times.is_some_and(|times| stacked.scripted.count() >= times);
            let age = now.saturating_duration_since(stacked.since);
            if answer.only.is_some_and(|only| only != kind) {
                let applies = !used_up && age >= answer.stale;
                exists |= applies && answer.reply != ResponseKind::NxDomain;
                continue;
            }
            if age < answer.stale {
                stacked.scripted.increment();
                left.get_or_insert(answer.stale - age);
                continue;
            }
            if used_up {
                continue;
            }
            if answer.stale.is_zero() {
                stacked.scripted.increment();
            }
            let mut records = answer.records.clone();
            if let Some(left) = left {
                // Rounded up, so that a client that asks again after that time gets the new answer.
                let ttl = Duration::from_secs(left.as_secs() + u64::from(left.subsec_nanos() > 0));
                records = records.into_iter().map(|record| record.ttl(ttl)).collect();
            }
            return NameAnswer { reply: answer.reply, records, delay: answer.delay };
        }
        // A name that exists for one type exists for all (RFC 8020). musl's resolver discards the
        // addresses of one family if the other one is said not to exist.
        let reply = if exists { ResponseKind::NoData } else { ResponseKind::NxDomain };
        NameAnswer { reply, records: Vec::new(), delay: Duration::ZERO }
    }

    /// The stack of the name, or of the closest wildcard above it (RFC 4592).
    fn stack(&self, name: &str) -> &[StackedAnswer] {
        if let Some(stack) = self.names.get(name) {
            return stack;
        }
        let mut rest = name;
        while let Some((_, above)) = rest.split_once('.') {
            if let Some(stack) = self.names.get(&format!("*.{above}")) {
                return stack;
            }
            rest = above;
        }
        &[]
    }
}

/// The names in records were checked when the answer was given.
fn key_of(text: &str) -> String {
    name(text).map(|name| key(&name)).unwrap_or_default()
}
