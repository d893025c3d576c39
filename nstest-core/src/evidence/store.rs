//! Where what is kept of a failed test is written:
//! `target/nstest/<package>.<binary>/<test>/<attempt>`.
//!
//! Whatever fails here is a note, and the verdict stays.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use crate::fault::random::fnv1a;
use crate::sys::limits::may_write;

/// The directory below the target directory.
const NSTEST: &str = "nstest";

/// The link to the newest of several directories.
const LATEST: &str = "latest";

/// The longest name of a directory. File systems allow 255 bytes.
const LONGEST: usize = 120;

/// The file that says how many bytes the present test run has written.
const WRITTEN: &str = ".written";

/// The most bytes that one test run writes.
const MOST: u64 = 1 << 30;

/// The files of one failed test.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    /// Its name while it is written.
    unfinished: PathBuf,
    path: PathBuf,
}

/// What a folder is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// The test binary.
    pub(crate) binary: &'a Path,
    /// Its package, if cargo has told it.
    pub(crate) package: Option<&'a str>,
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
        remove_unfinished(&of_test);
        fs::create_dir_all(&unfinished).map_err(|error| at(&unfinished, &error))?;
        Ok(Self { root, unfinished, path })
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
            point_to(&of_test.join(LATEST), Path::new(attempt))?;
        }
        if let Ok(below) = self.path.strip_prefix(&self.root) {
            point_to(&self.root.join(LATEST), below)?;
        }
        Ok(std::mem::take(&mut self.path))
    }

    /// Counts bytes that are to be written.
    ///
    /// # Errors
    /// If the test run has written too many. `run` is the same for all of its processes.
    pub(crate) fn reserve(&self, run: &str, bytes: u64) -> io::Result<()> {
        if !may_write(64) {
            return Err(at(&self.root, &"files may have no content (`ulimit -f`)"));
        }
        let mut options = File::options();
        let file = options.create(true).truncate(false).read(true).write(true);
        let file = file.open(self.root.join(WRITTEN))?;
        let locked = Flock::lock(file, FlockArg::LockExclusive);
        let mut file = locked.map_err(|(_, errno)| errno)?; // until it is closed
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let before =
            text.strip_prefix(run).and_then(|rest| rest.strip_prefix(' ')?.parse::<u64>().ok());
        let sum = before.unwrap_or_default().saturating_add(bytes);
        if sum > MOST {
            let text = format!("the records of this test run would exceed {} MiB", MOST >> 20);
            return Err(io::Error::other(text));
        }
        file.set_len(0)?;
        file.rewind()?;
        write!(file, "{run} {sum}")
    }

    /// Writes a file, completely or not at all.
    ///
    /// # Errors
    /// What the file system refuses.
    pub(crate) fn write(&self, name: &Path, content: &[u8]) -> io::Result<()> {
        let path = self.unfinished.join(name);
        if !may_write(content.len() as u64) {
            return Err(at(&path, &"it exceeds the limit of file sizes (`ulimit -f`)"));
        }
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        let written = File::create(&path).and_then(|mut file| file.write_all(content));
        written.map_err(|error| {
            // Half a file would mislead; the first error is the one to report.
            let _ = fs::remove_file(&path);
            at(&path, &error)
        })
    }
}

impl Drop for Folder {
    /// Removes what is not finished.
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.unfinished); // renamed, if it is finished
    }
}

