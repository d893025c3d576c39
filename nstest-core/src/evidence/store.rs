//! Where what is kept of a failed test is written:
//! `target/nstest/<package>.<binary>/<test>/<attempt>`.
//!
//! Whatever fails here is a note, and the verdict stays. [`given`]: in a directory of the user's
//! choice.

mod directory;
#[cfg(feature = "cli")]
mod given;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use self::directory::Directory;
use super::files::{LATEST, NSTEST, WRITTEN};
use crate::fault::random::fnv1a;
use crate::sys::limits::may_write;

/// The longest name of a directory. File systems allow 255 bytes.
const LONGEST: usize = 120;

/// The directory, beside those of failed tests, of records of tests that have passed since. It is
/// hidden, so that `actions/upload-artifact` leaves it out.
const PASSED: &str = ".passed";

/// The most bytes that one test run writes.
const MOST: u64 = 1 << 30;

/// The files of one failed test.
#[derive(Debug)]
pub(crate) struct Folder {
    /// The directory of all records; absent if the user has chosen the path.
    root: Option<PathBuf>,
    /// The directory that the user has chosen.
    #[cfg(feature = "cli")]
    given: Option<Directory>,
    /// Its name while it is written.
    unfinished: PathBuf,
    /// Locked while it is written.
    _lock: Option<Directory>,
    path: PathBuf,
}

/// What a folder is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// The test binary.
    pub(crate) binary: &'a Path,
    /// Its package, if cargo has told it.
    pub(crate) package: Option<&'a str>,
    /// The kind of its target, if several targets of the package can have the name of its crate.
    pub(crate) kind: Option<&'a str>,
    /// The test, as libtest names it.
    pub(crate) test: &'a str,
    /// Which attempt it is, where a runner repeats tests that fail.
    pub(crate) attempt: &'a str,
}

impl Folder {
    /// Makes an empty one, under a name of its own: two processes may run one test.
    ///
    /// # Errors
    /// What the file system refuses.
    pub(crate) fn create(subject: Subject<'_>) -> io::Result<Self> {
        let root = target_directory(subject.binary).join(NSTEST);
        let of_test = root.join(group(subject)).join(file_name(subject.test));
        let attempt = file_name(subject.attempt);
        let unfinished = of_test.join(format!(".{attempt}.{}", std::process::id()));
        let path = of_test.join(attempt);
        // If the new record cannot be written, the old one must not look like it.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&of_test).map_err(|error| at(&of_test, &error))?;
        // Until the new one is locked, another process would take it for one of a dead process.
        let of_all = Directory::lock(&of_test).ok();
        if of_all.as_ref().is_some_and(Directory::is_locked) {
            remove_unfinished(&of_test);
        }
        fs::create_dir_all(&unfinished).map_err(|error| at(&unfinished, &error))?;
        let lock = Directory::lock(&unfinished).ok();
        Ok(Self {
            root: Some(root),
            #[cfg(feature = "cli")]
            given: None,
            unfinished,
            _lock: lock,
            path,
        })
    }

