//! Finds the records that failed tests left.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nstest_core::private::files::{EVENTS, LATEST, NSTEST, WRITTEN, is_record};
use nstest_core::private::shown;

/// The directory of one record. `path` is that directory, one above it, or `latest`.
///
/// # Errors
/// A message for the user: what is missing, and where a path comes from.
pub(super) fn find(path: &Path) -> Result<PathBuf, String> {
    let below = |directory: &Path| {
        let candidates = [directory.to_owned(), directory.join(LATEST)];
        candidates.into_iter().find(|candidate| candidate.join(EVENTS).is_file())
    };
    let found = match all() {
        Ok(all) if path == Path::new(LATEST) => below(&all),
        Err(missing) if path == Path::new(LATEST) && !path.exists() => return Err(missing),
        _ => below(path),
    };
    found.ok_or_else(|| missing(path))
}

/// Why there is no record.
fn missing(path: &Path) -> String {
    let shown = shown::path(path);
    let denied = |error: io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    if path.join(EVENTS).metadata().is_err_and(denied) {
        return format!("the record in `{shown}` cannot be read: permission denied");
    }
    match all() {
        Ok(all) if path == Path::new(LATEST) => format!(
            "no test has failed that has not passed since: nothing is `{LATEST}` in `{}`",
            shown::path(&all)
        ),
        _ => format!(
            "no record of a test in `{shown}`; a failed test prints its own after `record in`"
        ),
    }
}

/// The directory with all records: that of the environment, or of the nearest directory above
/// the current one with a target directory that has records.
///
/// # Errors
/// A message for the user.
pub(super) fn all() -> Result<PathBuf, String> {
    let current = env::current_dir().map_err(|error| format!("no current directory: {error}"))?;
    let given = ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR"].into_iter();
    let given = given.filter_map(env::var_os).find(|target| !target.is_empty());
    let targets: Vec<PathBuf> = match given {
        Some(target) => vec![current.join(target)],
        None => current.ancestors().map(|directory| directory.join("target")).collect(),
    };
    let found = targets.iter().map(|target| target.join(NSTEST)).find(|path| path.is_dir());
    found.ok_or_else(|| match targets.as_slice() {
        [only] => format!("no test has left a record in `{}`", shown::path(&only.join(NSTEST))),
        _ => format!(
            "no test has left a record in `target/{NSTEST}` of `{}` or of a directory above; \
             for another target directory, set CARGO_TARGET_DIR",
            shown::path(&current)
        ),
    })
}

/// What was removed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Removed {
    pub(super) records: usize,
    pub(super) bytes: u64,
}

/// Removes all records below a directory, the links to them, and directories that are empty
/// afterwards. Anything else stays: the directory may be one that only has the same name.
///
/// # Errors
/// What the file system refuses.
pub(super) fn remove(directory: &Path) -> io::Result<Removed> {
    let mut removed = Removed::default();
    if is_record(directory) {
        for entry in fs::read_dir(directory)? {
            removed.bytes += entry?.path().symlink_metadata()?.len();
        }
        fs::remove_dir_all(directory)?;
        return Ok(Removed { records: 1, ..removed });
    }
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            let below = remove(&entry.path())?;
            removed.records += below.records;
            removed.bytes += below.bytes;
        }
    }
    if removed.records > 0 {
        for name in [LATEST, WRITTEN] {
            let path = directory.join(name);
            // It fails if there is none. The target of a link has just been removed.
            if name == WRITTEN || path.is_symlink() && !path.exists() {
                let _ = fs::remove_file(path);
            }
        }
        let _ = fs::remove_dir(directory); // it fails if something else is in it
    }
    Ok(removed)
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
        assert_eq!(remove(&root).unwrap(), Removed { records: 1, bytes: 42 });
        assert!(!root.join("binary/test").exists());
        assert_eq!(remove(&root).unwrap(), Removed::default());
        assert!(root.join("binary/events.jsonl").exists() && root.join("binary/src").exists());
        fs::remove_dir_all(root).unwrap();
    }
}
