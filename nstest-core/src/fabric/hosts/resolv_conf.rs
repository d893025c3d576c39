//! The servers for names that /etc/hosts does not have: /etc/resolv.conf
//! (resolv.conf(5)).

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use super::replace;
use crate::error::{Error, ErrorCode, Result};
use crate::layout::RESOLV_CONF;

/// Writes the name servers. The file is the test's own, and every node sees it at
/// /etc/resolv.conf. In inline mode there is none, and the machine's stays as it is.
pub(in crate::fabric) fn set(name_servers: &[IpAddr]) -> Result<()> {
    let path = Path::new(RESOLV_CONF);
    if !path.exists() {
        return Ok(());
    }
    write(path, name_servers).map_err(|error| {
        Error::new(ErrorCode::Setup, "write the test's own /etc/resolv.conf").source(error)
    })
}

fn write(path: &Path, name_servers: &[IpAddr]) -> io::Result<()> {
    // The first content is kept: with an uplink it is the machine's.
    let first = path.with_extension("conf.first");
    if !first.exists() {
        fs::copy(path, &first)?;
    }
    let mut text =
        if name_servers.is_empty() { fs::read_to_string(&first)? } else { text(name_servers) };
    // glibc reads the file again if its size or its time of change differs. Two changes
    // within one tick of the kernel's clock have the same time.
    if fs::metadata(path)?.len() == text.len() as u64 {
        text.push('\n');
    }
    replace(path, text.into_bytes())
}

/// With the shortest timeout that the file can express, and one attempt.
fn text(name_servers: &[IpAddr]) -> String {
    let mut text = String::from("# nstest: resolvers of the test\n");
    for addr in name_servers {
        text.push_str(&format!("nameserver {addr}\n"));
    }
    text + "options timeout:1 attempts:1\n"
}
