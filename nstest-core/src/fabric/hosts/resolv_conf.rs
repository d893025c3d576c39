//! Who is asked for names that /etc/hosts does not have: /etc/resolv.conf
//! (resolv.conf(5)).

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use super::replace;
use crate::error::{Error, ErrorCode, Result};
use crate::layout::RESOLV_CONF;

/// The file is the test's own, and every node sees it at /etc/resolv.conf. In
/// inline mode there is none, and the machine's is left alone.
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
    // What the test began with is kept beside it: that of an uplink is the machine's.
    let first = path.with_extension("conf.first");
    if !first.exists() {
        fs::copy(path, &first)?;
    }
    let mut text =
        if name_servers.is_empty() { fs::read_to_string(&first)? } else { text(name_servers) };
    // glibc reads it again if its size or its time of change is another, and that
    // time may be the same for two changes within one tick of the kernel's clock.
    if fs::metadata(path)?.len() == text.len() as u64 {
        text.push('\n');
    }
    replace(path, text.into_bytes())
}

/// An answer is waited for as briefly as can be said there, and once.
fn text(name_servers: &[IpAddr]) -> String {
    let mut text = String::from("# nstest: resolvers of the test\n");
    for addr in name_servers {
        text.push_str(&format!("nameserver {addr}\n"));
    }
    text + "options timeout:1 attempts:1\n"
}
