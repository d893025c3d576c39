//! Finds the records that failed tests left.

use std::env;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use nstest_core::private::files::{CARD, EVENTS, LATEST, NSTEST, WRITTEN, is_record};
use nstest_core::private::shown;

/// The directory of one record. `path` is that directory, one above it, or `latest`.
///
/// # Errors
/// A message for the user: what is missing, and where a path comes from.
pub(super) fn find(path: &Path) -> Result<PathBuf, String> {
    let all = if path == Path::new(LATEST) { Some(all()) } else { None };
    let (directory, missing) = match all {
        Some(Ok(all)) => {
            let missing = no_latest(&all);
            (all, missing)
        }
        Some(Err(missing)) if !path.exists() => return Err(missing.into_message()),
        _ => {
            let shown = shown::path(path);
            let printed = "a failed test prints its own after `record in`";
            (path.to_owned(), format!("no record of a test in `{shown}`; {printed}"))
        }
    };
    for candidate in [directory.clone(), directory.join(LATEST)] {
        for name in [EVENTS, CARD] {
            if look_at(&candidate.join(name))?.is_some_and(|found| !found.is_dir()) {
                return Ok(candidate);
            }
        }
    }
    Err(missing)
}

/// Why nothing is the latest record.
fn no_latest(all: &Path) -> String {
    let shown = shown::path(all);
    match all.join(LATEST).symlink_metadata() {
        Ok(_) => format!("no record of a test in `{LATEST}` of `{shown}`"),
        Err(_) => format!(
            "no test has failed that has not passed since: nothing is `{LATEST}` in `{shown}`"
        ),
    }
}

/// What is at a path, if anything is.
///
/// # Errors
/// A message for the user, if that cannot be found out.
fn look_at(path: &Path) -> Result<Option<Metadata>, String> {
    match path.metadata() {
        Ok(found) => Ok(Some(found)),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
            _ => Err(format!("cannot read `{}`: {error}", shown::path(path))),
        },
    }
}

/// Why there is no directory with all records.
#[derive(Debug)]
pub(super) enum NoRecords {
    /// No test has left one.
    Nothing(String),
    /// It could not be found out.
    Unknown(String),
}

impl NoRecords {
    fn into_message(self) -> String {
        let (Self::Nothing(message) | Self::Unknown(message)) = self;
        message
    }
}

/// The directory with all records: that of the environment, or of the nearest directory above
/// the current one with a target directory that has records.
///
/// # Errors
/// With a message for the user.
pub(super) fn all() -> Result<PathBuf, NoRecords> {
    let given = ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR"].into_iter();
    let given = given.filter_map(env::var_os).find(|target| !target.is_empty());
    if let Some(target) = given.as_ref().map(Path::new).filter(|target| target.is_absolute()) {
        return first(&[target.to_owned()], Path::new("/"));
    }
    let current = env::current_dir()
        .map_err(|error| NoRecords::Unknown(format!("no current directory: {error}")))?;
    let targets: Vec<PathBuf> = match given {
        Some(target) => vec![current.join(target)],
        None => current.ancestors().map(|directory| directory.join("target")).collect(),
    };
    first(&targets, &current)
}

/// The records in the first target directory that has some.
fn first(targets: &[PathBuf], current: &Path) -> Result<PathBuf, NoRecords> {
    for target in targets {
        let path = target.join(NSTEST);
        if look_at(&path).map_err(NoRecords::Unknown)?.is_some_and(|found| found.is_dir()) {
            return Ok(path);
        }
    }
    Err(NoRecords::Nothing(match targets {
        [only] => format!("no test has left a record in `{}`", shown::path(&only.join(NSTEST))),
        _ => format!(
            "no test has left a record in `target/{NSTEST}` of `{}` or of a directory above; \
             for another target directory, set CARGO_TARGET_DIR",
            shown::path(current)
        ),
    }))
}

/// What was removed, and what not.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Removed {
    pub(super) records: usize,
    pub(super) bytes: u64,
    /// Why something could not be removed, with its path.
    pub(super) failed: Vec<String>,
}

/// Removes all records below a directory, the links to them, and directories that are empty
/// afterwards. Anything else stays: the directory may be one that only has the same name.
pub(super) fn remove(directory: &Path) -> Removed {
    let mut removed = Removed::default();
    removed.below(directory);
    removed
}

impl Removed {
    fn below(&mut self, directory: &Path) {
        if is_record(directory) {
            match self.record(directory) {
                Ok(()) => self.records += 1,
                Err(message) => self.failed.push(message),
            }
            return;
        }
        let before = self.records;
        match entries(directory) {
            Ok(entries) => {
                for path in entries.iter().filter(|path| !path.is_symlink() && path.is_dir()) {
                    self.below(path);
                }
            }
            Err(message) => self.failed.push(message),
        }
        if self.records > before {
            for name in [LATEST, WRITTEN] {
                let path = directory.join(name);
                // It fails if there is none. The target of a link has just been removed.
                if name == WRITTEN || path.is_symlink() && !path.exists() {
                    let _ = fs::remove_file(path);
                }
            }
            let _ = fs::remove_dir(directory); // it fails if something else is in it
        }
    }

    /// Removes a directory. Its events are the last: until then, it is a record.
    fn record(&mut self, directory: &Path) -> Result<(), String> {
        let mut entries = entries(directory)?;
        entries.sort_by_key(|path| path.ends_with(EVENTS));
        for path in entries {
            let found = path.symlink_metadata().map_err(|error| not_removed(&path, &error))?;
            if found.is_dir() {
                self.record(&path)?;
            } else {
                fs::remove_file(&path).map_err(|error| not_removed(&path, &error))?;
                self.bytes += found.len();
            }
        }
        fs::remove_dir(directory).map_err(|error| not_removed(directory, &error))
    }
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let read =
        || fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>();
    read().map_err(|error| format!("cannot read `{}`: {error}", shown::path(directory)))
}

fn not_removed(path: &Path, error: &io::Error) -> String {
    format!("cannot remove `{}`: {error}", shown::path(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_found_by_its_path_and_by_that_of_its_test_and_only_it_is_removed() {
        let root = env::temp_dir().join(format!("nstest-records-{}", std::process::id()));
        let record = root.join("binary/test/1");
        fs::create_dir_all(&record).unwrap();
        assert!(find(&record).unwrap_err().contains("no record of a test in"));
        fs::write(record.join(EVENTS), r#"{"time":0.0,"event":"started","version":1}"#).unwrap();
        assert_eq!(find(&record), Ok(record.clone()));
        assert!(find(&root).is_err());
        fs::write(root.join("binary/events.jsonl"), "of another program").unwrap();
        fs::create_dir(root.join("binary/src")).unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("1", root.join("binary/test/latest")).unwrap();
            assert_eq!(find(&root.join("binary/test")), Ok(root.join("binary/test/latest")));
        }
        assert_eq!(remove(&root), Removed { records: 1, bytes: 42, failed: Vec::new() });
        assert!(!root.join("binary/test").exists());
        assert_eq!(remove(&root), Removed::default());
        assert!(root.join("binary/events.jsonl").exists() && root.join("binary/src").exists());
        fs::remove_dir_all(root).unwrap();
    }
}
