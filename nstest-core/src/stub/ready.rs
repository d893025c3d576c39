//! Looking at a node where there is none.

use std::io;
use std::net::IpAddr;

use super::executor::NodeExecutor;
use crate::error::Result;

impl NodeExecutor {
    pub(crate) fn listening(&self) -> Result<Vec<u16>> {
        match *self.namespace() {}
    }

    pub(crate) fn ping(&self, _: IpAddr) -> io::Result<()> {
        match *self.namespace() {}
    }
}
