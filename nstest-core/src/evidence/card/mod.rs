//! The card of a failed test: what a reader needs first, on at most 25 lines of 80 columns.
//!
//! - [`layout`]: sections, cut and wrapped to the size of a card;
//! - [`packets`]: the packets, a line each;
//! - [`sections`]: what each section says.

mod layout;
mod packets;
mod sections;
#[cfg(test)]
mod tests;

use self::layout::Section;
use super::hints;
use super::story::Story;

/// The card of a failed test.
#[derive(Debug)]
pub(crate) struct Card {
    sections: Vec<Section>,
    hints: Vec<String>,
    notes: Vec<String>,
}

impl Card {
    pub(crate) fn of(story: &Story) -> Self {
        let hints: Vec<String> = hints::hints(story).into_iter().map(|hint| hint.text).collect();
        let notes = hints::notes(story);
        Self { sections: sections::sections(story, &hints, &notes), hints, notes }
    }

    /// The sentences about the cause, uncut.
    pub(crate) fn hints(&self) -> &[String] {
        &self.hints
    }

    /// What is known, and need not have to do with the failure, uncut.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Its lines. `colour`: for a terminal.
    pub(crate) fn text(&self, colour: bool) -> String {
        layout::print(self.sections.clone(), colour)
    }
}
