//! Programs in a node, as tokio's: started there, awaited anywhere.
//!
//! A child belongs to the runtime that it was started on, by which its end and
//! its pipes are noticed. It is the caller's; only the start itself happens on
//! the thread that lives in the node.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::{ExitStatus, Output};

use tokio::process::Child;
use tokio::runtime::Handle;

use super::command::Command;

/// With the feature `process`.
impl Command {
    /// See [`tokio::process::Command::kill_on_drop`]: for programs started by
    /// `spawn_async`, `output_async` and `status_async`. All die with the test in
    /// any case.
    pub fn kill_on_drop(&mut self, kill_on_drop: bool) -> &mut Self {
        self.kill_on_drop = kill_on_drop;
        self
    }

    /// Starts the program, and returns tokio's handle on it.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn); and if the caller is in no tokio runtime.
    ///
    /// # Panics
    /// If the runtime was built without `enable_io`, as tokio's own. Every
    /// runtime of nstest has it.
    pub fn spawn_async(&mut self) -> io::Result<Child> {
        let runtime = Handle::try_current()
            .map_err(|error| self.refused(&io::Error::other(format!("{error}; use `spawn`"))))?;
        let kill_on_drop = self.kill_on_drop;
        let child = self.in_node(move |inner| {
            let _context = runtime.enter();
            let mut command = tokio::process::Command::from(inner);
            command.kill_on_drop(kill_on_drop);
            // The thread lives on; the panic is the caller's.
            let child = catch_unwind(AssertUnwindSafe(|| command.spawn()));
            (command.into_std(), child)
        })?;
        child.unwrap_or_else(|panic| resume_unwind(panic)).map_err(|error| self.refused(&error))
    }

    /// Runs the program to its end, and collects what it prints.
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
        // As tokio does: pipes that nobody serves would keep the program waiting.
        drop((child.stdin.take(), child.stdout.take(), child.stderr.take()));
        child.wait().await
    }
}
