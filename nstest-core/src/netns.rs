//! Network namespaces: creating, entering, leaving and naming them.
//!
//! The traps:
//! - A namespace belongs to a *thread*. Entering one changes only the calling thread, and
//!   leaving must not fail: the thread would do its next work in the wrong network. So a thread
//!   first tries to enter the namespace in which it is. If leaving fails nevertheless, the
//!   process aborts.
//! - `/proc/self/ns/net` is the namespace of the thread group's *leader*. A thread has its
//!   own under `/proc/thread-self` (proc(5)).
//! - A thread that is started while its parent is in a namespace is born there, and stays.
//!
//! See setns(2), unshare(2), network_namespaces(7).

use std::cell::{OnceCell, RefCell};
use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns, unshare};

use crate::error::{Error, ErrorCode, Result};
use crate::layout::NETNS;
use crate::own_pid;
use crate::preflight::{self, Operation, Refusal};

const OF_THREAD: &str = "/proc/thread-self/ns/net";
#[cfg(feature = "tokio")]
const OF_LEADER: &str = "/proc/self/ns/net";

thread_local! {
    /// The namespace in which this thread was before its first visit. Opening it for each
    /// visit would triple the cost of [`Namespace::enter`].
    static HOME: OnceCell<Arc<OwnedFd>> = const { OnceCell::new() };
    /// The namespace that it visits now, to which a nested `enter` returns.
    static INSIDE: RefCell<Option<Arc<OwnedFd>>> = const { RefCell::new(None) };
}

/// A handle that keeps a network namespace alive.
#[derive(Debug, Clone)]
pub(crate) struct Namespace {
    fd: Arc<OwnedFd>,
    name: String,
}