    /// Where it is when it is finished.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts it in place of that of an earlier run, and links to it.
    ///
    /// # Errors
    /// What the file system refuses.
    pub(crate) fn finish(mut self) -> io::Result<PathBuf> {
        #[cfg(feature = "cli")]
        if self.given.is_some() {
            return self.finish_given();
        }
        // Another process may do the same; the last one wins.
        while let Err(error) = fs::rename(&self.unfinished, &self.path) {
            if error.kind() != io::ErrorKind::DirectoryNotEmpty {
                return Err(error);
            }
            match fs::remove_dir_all(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        let (attempt, of_test) = (self.path.file_name(), self.path.parent());
        if let (Some(attempt), Some(of_test)) = (attempt, of_test) {
            point_to(&of_test.join(LATEST), Path::new(attempt));
        }
        let below =
            self.root.as_ref().and_then(|root| Some((root, self.path.strip_prefix(root).ok()?)));
        if let Some((root, below)) = below {
            point_to(&root.join(LATEST), below);
        }
        Ok(std::mem::take(&mut self.path))
    }

    /// Counts bytes that are to be written. Where they cannot be counted, there is no limit, nor in
    /// a directory that the user has chosen.
    ///
    /// # Errors
    /// If the test run has written too many. `run` is the same for all of its processes.
    pub(crate) fn reserve(&self, run: &str, bytes: u64) -> io::Result<()> {
        let Some(root) = &self.root else { return Ok(()) };
        let mut options = File::options();
        let file = options.create(true).truncate(false).read(true).write(true);
        let Ok(file) = file.open(root.join(WRITTEN)) else { return Ok(()) };
        // Until it is closed.
        let Ok(mut file) = Flock::lock(file, FlockArg::LockExclusive) else { return Ok(()) };
        let mut text = String::new();
        let _ = file.read_to_string(&mut text); // an incomplete text counts nothing
        let before =
            text.strip_prefix(run).and_then(|rest| rest.strip_prefix(' ')?.parse::<u64>().ok());
        let sum = before.unwrap_or_default().saturating_add(bytes);
        if sum > MOST {
            let text = format!("the records of this test run would exceed {} MiB", MOST >> 20);
            return Err(io::Error::other(text));
        }
        if may_write(64) && file.set_len(0).and_then(|()| file.rewind()).is_ok() {
            let _ = write!(file, "{run} {sum}"); // the disk may be full
        }
        Ok(())
    }

    /// Writes a file, completely or not at all.
    ///
    /// # Errors
    /// What the file system refuses.
    pub(crate) fn write(&self, name: &Path, content: &[u8]) -> io::Result<()> {
        let path = self.unfinished.join(name);
        if !may_write(content.len() as u64) {
            return Err(io::Error::other("it exceeds the limit of file sizes (`ulimit -f`)"));
        }
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        let written = File::create(&path).and_then(|mut file| file.write_all(content));
        // Half a file would mislead; the first error is the one to report.
        written.inspect_err(|_| drop(fs::remove_file(&path)))
    }
}

/// Moves the record of a test that passes again out of the way, if an earlier run left one.
/// Then `latest` is the newest record of the others.
pub(crate) fn set_aside(subject: Subject<'_>) {
    let root = target_directory(subject.binary).join(NSTEST);
    let (group, name) = (group(subject), file_name(subject.test));
    let of_test = root.join(&group).join(&name);
    if of_test.symlink_metadata().is_err() {
        return;
    }
    let aside = root.join(group).join(PASSED).join(name);
    let _ = fs::remove_dir_all(&aside);
    let moved = fs::create_dir_all(aside.parent().unwrap_or(&root))
        .and_then(|()| fs::rename(&of_test, &aside));
    if moved.is_err() || root.join(LATEST).exists() {
        return;
    }
    match newest(&root).as_ref().and_then(|path| path.strip_prefix(&root).ok()) {
        Some(below) => point_to(&root.join(LATEST), below),
        None => drop(fs::remove_file(root.join(LATEST))),
    }
}

/// The newest record of all tests.
fn newest(root: &Path) -> Option<PathBuf> {
    let in_directory = |path: PathBuf| {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.filter(|it| !it.file_name().as_encoded_bytes().starts_with(b"."))
    };
    let tests = in_directory(root.to_owned()).flat_map(|group| in_directory(group.path()));
    let links = tests.filter_map(|test| {
        let link = test.path().join(LATEST);
        let made = link.symlink_metadata().ok()?.modified().ok()?;
        Some((made, test.path().join(fs::read_link(link).ok()?)))
    });
    links.max().map(|(_, path)| path)
}

impl Drop for Folder {
    /// Removes what is not finished.
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.unfinished); // renamed, if it is finished
        #[cfg(feature = "cli")]
        self.remove_if_empty();
    }
}

