//! Finds the records that failed tests left.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The directory with all records, below cargo's target directory.
const NSTEST: &str = "nstest";
/// The link to the newest record.
pub(super) const LATEST: &str = "latest";
const EVENTS: &str = "events.jsonl";

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
    found.ok_or_else(|| {
        format!(
            "no record of a test in `{}`; a failed test prints its own after `record in`",
            path.display()
        )
    })
}

/// The directory with all records: that of the environment, or of the nearest directory above
/// the current one with a target directory that has records.
///
/// # Errors
/// A message for the user.
pub(super) fn all() -> Result<PathBuf, String> {
    let current = env::current_dir().map_err(|error| format!("no current directory: {error}"))?;
    let given = ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR"].into_iter().find_map(env::var_os);
    let targets: Vec<PathBuf> = match given {
        Some(target) => vec![current.join(target)],
        None => current.ancestors().map(|directory| directory.join("target")).collect(),
    };
    let found = targets.iter().map(|target| target.join(NSTEST)).find(|path| path.is_dir());
    found.ok_or_else(|| match targets.as_slice() {
        [only] => format!("no test has left a record in `{}`", only.join(NSTEST).display()),
        _ => format!(
            "no test has left a record in `target/{NSTEST}` of `{}` or of a directory above; \
             for another target directory, set CARGO_TARGET_DIR",
            current.display()
        ),
    })
}

/// How many records are in a directory, and their bytes.
pub(super) fn count(directory: &Path) -> (usize, u64) {
    let (mut records, mut bytes) = (0, 0);
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let Ok(metadata) = entry.path().symlink_metadata() else { continue };
        if metadata.is_dir() {
            let below = count(&entry.path());
            (records, bytes) = (records + below.0, bytes + below.1);
        } else if metadata.is_file() {
            records += usize::from(entry.file_name() == EVENTS);
            bytes += metadata.len();
        }
    }
    (records, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_found_by_its_own_path_and_by_that_of_its_test() {
        let root = env::temp_dir().join(format!("nstest-records-{}", std::process::id()));
        let record = root.join("binary/test/1");
        fs::create_dir_all(&record).unwrap();
        assert!(find(&record).unwrap_err().contains("no record of a test in"));
        fs::write(record.join(EVENTS), "{}\n").unwrap();
        assert_eq!(find(&record), Ok(record.clone()));
        assert!(find(&root).is_err());
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("1", root.join("binary/test/latest")).unwrap();
            assert_eq!(find(&root.join("binary/test")), Ok(root.join("binary/test/latest")));
            assert_eq!(count(&root), (1, 3), "links are not followed");
        }
        fs::remove_dir_all(root).unwrap();
    }
}
