//! Whether a node is ready, on platforms without network namespaces.

use std::io;
use std::net::IpAddr;

use super::executor::NodeExecutor;
use crate::error::Result;

impl NodeExecutor {
    pub(crate) fn listening(&self) -> Result<Vec<u16>> {
        match *self.namespace() {}
    }

    pub(crate) fn ended_programs(&self) -> Vec<String> {
        match *self.namespace() {}
    }

    pub(crate) fn ping(&self, _: IpAddr) -> io::Result<()> {
        match *self.namespace() {}
    }
}