/// Removes what processes left that were killed while they wrote: no process has it locked.
fn remove_unfinished(of_test: &Path) {
    for entry in fs::read_dir(of_test).into_iter().flatten().flatten() {
        let path = entry.path();
        let unlocked = || Directory::try_lock(&path).is_ok_and(|it| it.is_locked());
        if is_unfinished(&entry.file_name()) && unlocked() {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// Whether it is the name of a directory in which a process writes: `.1.PID`.
fn is_unfinished(name: &OsStr) -> bool {
    let pid = name.to_str().and_then(|name| name.strip_prefix('.')?.rsplit_once('.'));
    pid.is_some_and(|(_, pid)| !pid.is_empty() && pid.bytes().all(|it| it.is_ascii_digit()))
}

fn at(path: &Path, error: &dyn std::fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}

/// Replaces a link in one step, since other tests do the same. If that fails, there is none: it
/// would point to an older record.
fn point_to(link: &Path, target: &Path) {
    let own = link.with_extension(std::process::id().to_string());
    let _ = fs::remove_file(&own); // of a process that was killed
    if symlink(target, &own).and_then(|()| fs::rename(&own, link)).is_err() {
        let _ = fs::remove_file(own);
        let _ = fs::remove_file(link);
    }
}

/// What cargo leaves in its target directory. It makes CACHEDIR.TAG only where it makes the
/// directory itself.
const OF_CARGO: [&str; 2] = ["CACHEDIR.TAG", ".rustc_info.json"];

/// cargo's target directory. A binary that was moved elsewhere has its own directory.
fn target_directory(binary: &Path) -> &Path {
    let has = |path: &&Path, names: &[&str]| names.iter().any(|name| path.join(name).exists());
    let mut above = binary.ancestors().skip(1);
    let of_cargo = above.clone().find(|path| has(path, &OF_CARGO));
    // Such as target/debug, if neither file is there.
    let profile = above.find(|path| has(path, &[".fingerprint"]));
    of_cargo.or(profile.and_then(Path::parent)).or(binary.parent()).unwrap_or(Path::new("."))
}

/// The binary, after its package if that has another name. Where targets of several kinds can
/// have one name, the kind stands between them.
fn group(subject: Subject<'_>) -> String {
    let stem = subject.binary.file_stem().unwrap_or_default().to_string_lossy();
    let name = without_hash(&stem);
    if let Some(kind) = subject.kind {
        return file_name(&format!("{}.{kind}.{name}", subject.package.unwrap_or(name)));
    }
    match subject.package.filter(|package| package.replace('-', "_") != name) {
        Some(package) => file_name(&format!("{package}.{name}")),
        None => file_name(name),
    }
}

/// The name of a binary without the hash that cargo appends to it.
fn without_hash(stem: &str) -> &str {
    let is_hash = |text: &str| text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
    match stem.rsplit_once('-') {
        Some((name, hash)) if is_hash(hash) => name,
        _ => stem,
    }
}

/// A name that every file system and every store of artifacts accepts: GitHub's refuses `:`.
/// A name that had to be changed in another way than `::` gets a hash, so that no two tests
/// have the same.
fn file_name(name: &str) -> String {
    let plain = name.replace("::", ".");
    let allowed = |c: char| c.is_alphanumeric() || "._-".contains(c);
    let mut kept: String = plain.chars().map(|c| if allowed(c) { c } else { '_' }).collect();
    let fits = kept == plain && kept.len() <= LONGEST && !kept.starts_with('.');
    if !fits {
        let end = (0..=LONGEST.min(kept.len())).rev().find(|at| kept.is_char_boundary(*at));
        kept.truncate(end.unwrap_or(0));
        kept = format!("{}-{:016x}", kept.trim_start_matches('.'), fnv1a(name.as_bytes()));
    }
    kept
}

#[cfg(test)]
mod tests;
