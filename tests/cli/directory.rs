//! A directory that is removed when it is dropped.

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) struct Directory(PathBuf);

impl Directory {
    /// A new one. `name` is that of a test.
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("nstest-cli-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