impl Namespace {
    /// Creates a namespace and runs `prepare` in it, on this thread. `prepare` can write
    /// settings before interfaces exist, and open sockets that stay in the namespace.
    ///
    /// `unshare` on the thread itself is the cheapest way to create one. Its cost is the
    /// kernel's set-up (`setup_net`), not the switch.
    pub(crate) fn create<R>(
        name: impl Into<String>,
        prepare: impl FnOnce() -> Result<R>,
    ) -> Result<(Self, R)> {
        let name = name.into();
        let to_return = Return::prepare()?;
        unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| refused(&name, errno))?;
        let visit = to_return.leave();
        let fd = of_this_thread()?;
        visit.now_in(&fd);
        let prepared = prepare();
        drop(visit);
        Ok((Self { fd, name }, prepared?))
    }

    /// The namespace of the calling thread.
    pub(crate) fn current(name: impl Into<String>) -> Result<Self> {
        Ok(Self { fd: of_this_thread()?, name: name.into() })
    }

    /// Opens a namespace by its name in [`NETNS`], or by an absolute path.
    pub(crate) fn open(name: &str) -> Result<Self> {
        let path = Path::new(NETNS).join(name); // an absolute `name` replaces it
        match open(&path) {
            Ok(fd) => Ok(Self { fd, name: name.to_owned() }),
            Err(error) => Err(Error::new(
                ErrorCode::Namespace,
                format!("open the network namespace {}", path.display()),
            )
            .source(error)
            .help("use a name that `ip netns list` shows, or create one: `ip netns add NAME`")),
        }
    }

    /// The name that error messages use.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Runs `body` in this namespace, on this thread, and returns to the namespace in which
    /// the thread was, also if `body` panics. Calls can nest.
    ///
    /// If other code has moved the thread since its first `enter`, it returns to the namespace
    /// before that.
    pub(crate) fn enter<R>(&self, body: impl FnOnce() -> R) -> Result<R> {
        let to_return = Return::prepare()?;
        setns(&self.fd, CloneFlags::CLONE_NEWNET)
            .map_err(|errno| not_entered(format!("enter {}", self.name), errno))?;
        let visit = to_return.leave();
        visit.now_in(&self.fd);
        let result = body();
        drop(visit);
        Ok(result)
    }

    /// Moves the calling thread to this namespace permanently.
    pub(crate) fn settle(&self) -> Result<()> {
        setns(&self.fd, CloneFlags::CLONE_NEWNET)
            .map_err(|errno| not_entered(format!("move the thread to {}", self.name), errno))?;
        INSIDE.set(Some(Arc::clone(&self.fd)));
        Ok(())
    }

    /// Makes the namespace visible to `ip netns` under its name, by a symbolic link in
    /// `directory` to a descriptor of this process. A mount, as ip-netns(8) makes it, costs five times as
    /// much, and as much again when the test ends.
    #[must_use = "the name is removed when the value is dropped"]
    pub(crate) fn publish(&self, directory: &Path) -> Result<Published> {
        let path = directory.join(&self.name);
        let target = format!("/proc/{}/fd/{}", own_pid::in_proc(), self.fd.as_raw_fd());
        symlink(target, &path).map_err(|error| {
            Error::new(
                ErrorCode::Namespace,
                format!("create the name {} for a network namespace", path.display()),
            )
            .source(error)
        })?;
        Ok(Published { path, _fd: Arc::clone(&self.fd) })
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A name of a namespace. Dropping it removes the name.
#[derive(Debug)]
pub(crate) struct Published {
    path: PathBuf,
    /// The target of the link.
    _fd: Arc<OwnedFd>,
}

impl Drop for Published {
    fn drop(&mut self) {
        // It may have been removed already.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The namespace to return to, opened before the thread leaves it.
struct Return {
    to: Arc<OwnedFd>,
    outer: Option<Arc<OwnedFd>>,
}

/// A visit of the current thread to a namespace. Dropping it returns.
#[must_use]
struct Visit(Return, PhantomData<*const ()>);

impl Return {
    fn prepare() -> Result<Self> {
        let outer = INSIDE.with_borrow(Clone::clone);
        let to = match &outer {
            Some(fd) => Arc::clone(fd),
            None => HOME.with(|home| match home.get() {
                Some(fd) => Ok(Arc::clone(fd)),
                None => home_of_this_thread().map(|fd| Arc::clone(home.get_or_init(|| fd))),
            })?,
        };
        Ok(Self { to, outer })
    }

    fn leave(self) -> Visit {
        Visit(self, PhantomData)
    }
}

impl Visit {
    fn now_in(&self, there: &Arc<OwnedFd>) {
        INSIDE.set(Some(Arc::clone(there)));
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if let Err(errno) = setns(&self.0.to, CloneFlags::CLONE_NEWNET) {
            abort("leave the network namespace that this thread entered", errno);
        }
        INSIDE.set(self.0.outer.take());
    }
}

/// Moves a thread that was born during another thread's visit to the namespace of the
/// process's first thread. Aborts if that fails, as the end of a visit does.
#[cfg(feature = "tokio")]
pub(crate) fn return_home() {
    let link = |path| std::fs::read_link(path).ok();
    if link(OF_LEADER) == link(OF_THREAD) {
        return;
    }
    let returned = open(Path::new(OF_LEADER))
        .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or_default()))
        .and_then(|home| setns(home, CloneFlags::CLONE_NEWNET));
    if let Err(errno) = returned {
        abort("move a new thread out of the node in which it was started", errno);
    }
}

fn abort(what: &str, errno: Errno) -> ! {
    let error = not_entered(what.to_owned(), errno);
    eprintln!(
        "{error:?}\nnstest: the process aborts, because the thread would continue in the wrong network"
    );
    std::process::abort()
}

/// The namespace of this thread, to which it can return: what refuses setns(2), such as a seccomp
/// filter, refuses it here, too.
fn home_of_this_thread() -> Result<Arc<OwnedFd>> {
    let home = of_this_thread()?;
    setns(&home, CloneFlags::CLONE_NEWNET).map_err(|errno| {
        not_entered("enter this thread's own network namespace".to_owned(), errno)
    })?;
    Ok(home)
}

fn of_this_thread() -> Result<Arc<OwnedFd>> {
    open(Path::new(OF_THREAD))
        .map_err(|error| failed("open this thread's network namespace".to_owned(), error))
}

fn open(path: &Path) -> io::Result<Arc<OwnedFd>> {
    File::open(path).map(|file| Arc::new(file.into()))
}

/// The machine refuses a namespace: the cause is one of those at the start of a test.
fn refused(name: &str, errno: Errno) -> Error {
    preflight::explain(Refusal {
        step: format!("create a network namespace for {name}"),
        call: "unshare(CLONE_NEWNET)".to_owned(),
        errno: errno as i32,
        kind: Operation::FurtherNamespaces { kinds: &["net"] },
    })
}

fn not_entered(step: String, errno: Errno) -> Error {
    let call = "setns(CLONE_NEWNET)".to_owned();
    preflight::explain(Refusal { step, call, errno: errno as i32, kind: Operation::Enter })
}

fn failed(what: String, source: impl Into<io::Error>) -> Error {
    Error::new(ErrorCode::Namespace, what).source(source.into())
}
