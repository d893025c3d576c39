//! A text as words, and errors that point at a word.

use std::ops::Range;

use crate::error::{Error, ErrorCode, Result};

/// The words of a text, read one after the other.
pub(super) struct Words<'a> {
    /// The name of the text in errors: "plan", "condition".
    what: &'static str,
    text: &'a str,
    words: Vec<Range<usize>>,
    at: usize,
}

/// Separates two faults.
pub(super) const SEPARATOR: &str = ";";
/// Separates the packets of a fault from its effect.
pub(super) const COLON: &str = ":";

/// The cause of an error about a repeated word.
pub(super) const TWICE: &str = "this is given twice";

impl<'a> Words<'a> {
    pub(super) fn new(what: &'static str, text: &'a str) -> Self {
        Self { what, text, words: split(text), at: 0 }
    }

    pub(super) fn peek(&self) -> Option<&'a str> {
        let word = &self.text[self.words.get(self.at)?.clone()];
        Some(if word == "\n" { SEPARATOR } else { word })
    }

    pub(super) fn next(&mut self) -> Option<&'a str> {
        let word = self.peek()?;
        self.at += 1;
        Some(word)
    }

    /// Whether the next word begins with a digit.
    pub(super) fn is_number(&self) -> bool {
        self.peek().is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit()))
    }

    /// Skips the next word if it is this one. Returns whether it was.
    pub(super) fn take(&mut self, word: &str) -> bool {
        let is_next = self.peek() == Some(word);
        self.at += usize::from(is_next);
        is_next
    }

    /// Reads the next word if it is in a table.
    pub(super) fn one_of<T: Copy>(&mut self, table: &[(&str, T)]) -> Option<T> {
        let word = self.peek()?;
        let (_, value) = table.iter().find(|(name, _)| *name == word)?;
        self.at += 1;
        Some(*value)
    }

    /// Reads the next word as a value. `help` says how to write one.
    pub(super) fn value<T>(
        &mut self,
        read: impl FnOnce(&'a str) -> std::result::Result<T, String>,
        help: &str,
    ) -> Result<T> {
        match self.peek().filter(|word| ![SEPARATOR, COLON].contains(word)) {
            None => Err(self.refuse("a value is missing here", help)),
            Some(word) => {
                let value = read(word).map_err(|why| self.refuse(why, help))?;
                self.at += 1;
                Ok(value)
            }
        }
    }

    /// The error for a next word that is not one of `valid`.
    pub(super) fn expected(&self, valid: &[&str]) -> Error {
        let why = match self.peek() {
            None | Some(SEPARATOR) => "something is missing here".to_owned(),
            Some(word) => format!("`{word}` is not expected here"),
        };
        let separator = if valid.iter().any(|form| form.contains(',')) { "; " } else { ", " };
        self.refuse(why, &format!("write one of: {}", valid.join(separator)))
    }

    /// An error about the next word.
    pub(super) fn refuse(&self, why: impl Into<String>, help: &str) -> Error {
        self.refuse_at(self.at, why, help)
    }

    /// An error about the word before the next one.
    pub(super) fn refuse_last(&self, why: impl Into<String>, help: &str) -> Error {
        self.refuse_at(self.at.saturating_sub(1), why, help)
    }

    /// The position of the next word, for [`refuse_at`](Self::refuse_at).
    pub(super) fn mark(&self) -> usize {
        self.at
    }

    /// An error about the word at a position.
    pub(super) fn refuse_at(&self, at: usize, why: impl Into<String>, help: &str) -> Error {
        let end = self.text.trim_end().len();
        let place = self.words.get(at).cloned().unwrap_or(end..end);
        // The line of the text that contains the word.
        let from = self.text[..place.start].rfind('\n').map_or(0, |newline| newline + 1);
        let line = self.text[from..].lines().next().unwrap_or_default();
        let before = self.text[from..place.start].chars().count();
        let width = self.text[place].trim_end().chars().count().max(1);
        let (blank, carets) = (" ".repeat(before), "^".repeat(width));
        Error::new(ErrorCode::Plan, format!("read the {} `{}`", self.what, self.text.trim()))
            .source(format!("{}\n{line}\n{blank}{carets}", why.into()))
            .help(help)
    }

    /// Checks that no word is left.
    pub(super) fn end(&self) -> Result<()> {
        match self.peek() {
            None => Ok(()),
            Some(word) => Err(self.refuse(
                format!("`{word}` is not expected here"),
                &format!("remove it, or end the {} before it", self.what),
            )),
        }
    }
}

/// Splits a text at white space. `;`, a new line, and a colon at the end of a word are words
/// of their own.
fn split(text: &str) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        if !c.is_whitespace() && c != ';' {
            start.get_or_insert(at);
            continue;
        }
        if let Some(start) = start.take() {
            // An IPv6 address can end in two colons: `fd00::`, and `fd00:::` with ours.
            let word = &text[start..at];
            let colons = word.len() - word.trim_end_matches(':').len();
            let end = at - usize::from(colons % 2 == 1);
            words.extend((start < end).then_some(start..end));
            words.extend((end < at).then_some(end..at));
        }
        if c == ';' || c == '\n' {
            words.push(at..at + 1);
        }
    }
    words
}
