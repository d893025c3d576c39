//! A directory that is removed when it is dropped.

use std::fs;
use std::path::{Path, PathBuf};

/// A directory of this process.
#[derive(Debug)]
pub struct Directory(PathBuf);

impl Directory {
    /// A new one. `name` is that of a test.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("nstest-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("make a directory");
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
