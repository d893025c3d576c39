//! Programs in a node.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Output, Stdio};
use std::sync::Arc;

use super::executor::NodeExecutor;

/// Like [`std::process::Command`], for a program in a node.
///
/// The program has the node's network, `/sys` and hostname, and the test's `/etc/hosts` and
/// `/etc/resolv.conf`. Its working directory is that of the test at the time of the start. It
/// is killed when the test ends.
#[derive(Debug)]
#[must_use = "the program has not been started"]
pub struct Command {
    executor: Arc<NodeExecutor>,
    inner: std::process::Command,
    /// The working directory that we set because the user set none.
    directory: Option<PathBuf>,
    /// Whether the program begins with limits other than this process's.
    limits_restored: bool,
    streams: Streams,
    #[cfg(feature = "process")]
    pub(super) kill_on_drop: bool,
}

/// Which streams the user has set. std does not report that.
#[derive(Debug, Default)]
struct Streams {
    stdin: bool,
    stdout: bool,
    stderr: bool,
}

impl Command {
    pub(crate) fn new(executor: Arc<NodeExecutor>, program: impl AsRef<OsStr>) -> Self {
        let inner = std::process::Command::new(program);
        Self {
            executor,
            inner,
            directory: None,
            limits_restored: false,
            streams: Streams::default(),
            #[cfg(feature = "process")]
            kill_on_drop: false,
        }
    }

    /// See [`std::process::Command::arg`].
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.inner.arg(arg);
        self
    }

    /// See [`std::process::Command::args`].
    pub fn args(&mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Self {
        self.inner.args(args);
        self
    }

    /// See [`std::process::Command::env`].
    pub fn env(&mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.inner.env(key, value);
        self
    }

    /// See [`std::process::Command::envs`].
    pub fn envs(
        &mut self,
        vars: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> &mut Self {
        self.inner.envs(vars);
        self
    }

    /// See [`std::process::Command::env_remove`].
    pub fn env_remove(&mut self, key: impl AsRef<OsStr>) -> &mut Self {
        self.inner.env_remove(key);
        self
    }

    /// See [`std::process::Command::env_clear`].
    pub fn env_clear(&mut self) -> &mut Self {
        self.inner.env_clear();
        self
    }

    /// See [`std::process::Command::current_dir`].
    pub fn current_dir(&mut self, directory: impl AsRef<Path>) -> &mut Self {
        self.inner.current_dir(directory);
        self
    }

    /// See [`std::process::Command::stdin`].
    pub fn stdin(&mut self, stdio: impl Into<Stdio>) -> &mut Self {
        self.inner.stdin(stdio);
        self.streams.stdin = true;
        self
    }

    /// See [`std::process::Command::stdout`].
    pub fn stdout(&mut self, stdio: impl Into<Stdio>) -> &mut Self {
        self.inner.stdout(stdio);
        self.streams.stdout = true;
        self
    }

    /// See [`std::process::Command::stderr`].
    pub fn stderr(&mut self, stdio: impl Into<Stdio>) -> &mut Self {
        self.inner.stderr(stdio);
        self.streams.stderr = true;
        self
    }

    /// Starts the program.
    ///
    /// # Errors
    /// As [`std::process::Command::spawn`]; the message names program and node.
    pub fn spawn(&mut self) -> io::Result<Child> {
        let child = self.in_node(|mut inner| {
            let child = inner.spawn();
            (inner, child)
        })?;
        let child = child.map_err(|error| self.refused(&error))?;
        self.started(Some(child.id()));
        Ok(child)
    }

    /// Notes that the program was started.
    pub(super) fn started(&self, pid: Option<u32>) {
        let name = self.inner.get_program().to_string_lossy().into_owned();
        pid.into_iter().for_each(|pid| self.executor.programs().add(pid, name.clone()));
    }

    /// Runs `work` on the thread that lives in the node. The command moves there and back.
    pub(super) fn in_node<R: Send + 'static>(
        &mut self,
        work: impl FnOnce(std::process::Command) -> (std::process::Command, R) + Send + 'static,
    ) -> io::Result<R> {
        self.set_directory()?;
        if !self.limits_restored {
            self.limits_restored = super::open_files::restore(&mut self.inner);
        }
        let program = self.inner.get_program().to_owned();
        let resident = self.executor.resident().map_err(io::Error::other)?;
        let inner = std::mem::replace(&mut self.inner, std::process::Command::new(program));
        let (inner, result) = resident.perform(move || work(inner)).map_err(io::Error::other)?;
        self.inner = inner;
        Ok(result)
    }

    /// Names the program and the node, and the working directory if it does not exist.
    pub(super) fn refused(&self, error: &io::Error) -> io::Error {
        let (program, node) = (self.inner.get_program().to_string_lossy(), self.executor.name());
        let missing = self.inner.get_current_dir().filter(|directory| !directory.is_dir());
        let directory = missing
            .map(|directory| format!(", in the directory {}", directory.display()))
            .unwrap_or_default();
        io::Error::new(error.kind(), format!("start {program} in node {node}{directory}: {error}"))
    }

    /// Runs the program to its end, and collects its output.
    ///
    /// # Errors
    /// As [`std::process::Command::output`].
    pub fn output(&mut self) -> io::Result<Output> {
        self.with_pipes(Self::spawn)?.wait_with_output()
    }

    /// Sets the streams that the user has not set, as std does for `output`, for one start.
    pub(super) fn with_pipes<C>(&mut self, spawn: impl FnOnce(&mut Self) -> C) -> C {
        self.default_streams(Stdio::null, Stdio::piped);
        let child = spawn(self);
        self.default_streams(Stdio::inherit, Stdio::inherit);
        child
    }

    /// Runs the program to its end.
    ///
    /// # Errors
    /// As [`std::process::Command::status`].
    pub fn status(&mut self) -> io::Result<ExitStatus> {
        self.spawn()?.wait()
    }

    fn default_streams(&mut self, input: fn() -> Stdio, output: fn() -> Stdio) {
        let Streams { stdin, stdout, stderr } = self.streams;
        if !stdin {
            self.inner.stdin(input());
        }
        if !stdout {
            self.inner.stdout(output());
        }
        if !stderr {
            self.inner.stderr(output());
        }
    }

    /// Sets the working directory to the current one of the test. The thread that starts the
    /// program has another one.
    fn set_directory(&mut self) -> io::Result<()> {
        let chosen =
            self.inner.get_current_dir().filter(|dir| self.directory.as_deref() != Some(*dir));
        match chosen {
            Some(directory) if directory.is_absolute() => {}
            Some(directory) => {
                let directory = std::env::current_dir()?.join(directory);
                self.inner.current_dir(directory);
            }
            None => {
                let directory = std::env::current_dir()?;
                self.inner.current_dir(&directory);
                self.directory = Some(directory);
            }
        }
        Ok(())
    }

    /// The underlying command, for settings that have no method here. Its own `spawn` would
    /// start the program in the network of the calling thread, not in the node.
    pub fn as_std_mut(&mut self) -> &mut std::process::Command {
        &mut self.inner
    }
}
