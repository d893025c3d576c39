//! Interfaces that programs of the test have made in nodes: their names and indices are not
//! free for new links.

use super::base::Fabric;
use crate::error::Result;
use crate::topology::changes::{Change, Changes};
use crate::topology::spec::ForeignNames;

impl Fabric {
    /// The names that programs have taken and that new links of existing nodes would have.
    /// Notes what indices they have taken.
    pub(crate) fn taken_names(&mut self, changes: &Changes) -> Result<ForeignNames> {
        let mut taken = ForeignNames::new();
        for change in &changes.list {
            let Change::AddLink { at, link, .. } = change else { continue };
            // A node that these changes add has none.
            let Some(member) = self.members.get_mut(&at.id) else { continue };
            for interface in member.find_foreign()? {
                if interface.name == link.name {
                    taken.entry(at.id).or_default().insert(interface.name);
                }
            }
        }
        Ok(taken)
    }
}
