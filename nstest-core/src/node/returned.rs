//! Which threads and tasks of a node have returned.

use std::any::Any;
use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt::Display;
use std::io;
use std::sync::Mutex;

use crate::error::Error;
use crate::sync::lock;

/// The threads and tasks of a node that have returned and were not joined or awaited, with their
/// errors.
#[derive(Debug, Default)]
pub(super) struct ReturnedTasks(Mutex<BTreeMap<u64, Option<String>>>);

impl ReturnedTasks {
    pub(super) fn add(&self, id: u64, output: &dyn Any) {
        lock(&self.0).insert(id, error_in(output));
    }

    pub(super) fn joined(&self, id: u64) {
        lock(&self.0).remove(&id);
    }

    /// `a thread or task of the node has returned an error: …`, or that some have ended.
    pub(super) fn describe(&self) -> Option<String> {
        let all = lock(&self.0);
        if let Some(error) = all.values().flatten().next() {
            return Some(format!("a thread or task of the node has returned an error: {error}"));
        }
        match all.len() {
            0 => None,
            1 => Some("a thread or task of the node has ended".to_owned()),
            count => Some(format!("{count} threads or tasks of the node have ended")),
        }
    }
}

/// The text of the error that a thread or task has returned, if it is of a frequent type. Of
/// others it is not known that they are errors.
fn error_in(output: &dyn Any) -> Option<String> {
    fn of<E: Display + 'static>(output: &dyn Any) -> Option<String> {
        output.downcast_ref::<Result<(), E>>()?.as_ref().err().map(ToString::to_string)
    }
    of::<io::Error>(output)
        .or_else(|| of::<Error>(output))
        .or_else(|| of::<Box<dyn StdError + Send + Sync>>(output))
        .or_else(|| of::<String>(output))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(outputs: &[&dyn Any]) -> Option<String> {
        let returned = ReturnedTasks::default();
        (0..).zip(outputs).for_each(|(id, output)| returned.add(id, *output));
        returned.describe()
    }

    #[test]
    fn what_has_returned_is_described() {
        let failed = Err::<(), _>(io::Error::other("no address"));
        let boxed = Err::<(), Box<dyn StdError + Send + Sync>>("no address".into());
        let error = Some("a thread or task of the node has returned an error: no address");
        assert_eq!(described(&[]), None);
        assert_eq!(described(&[&failed]).as_deref(), error);
        assert_eq!(described(&[&7, &boxed]).as_deref(), error);
        let ended = Some("a thread or task of the node has ended");
        assert_eq!(described(&[&Ok::<(), io::Error>(())]).as_deref(), ended);
        assert_eq!(
            described(&[&(), &7]).as_deref(),
            Some("2 threads or tasks of the node have ended")
        );
    }

    #[test]
    fn what_was_joined_is_known_to_the_test() {
        let returned = ReturnedTasks::default();
        returned.add(3, &());
        returned.joined(3);
        assert_eq!(returned.describe(), None);
    }
}
