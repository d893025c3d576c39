//! The card of a failed test: what a reader needs first, on at most 25 lines of 80 columns.
//!
//! - [`layout`]: sections, cut and wrapped to the size of a card;
//! - [`sections`]: what each section says.

mod layout;
mod sections;
#[cfg(test)]
mod tests;

use super::story::Story;

/// The card of a failed test. `colour`: for a terminal.
pub(crate) fn card(story: &Story, colour: bool) -> String {
    layout::print(sections::sections(story), colour)
}
