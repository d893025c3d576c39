//! A directory that is removed when it is dropped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

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

    /// A new script of sh. Another process writes it: a child that another test starts at this
    /// moment would have it open, and so it could not be executed (ETXTBSY).
    pub(crate) fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        let write = "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$0\" && chmod 755 \"$0\"";
        let written = Command::new("sh").args(["-c", write]).arg(&path).arg(text).status();
        assert!(written.unwrap().success());
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
