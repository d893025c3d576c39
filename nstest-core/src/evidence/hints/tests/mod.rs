//! Each pattern on a small story, and stories that must get no hint.

mod in_force;
mod negative;
mod observed;
mod patterns;
mod refused;
mod replies;
mod routes;
mod unproven;
mod waits;

use super::hints;
use crate::evidence::story::Story;

/// The hints, a line each.
fn shown(story: &Story) -> String {
    hints(story).into_iter().map(|hint| hint.text + "\n").collect()
}