/// Removes what processes left that were killed while they wrote.
fn remove_unfinished(of_test: &Path) {
    for entry in fs::read_dir(of_test).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| name.strip_prefix('.')?.rsplit_once('.'));
        let id = id.and_then(|(_, id)| id.parse::<u32>().ok());
        if id.is_some_and(|id| !Path::new("/proc").join(id.to_string()).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn at(path: &Path, error: &dyn std::fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}

/// Replaces a link in one step, since other tests do the same.
fn point_to(link: &Path, target: &Path) -> io::Result<()> {
    let own = link.with_extension(std::process::id().to_string());
    let _ = fs::remove_file(&own); // of a process that was killed
    symlink(target, &own)?;
    fs::rename(&own, link)
}

/// cargo's target directory: the one with its CACHEDIR.TAG. A binary that was moved elsewhere
/// has its own directory.
fn target_directory(binary: &Path) -> &Path {
    let directories = binary.ancestors().skip(1);
    let tagged = directories.into_iter().find(|path| path.join("CACHEDIR.TAG").exists());
    tagged.or(binary.parent()).unwrap_or(Path::new("."))
}

/// The binary, after its package if that has another name.
fn group(subject: Subject<'_>) -> String {
    let stem = subject.binary.file_stem().unwrap_or_default().to_string_lossy();
    let name = without_hash(&stem);
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
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_files_and_differ() {
        for (name, file) in [("a::b", "a.b"), ("größe_1", "größe_1"), ("x-y", "x-y")] {
            assert_eq!(file_name(name), file);
        }
        let long = "n".repeat(300);
        let names = ["a/b", "a:b", "a b", "", "..", "../x", long.as_str(), &long[..299]];
        let files: Vec<String> = names.iter().map(|name| file_name(name)).collect();
        for (nth, file) in files.iter().enumerate() {
            assert!(!file.contains(['/', ':', ' ']) && !file.starts_with('.'), "{file}");
            assert!(file.len() < 255 && !files[..nth].contains(file), "{file}");
        }
    }

    #[test]
    fn a_folder_replaces_that_of_an_earlier_run_and_has_links() {
        let target = std::env::temp_dir().join(format!("nstest-store-{}", std::process::id()));
        let binary = target.join("it-0123456789abcdef");
        let subject = Subject { binary: &binary, package: Some("p"), test: "a::b", attempt: "1" };
        fs::create_dir_all(&target).unwrap();
        for content in ["first", "second"] {
            let folder = Folder::create(subject).unwrap();
            folder.write(Path::new("x"), content.as_bytes()).unwrap();
            let path = folder.finish().unwrap();
            assert_eq!(path, target.join("nstest/p.it/a.b/1"));
            for directory in [target.join("nstest/latest"), target.join("nstest/p.it/a.b/latest")] {
                assert_eq!(fs::read_to_string(directory.join("x")).unwrap(), content);
            }
        }
        drop(Folder::create(subject).unwrap());
        let names = fs::read_dir(target.join("nstest/p.it/a.b")).unwrap();
        assert_eq!(names.count(), 1, "only the link is left: the new record was not finished");
        fs::remove_dir_all(target).unwrap();
    }

    #[test]
    fn one_test_run_does_not_fill_the_disk() {
        let target = std::env::temp_dir().join(format!("nstest-most-{}", std::process::id()));
        fs::create_dir_all(&target).unwrap();
        let binary = target.join("it");
        let subject = Subject { binary: &binary, package: None, test: "a", attempt: "1" };
        let folder = Folder::create(subject).unwrap();
        folder.reserve("run-1", MOST - 1).unwrap();
        let error = folder.reserve("run-1", 2).unwrap_err();
        assert_eq!(error.to_string(), "the records of this test run would exceed 1024 MiB");
        folder.reserve("run-1", 1).unwrap();
        folder.reserve("run-10", 2).unwrap();
        drop(folder);
        fs::remove_dir_all(target).unwrap();
    }

    #[test]
    fn the_hash_of_cargo_is_left_out() {
        assert_eq!(without_hash("my-tests-0123456789abcdef"), "my-tests");
        assert_eq!(without_hash("my-tests"), "my-tests");
        let subject = |package| Subject {
            binary: Path::new("/t/debug/deps/topology-0123456789abcdef"),
            package,
            test: "a",
            attempt: "1",
        };
        assert_eq!(group(subject(Some("nstest-tests"))), "nstest-tests.topology");
        assert_eq!(group(subject(Some("topology"))), "topology");
        assert_eq!(group(subject(None)), "topology");
    }
}
