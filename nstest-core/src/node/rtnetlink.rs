//! A handle of the crate rtnetlink on a node's network namespace.
//!
//! A netlink socket belongs to the namespace of the thread that opens it. So a visit to the
//! node opens the socket. The task that serves it runs on the caller's tokio runtime.

use tokio::runtime::Handle;

use super::executor::NodeExecutor;
use crate::error::{Error, ErrorCode, Result};

impl NodeExecutor {
    /// Opens an rtnetlink connection in the node, and spawns its task on the runtime of the
    /// caller. The task ends when the last clone of the handle is dropped.
    #[track_caller]
    pub(crate) fn rtnetlink(&self) -> Result<rtnetlink::Handle> {
        let failed = || {
            let node = self.name();
            Error::new(ErrorCode::Netlink, format!("open an rtnetlink connection in node {node}"))
        };
        let runtime = Handle::try_current().map_err(|error| {
            failed().source(error).help(
                "call `rtnetlink()` in an `async fn` test, or inside of `block_on` of a tokio \
                 runtime with `enable_io`",
            )
        })?;
        let (connection, handle, _messages) =
            self.run(rtnetlink::new_connection).map_err(|error| failed().source(error))?;
        runtime.spawn(connection);
        Ok(handle)
    }
}
