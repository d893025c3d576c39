//! The events of a record. `docs/src/events.md` has their fields.

use std::collections::HashMap;

use serde_json::Value;

/// The version of the format that this program reads.
const VERSION: u64 = 1;

/// The events in their order, and the names that they refer to.
#[derive(Debug)]
pub(super) struct Log {
    events: Vec<Value>,
    nodes: HashMap<u64, String>,
    /// `server/eth0`, by link end.
    interfaces: HashMap<u64, String>,
}

impl Log {
    /// The events until a line that is none, and what is wrong with that line.
    ///
    /// # Errors
    /// Another version of the format.
    pub(super) fn parse(text: &str) -> Result<(Self, Option<String>), String> {
        let mut log =
            Self { events: Vec::new(), nodes: HashMap::new(), interfaces: HashMap::new() };
        for (index, line) in text.lines().enumerate() {
            let event: Value = match serde_json::from_str(line) {
                Ok(event) => event,
                Err(error) => return Ok((log, Some(why(index + 1, &error)))),
            };
            if index == 0 && number(&event, "version") != Some(VERSION) {
                let found = &event["version"];
                return Err(format!(" has version {found}, and this nstest reads {VERSION}"));
            }
            log.note_names(&event);
            log.events.push(event);
        }
        Ok((log, None))
    }

    fn note_names(&mut self, event: &Value) {
        let (kind, name) = (text(event, "event"), text(event, "name"));
        match (kind, number(event, "node"), number(event, "link_end")) {
            ("node-added", Some(node), _) => {
                self.nodes.insert(node, name.to_owned());
            }
            ("interface-added", Some(node), Some(link_end)) => {
                self.interfaces.insert(link_end, format!("{}/{name}", self.node(node)));
            }
            _ => {}
        }
    }

    /// The events of a kind.
    pub(super) fn all<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.events.iter().filter(move |event| text(event, "event") == kind)
    }

    pub(super) fn node(&self, number: u64) -> String {
        self.nodes.get(&number).cloned().unwrap_or_else(|| number.to_string())
    }

    pub(super) fn interface(&self, link_end: u64) -> String {
        self.interfaces.get(&link_end).cloned().unwrap_or_else(|| link_end.to_string())
    }

    /// The time of the last event, as text.
    pub(super) fn end(&self) -> String {
        self.events.last().map(time).unwrap_or_default()
    }
}

/// `, line 7, column 80: EOF while parsing a string`. For the parser, each line is the first.
fn why(line: usize, error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line 1 column ").next().unwrap_or_default();
    format!(", line {line}, column {}: {text}", error.column())
}

/// Seconds since the start of the test.
pub(super) fn time(event: &Value) -> String {
    format!("{:.6}", event["time"].as_f64().unwrap_or_default())
}

pub(super) fn text<'a>(event: &'a Value, field: &str) -> &'a str {
    event[field].as_str().unwrap_or_default()
}

pub(super) fn number(event: &Value, field: &str) -> Option<u64> {
    event[field].as_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_cannot_be_read_says_where() {
        let error = Log::parse("{\"version\":2}\n").unwrap_err();
        assert_eq!(error, " has version 2, and this nstest reads 1");
        let text = "{\"version\":1}\n{\"event\":\"a\"}\n{\"event\":\"a";
        let (log, broken) = Log::parse(text).unwrap();
        assert_eq!(log.all("a").count(), 1);
        assert_eq!(broken.unwrap(), ", line 3, column 11: EOF while parsing a string");
    }
}
