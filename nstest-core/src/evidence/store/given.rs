//! A record in a directory that the user has named: `nstest run --record PATH`.

use std::fs::{self, Metadata};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::directory::Directory;
use super::{Folder, at, is_unfinished, remove_unfinished};
use crate::evidence::files::{FILES, is_record};
use crate::evidence::shown;

/// The beginning of the name of the directory in which a record is written, within its own. The
/// PID of the process that writes it follows.
const UNFINISHED: &str = ".record.";

/// A path of the directory itself, for this process: its own path may lead elsewhere when the
/// record is written.
fn held(directory: &Directory) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", directory.file().as_raw_fd()))
}

impl Folder {
    /// Begins a record in this directory, which may not exist yet. An earlier record in it stays
    /// until this one is [finished](Self::finish).
    ///
    /// # Errors
    /// If the directory has anything but an earlier record, or cannot be written.
    pub(crate) fn given(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let is_new = path.symlink_metadata().is_err();
        if is_new {
            fs::create_dir_all(&path)?;
        }
        let directory = Directory::try_lock(&path).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => busy("another process records into it".to_owned()),
            _ => error,
        })?;
        let held = held(&directory);
        let unfinished = held.join(format!("{UNFINISHED}{}", std::process::id()));
        let begin = || {
            if directory.is_locked() {
                remove_unfinished(&held);
            }
            let mut entries = 0;
            for entry in fs::read_dir(&held)? {
                may_be_replaced(&path, &entry?)?;
                entries += 1;
            }
            if entries > 0 && !is_record(&held) {
                let why = "its files are no record";
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
            }
            fs::create_dir(&unfinished)
        };
        if let Err(error) = begin() {
            if is_new {
                let _ = fs::remove_dir(&path); // it fails if something is in it
            }
            return Err(error);
        }
        Ok(Self { root: None, given: Some(directory), unfinished, _lock: None, path })
    }

    /// Puts the files in place of those of an earlier record.
    pub(super) fn finish_given(mut self) -> io::Result<PathBuf> {
        let held = held(self.given.as_ref().ok_or(io::ErrorKind::NotFound)?);
        // It may have been moved.
        let path = fs::read_link(&held).unwrap_or_else(|_| self.path.clone());
        for name in FILES {
            let (new, old) = (self.unfinished.join(name), held.join(name));
            match fs::remove_file(&old) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(at(&path.join(name), &error));
                }
                _ => {}
            }
            match fs::rename(&new, &old) {
                // It could not be written, which was reported.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(at(&path.join(name), &error)),
                Ok(()) => {}
            }
        }
        fs::remove_dir(&self.unfinished)?;
        self.path = PathBuf::new();
        Ok(path)
    }

    /// Removes the directory if nothing is in it, and its path still leads to it.
    pub(super) fn remove_if_empty(&self) {
        let Some(directory) = &self.given else { return };
        let same =
            |held: Metadata, path: Metadata| (held.dev(), held.ino()) == (path.dev(), path.ino());
        let metadata =
            directory.file().metadata().and_then(|held| Ok((held, self.path.metadata()?)));
        if metadata.is_ok_and(|(held, path)| same(held, path)) {
            let _ = fs::remove_dir(&self.path); // it fails if something is in it
        }
    }
}

/// # Errors
/// If an entry of the directory is not part of a record.
fn may_be_replaced(directory: &Path, entry: &fs::DirEntry) -> io::Result<()> {
    let name = entry.file_name();
    if FILES.iter().any(|file| name == **file) && entry.file_type()?.is_file() {
        return Ok(());
    }
    let shown_name = name.to_string_lossy();
    // Of a killed process, it has been removed if the directory could be locked.
    if shown_name.starts_with(UNFINISHED) && is_unfinished(&name) {
        let path = shown::path(&directory.join(&name));
        return Err(busy(format!(
            "another process records into it, or was killed; if none runs, remove {path}"
        )));
    }
    let why = format!(
        "it contains `{}`, which does not belong to a record",
        shown::in_one_line(&shown_name)
    );
    Err(io::Error::new(io::ErrorKind::AlreadyExists, why))
}

fn busy(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::ResourceBusy, why)
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
            assert_eq!(error, "another process records into it");
            folder.write(Path::new(EVENTS), content.as_bytes()).unwrap();
            folder.reserve("run", u64::MAX).unwrap();
            assert_eq!(folder.finish().unwrap(), path);
            assert_eq!(&fs::read_to_string(path.join(EVENTS)).unwrap(), content);
            assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
        }
        // What a killed process left is removed, also if its PID is that of another one by now.
        for pid in [1, std::process::id(), 4_194_305] {
            fs::create_dir(path.join(format!(".record.{pid}"))).unwrap();
        }
        drop(Folder::given(&path).unwrap());
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
        assert_eq!(fs::read_to_string(path.join(EVENTS)).unwrap(), records[1]);
        for name in ["notes", ".record.x", ".record."] {
            fs::write(path.join(name), "").unwrap();
            let error = Folder::given(&path).unwrap_err().to_string();
            assert_eq!(error, format!("it contains `{name}`, which does not belong to a record"));
            fs::remove_file(path.join(name)).unwrap();
        }
        fs::rename(path.join(EVENTS), path.join(FILES[1])).unwrap();
        assert_eq!(Folder::given(&path).unwrap_err().to_string(), "its files are no record");
        fs::remove_dir_all(&path).unwrap();
        drop(Folder::given(&path).unwrap());
        assert!(!path.exists(), "it is not left empty");
    }

    #[test]
    fn the_directory_is_the_one_that_the_path_led_to_at_the_start() {
        let at = |name| std::env::temp_dir().join(format!("nstest-{name}-{}", std::process::id()));
        let (path, moved) = (at("held"), at("moved"));
        let folder = Folder::given(&path).unwrap();
        fs::rename(&path, &moved).unwrap();
        fs::create_dir(&path).unwrap();
        folder.write(Path::new(EVENTS), b"{}").unwrap();
        assert_eq!(folder.finish().unwrap(), moved);
        assert_eq!(fs::read_to_string(moved.join(EVENTS)).unwrap(), "{}");
        let folder = Folder::given(&moved).unwrap_err();
        assert_eq!(folder.to_string(), "its files are no record");
        fs::remove_file(moved.join(EVENTS)).unwrap();
        let folder = Folder::given(&moved).unwrap();
        fs::remove_dir(&path).unwrap();
        fs::rename(&moved, &path).unwrap();
        fs::create_dir(&moved).unwrap();
        drop(folder);
        assert!(moved.exists(), "it is another directory");
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
        for directory in [path, moved] {
            fs::remove_dir(directory).unwrap();
        }
    }
}
