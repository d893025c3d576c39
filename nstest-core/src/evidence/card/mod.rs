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
use super::story::Story;

/// The card of a failed test.
#[derive(Debug)]
pub(crate) struct Card(Vec<Section>);

impl Card {
    pub(crate) fn of(story: &Story) -> Self {
        Self(sections::sections(story))
    }

    /// Its lines. `colour`: for a terminal.
    pub(crate) fn text(&self, colour: bool) -> String {
        layout::print(self.0.clone(), colour)
    }
}
