//! A record in a directory that the user has named: `nstest run --record PATH`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Folder, at, remove_unfinished};
use crate::evidence::files::{FILES, is_record};

/// The beginning of the name of the directory in which a record is written, within its own. The
/// PID of the process that writes it follows.
const UNFINISHED: &str = ".record.";

impl Folder {
    /// Begins a record in this directory, which may not exist yet. An earlier record in it stays
    /// until this one is [finished](Self::finish).
    ///
    /// # Errors
    /// If the directory has anything but an earlier record, or cannot be written.
    pub(crate) fn given(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        if path.symlink_metadata().is_ok() {
            remove_unfinished(&path);
            let mut entries = 0;
            for entry in fs::read_dir(&path)? {
                may_be_replaced(&entry?)?;
                entries += 1;
            }
            if entries > 0 && !is_record(&path) {
                return Err(io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    "its files are no record",
                ));
            }
        }
        let unfinished = path.join(format!("{UNFINISHED}{}", std::process::id()));
        fs::create_dir_all(&unfinished)?;
        Ok(Self { root: None, unfinished, path })
    }

    /// Puts the files in place of those of an earlier record.
    pub(super) fn finish_given(mut self) -> io::Result<PathBuf> {
        for name in FILES {
            let (new, path) = (self.unfinished.join(name), self.path.join(name));
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(at(&path, &error));
                }
                _ => {}
            }
            match fs::rename(&new, &path) {
                // It could not be written, which was reported.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(at(&path, &error)),
                Ok(()) => {}
            }
        }
        fs::remove_dir(&self.unfinished)?;
        Ok(std::mem::take(&mut self.path))
    }

    /// Removes the directory if nothing is in it.
    pub(super) fn remove_if_empty(&self) {
        if self.root.is_none() && !self.path.as_os_str().is_empty() {
            let _ = fs::remove_dir(&self.path); // it fails if something is in it
        }
    }
}

/// # Errors
/// If an entry of the directory is not part of a record.
fn may_be_replaced(entry: &fs::DirEntry) -> io::Result<()> {
    let name = entry.file_name();
    let name = name.to_string_lossy();
    if FILES.contains(&&*name) && entry.file_type()?.is_file() {
        return Ok(());
    }
    let why = match name.strip_prefix(UNFINISHED) {
        Some(pid) => format!("process {pid} records into it"),
        None => format!("it contains `{name}`, which does not belong to a record"),
    };
    Err(io::Error::new(io::ErrorKind::AlreadyExists, why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::files::EVENTS;

    #[test]
    fn only_an_earlier_record_is_replaced() {
        let path = std::env::temp_dir().join(format!("nstest-given-{}", std::process::id()));
        let records =
            ["1", "2"].map(|time| format!(r#"{{"time":{time},"event":"started","version":1}}"#));
        for content in &records {
            let folder = Folder::given(&path).unwrap();
            let error = Folder::given(&path).unwrap_err().to_string();
            assert_eq!(error, format!("process {} records into it", std::process::id()));
            folder.write(Path::new(EVENTS), content.as_bytes()).unwrap();
            folder.reserve("run", u64::MAX).unwrap();
            assert_eq!(folder.finish().unwrap(), path);
            assert_eq!(&fs::read_to_string(path.join(EVENTS)).unwrap(), content);
            assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
        }
        // What a killed process left is removed; no process has this PID.
        fs::create_dir(path.join(".record.4194305")).unwrap();
        drop(Folder::given(&path).unwrap());
        assert_eq!(fs::read_to_string(path.join(EVENTS)).unwrap(), records[1]);
        fs::write(path.join("notes"), "").unwrap();
        let error = Folder::given(&path).unwrap_err().to_string();
        assert_eq!(error, "it contains `notes`, which does not belong to a record");
        fs::remove_file(path.join("notes")).unwrap();
        fs::rename(path.join(EVENTS), path.join(FILES[1])).unwrap();
        assert_eq!(Folder::given(&path).unwrap_err().to_string(), "its files are no record");
        fs::remove_dir_all(&path).unwrap();
        drop(Folder::given(&path).unwrap());
        assert!(!path.exists(), "it is not left empty");
    }
}
