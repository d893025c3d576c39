//! Programs in a node that can be awaited, as with `tokio::process`.
//!
//! A child belongs to the runtime on which it was started. That runtime notices the end of the
//! child and serves its pipes. It is the runtime of the caller. Only the start itself happens
//! on the thread that lives in the node.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::{ExitStatus, Output};

use tokio::process::Child;
use tokio::runtime::Handle;

use super::command::Command;

/// Methods that need the cargo feature `process`.
impl Command {
    /// See [`tokio::process::Command::kill_on_drop`]. It applies to `spawn_async`,
    /// `output_async` and `status_async`. All programs are killed when the test ends.
    pub fn kill_on_drop(&mut self, kill_on_drop: bool) -> &mut Self {
        self.kill_on_drop = kill_on_drop;
        self
    }

    /// Starts the program and returns tokio's handle of it.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn); also if the caller is not in a tokio runtime.
    ///
    /// # Panics
    /// If the runtime was built without `enable_io`, as with `tokio::process`. Every runtime of
    /// nstest has it.
    pub fn spawn_async(&mut self) -> io::Result<Child> {
        let runtime = Handle::try_current().map_err(|error| {
            self.refused(&io::Error::other(format!(
                "{error}. Call it in an `async fn` test, or use `spawn`"
            )))
        })?;
        let kill_on_drop = self.kill_on_drop;
        let child = self.in_node(move |inner| {
            let _context = runtime.enter();
            let mut command = tokio::process::Command::from(inner);
            command.kill_on_drop(kill_on_drop);
            // The thread must survive. The panic continues in the caller.
            let child = catch_unwind(AssertUnwindSafe(|| command.spawn()));
            (command.into_std(), child)
        })?;
        let child = child.unwrap_or_else(|panic| resume_unwind(panic));
        let child = child.map_err(|error| self.refused(&error))?;
        self.started(child.id());
        Ok(child)
    }

    /// Runs the program to its end, and collects its output.
    ///
    /// # Errors
    /// As [`output`](Self::output) and [`spawn_async`](Self::spawn_async).
    pub async fn output_async(&mut self) -> io::Result<Output> {
        let child = self.with_pipes(Self::spawn_async)?;
        child.wait_with_output().await
    }

    /// Runs the program to its end.
    ///
    /// # Errors
    /// As [`status`](Self::status) and [`spawn_async`](Self::spawn_async).
    pub async fn status_async(&mut self) -> io::Result<ExitStatus> {
        let mut child = self.spawn_async()?;
        // As tokio does: the program would block on pipes that are not served.
        drop((child.stdin.take(), child.stdout.take(), child.stderr.take()));
        child.wait().await
    }
}
