//! TCP connections where there is no node.

use super::executor::NodeExecutor;
use crate::error::Result;

impl NodeExecutor {
    pub(crate) fn kill_connections(&self, _: Option<u16>) -> Result<usize> {
        match *self.namespace() {}
    }
}
