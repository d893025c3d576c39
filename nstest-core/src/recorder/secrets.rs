//! The body's side: the file into which TLS libraries write the secrets of connections, which
//! decrypt the packets of the record.

use std::fs::{OpenOptions, Permissions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::channel::{self, Content};

/// Makes the file, and hands it over to the parent, if that wants one. It outlives the mounts of
/// the test there.
pub(crate) fn keep_secrets(path: &Path) -> io::Result<()> {
    let Some(sender) = channel::sender() else { return Ok(()) };
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
    // Programs of the test may be other users.
    file.set_permissions(Permissions::from_mode(0o666))?;
    Ok(sender.send(Content::Secrets, &[file.as_fd()])?)
}
