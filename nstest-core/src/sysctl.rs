//! Kernel settings of a network namespace: files under /proc/sys/net.
//!
//! The traps:
//! - /proc/sys/net shows the namespace of the thread that *opens* the file, whichever process
//!   /proc was mounted for (`net_ctl_root` uses `current`, net/sysctl_net.c). So the thread
//!   must be in the namespace, and open the file each time.
//! - A new namespace inherits IPv4 settings from the host (ip(7),
//!   `devconf_inherit_init_net`). So every setting that matters is written.
//! - The kernel may refuse a value that the setting already has. Only the first namespace may
//!   make a congestion control the default that is not in `tcp_allowed_congestion_control`;
//!   in others this is EPERM, even for the inherited value
//!   (tcp_set_default_congestion_control, net/ipv4/tcp_cong.c).
//! - A setting that does not exist (`neigh/default`, or all of `ipv6` if the host has it
//!   disabled) is ENOENT. A read-only /proc/sys, as in a container, is EROFS.

mod instance;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use litemap::LiteMap;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;

use crate::error::{Error, ErrorCode, Result};

const ROOT: &str = "/proc/sys/net";

/// A setting that could not be written. The caller decides whether that is an error.
#[derive(Debug)]
pub(crate) struct Unwritten {
    /// As in `ipv4/ip_forward`.
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) cause: io::Error,
}

/// Writes all these settings of the calling thread's namespace. Returns those that could not
/// be written and have another value: each has the value of the host.
///
/// # Errors
/// If files or memory have run out, which says nothing about a setting.
pub(crate) fn write_all<'a>(
    settings: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Vec<Unwritten>> {
    let mut directories = Directories::of_new_namespace();
    let mut write = |(key, value)| match directories.store(key, value) {
        Ok(()) => None,
        Err(cause) if has_run_out(&cause) => Some(Err(refused(key, value, cause))),
        Err(_) if directories.load(key).is_ok_and(|present| present == value) => None,
        Err(cause) => Some(Ok(Unwritten { key: key.to_owned(), value: value.to_owned(), cause })),
    };
    settings.into_iter().filter_map(|(key, value): (&str, &str)| write((key, value))).collect()
}

fn has_run_out(error: &io::Error) -> bool {
    use nix::libc::{EMFILE, ENFILE, ENOMEM};
    error.raw_os_error().is_some_and(|errno| [EMFILE, ENFILE, ENOMEM].contains(&errno))
}

fn refused(key: &str, value: &str, cause: io::Error) -> Error {
    Error::new(ErrorCode::Sysctl, format!("set the sysctl {} to {value:?}", name(key)))
        .source(cause)
}

/// Writes one setting of the calling thread's namespace.
pub(crate) fn write(key: &str, value: &str) -> Result<()> {
    Directories::new().store(key, value).map_err(|cause| {
        let is_read_only = cause.raw_os_error() == Some(nix::libc::EROFS);
        let error = refused(key, value, cause);
        if !is_read_only {
            return error;
        }
        error.help(
            "mount /proc/sys writable; docs/src/troubleshooting.md#proc-sys-read-only has the option \
             of each container runtime",
        )
    })
}

/// Whether the kernel has IPv6. A kernel booted with `ipv6.disable=1` has the module, but no
/// such sockets. The result is cached.
pub(crate) fn has_ipv6() -> bool {
    static HAS_IT: OnceLock<bool> = OnceLock::new();
    *HAS_IT.get_or_init(|| {
        let error = std::net::UdpSocket::bind(("::", 0)).err();
        error.is_none_or(|error| error.raw_os_error() != Some(nix::libc::EAFNOSUPPORT))
    })
}

/// Reads one setting of the calling thread's namespace.
pub(crate) fn read(key: &str) -> Result<String> {
    Directories::new().load(key).map_err(|cause| {
        Error::new(ErrorCode::Sysctl, format!("read the sysctl {}", name(key))).source(cause)
    })
}

/// The name of a setting as sysctl(8) has it, such as `net.ipv4.ip_forward`.
///
/// If the name of an interface in it contains a dot, the separator stays `/`.
pub(crate) fn name(key: &str) -> String {
    let separator = if key.contains('.') { "/" } else { "." };
    format!("net/{key}").replace('/', separator)
}

/// The directories of one namespace's settings, each opened once. Resolving the path is a
/// third of the cost of a setting in a new namespace.
struct Directories<'a> {
    /// /proc/sys/net of another instance of proc.
    root: Option<Arc<OwnedFd>>,
    opened: LiteMap<&'a str, OwnedFd>,
}

impl<'a> Directories<'a> {
    /// Those of /proc.
    fn new() -> Self {
        Self { root: None, opened: LiteMap::new() }
    }

    /// Those for many settings of a namespace that may be one of hundreds.
    fn of_new_namespace() -> Self {
        Self { root: instance::for_namespace(), opened: LiteMap::new() }
    }

    /// Writes the value with a single `write`, as the kernel expects it.
    fn store(&mut self, key: &'a str, value: &str) -> io::Result<()> {
        self.open(key, OFlag::O_WRONLY)?.write_all(value.as_bytes())
    }

    fn load(&mut self, key: &'a str) -> io::Result<String> {
        let mut text = String::new();
        self.open(key, OFlag::O_RDONLY)?.read_to_string(&mut text)?;
        Ok(text.trim_end().to_owned())
    }

    fn open(&mut self, key: &'a str, access: OFlag) -> io::Result<File> {
        let (parent, name) = key.rsplit_once('/').unwrap_or((".", key));
        let flags = access | OFlag::O_CLOEXEC;
        Ok(openat(self.directory(parent)?, name, flags, Mode::empty())?.into())
    }

    /// The kernel looks `ipv4` and `ipv6` up among those of all namespaces, so that all others
    /// are opened relative to these.
    fn directory(&mut self, path: &'a str) -> io::Result<&OwnedFd> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        if !self.opened.contains_key(path) {
            let directory = match (path.split_once('/'), &self.root) {
                (Some((first, rest)), _) => {
                    openat(self.directory(first)?, rest, flags, Mode::empty())?
                }
                (None, Some(root)) => openat(root, path, flags, Mode::empty())?,
                (None, None) => open(&Path::new(ROOT).join(path), flags, Mode::empty())?,
            };
            self.opened.insert(path, directory);
        }
        Ok(&self.opened[&path])
    }
}
