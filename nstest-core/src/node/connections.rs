//! Killing the TCP connections of a node.

use super::executor::NodeExecutor;
use crate::addr::Family;
use crate::error::{Error, ErrorCode, Result};
use crate::netlink::nftables::L4Proto;
use crate::netlink::sock_diag::{self, States};
use crate::netlink::{NetlinkFamily, Socket};

impl NodeExecutor {
    /// Kills the established TCP connections of the node, or those with this local or remote
    /// port. Returns their number.
    pub(crate) fn kill_connections(&self, port: Option<u16>) -> Result<usize> {
        let node = format!("node {}", self.name());
        let mut socket = self.run(|| Socket::open(NetlinkFamily::SockDiag, node))?;
        let (mut killed, mut others) = (0, Vec::new());
        for version in Family::BOTH {
            let established = States::ESTABLISHED;
            for found in sock_diag::list(&mut socket, L4Proto::Tcp, version, established)? {
                let ports = [found.local.port(), found.remote.port()];
                if port.is_none_or(|port| ports.contains(&port)) {
                    socket.request(&sock_diag::destroy(&found, version))?;
                    killed += 1;
                } else {
                    others.push(format!("{} to {}", found.local, found.remote));
                }
            }
        }
        if killed > 0 {
            return Ok(killed);
        }
        let which = port.map(|port| format!(" with port {port}")).unwrap_or_default();
        let error = Error::new(
            ErrorCode::NotFound,
            format!("kill established TCP connections{which} in node {}", self.name()),
        );
        Err(match others.as_slice() {
            [] => error
                .source("the node has no established TCP connection")
                .help("call it after the connection was made, on the node of its client or server"),
            others => {
                error.source(format!("the node has only connections from {}", others.join(", ")))
            }
        })
    }
}
