//! Trying a connection where there is no node.

use std::net::SocketAddr;
use std::time::Duration;

use super::{End, Place};
use crate::error::Result;

impl Place {
    pub(crate) fn probe(&self, _: SocketAddr, _: &[u8], _: Duration) -> Result<End> {
        match *self.namespace() {}
    }
}
