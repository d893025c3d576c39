//! Network namespaces: making them, going into them and back, naming them.
//!
//! The traps:
//! - A namespace belongs to a *thread*. Going in changes only the calling one,
//!   so the way back must be certain: a thread that stays behind would do its
//!   next work in somebody else's network. Where it fails, we abort.
//! - `/proc/self/ns/net` is that of the *leader*; a thread asks
//!   `/proc/thread-self` (proc(5)).
//! - Threads started while inside are born inside, and stay.
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

use nix::sched::{CloneFlags, setns, unshare};

use crate::error::{Error, ErrorCode, Result};
use crate::layout::NETNS;

const THIS_THREADS: &str = "/proc/thread-self/ns/net";
#[cfg(feature = "tokio")]
const LEADERS: &str = "/proc/self/ns/net";

thread_local! {
    /// Where this thread was when it first went elsewhere. Opening that anew
    /// each time would triple the cost of [`Namespace::enter`].
    static HOME: OnceCell<Arc<OwnedFd>> = const { OnceCell::new() };
    /// Where it is now, if not at home: what a nested `enter` goes back to.
    static INSIDE: RefCell<Option<Arc<OwnedFd>>> = const { RefCell::new(None) };
}

/// A handle that keeps a network namespace alive.
#[derive(Debug, Clone)]
pub(crate) struct Namespace {
    fd: Arc<OwnedFd>,
    name: String,
}

impl Namespace {
    /// Makes a namespace and runs `prepare` in it, on this thread: the place to
    /// write settings before devices exist, and to open sockets that stay.
    ///
    /// `unshare` on the thread itself is the cheapest way that there is; what it
    /// costs is the kernel's own set-up (`setup_net`), not the going there.
    pub(crate) fn create<R>(
        name: impl Into<String>,
        prepare: impl FnOnce() -> Result<R>,
    ) -> Result<(Self, R)> {
        let name = name.into();
        let way_back = WayBack::prepare()?;
        unshare(CloneFlags::CLONE_NEWNET)
            .map_err(|errno| failed(format!("make a network namespace for {name}"), errno))?;
        let away = way_back.leave();
        let fd = this_threads()?;
        away.now_in(&fd);
        let prepared = prepare();
        drop(away);
        Ok((Self { fd, name }, prepared?))
    }

    /// The one that the calling thread is in.
    pub(crate) fn current(name: impl Into<String>) -> Result<Self> {
        Ok(Self { fd: this_threads()?, name: name.into() })
    }

    /// One that has a name in [`NETNS`], or else any path.
    pub(crate) fn open(name: &str) -> Result<Self> {
        let path = Path::new(NETNS).join(name); // an absolute `name` replaces it
        match open(&path) {
            Ok(fd) => Ok(Self { fd, name: name.to_owned() }),
            Err(error) => Err(Error::new(
                ErrorCode::Namespace,
                format!("open the network namespace {}", path.display()),
            )
            .source(error)
            .help("`ip netns list` shows the names that exist; `ip netns add NAME` makes one")),
        }
    }

    /// The name that errors use.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Runs `body` in this namespace, on this thread, and comes back, also when
    /// it panics. Nests: the way back leads to where the thread came from.
    ///
    /// A thread that code other than ours has moved since its first `enter` is
    /// brought back to where it was before that.
    pub(crate) fn enter<R>(&self, body: impl FnOnce() -> R) -> Result<R> {
        let way_back = WayBack::prepare()?;
        setns(&self.fd, CloneFlags::CLONE_NEWNET)
            .map_err(|errno| failed(format!("enter {}", self.name), errno))?;
        let away = way_back.leave();
        away.now_in(&self.fd);
        let result = body();
        drop(away);
        Ok(result)
    }

    /// Moves the calling thread here for good.
    pub(crate) fn settle(&self) -> Result<()> {
        setns(&self.fd, CloneFlags::CLONE_NEWNET)
            .map_err(|errno| failed(format!("settle in {}", self.name), errno))?;
        INSIDE.set(Some(Arc::clone(&self.fd)));
        Ok(())
    }

    /// Makes the namespace known to `ip netns` under its name, in `directory`: by a link
    /// to our descriptor, which whoever opens it follows. A mount, as ip-netns(8) makes,
    /// would cost five times as much, and again when the test ends.
    #[must_use = "the name goes with the value"]
    pub(crate) fn publish(&self, directory: &Path) -> Result<Published> {
        let path = directory.join(&self.name);
        let ours = format!("/proc/{}/fd/{}", std::process::id(), self.fd.as_raw_fd());
        symlink(ours, &path).map_err(|error| {
            Error::new(
                ErrorCode::Namespace,
                format!("name the network namespace {}", path.display()),
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

/// A name of a namespace; dropping it removes the name.
#[derive(Debug)]
pub(crate) struct Published {
    path: PathBuf,
    /// What it leads to.
    _fd: Arc<OwnedFd>,
}

impl Drop for Published {
    fn drop(&mut self) {
        // Whoever removed it before us did our work.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The way back to where the thread is, made sure of before it leaves.
struct WayBack {
    to: Arc<OwnedFd>,
    outer: Option<Arc<OwnedFd>>,
}

/// A thread that has left; dropping it goes back. Bound to its thread.
#[must_use]
struct Away(WayBack, PhantomData<*const ()>);

impl WayBack {
    fn prepare() -> Result<Self> {
        let outer = INSIDE.with_borrow(Clone::clone);
        let to = match &outer {
            Some(fd) => Arc::clone(fd),
            None => HOME.with(|home| match home.get() {
                Some(fd) => Ok(Arc::clone(fd)),
                None => this_threads().map(|fd| Arc::clone(home.get_or_init(|| fd))),
            })?,
        };
        Ok(Self { to, outer })
    }

    fn leave(self) -> Away {
        Away(self, PhantomData)
    }
}

impl Away {
    fn now_in(&self, there: &Arc<OwnedFd>) {
        INSIDE.set(Some(Arc::clone(there)));
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        if let Err(errno) = setns(&self.0.to, CloneFlags::CLONE_NEWNET) {
            eprintln!(
                "nstest: this thread cannot leave the network namespace that it entered ({errno}); \
                 whatever ran on it next would run in the wrong network"
            );
            std::process::abort();
        }
        INSIDE.set(self.0.outer.take());
    }
}

/// Brings a thread that was born during somebody's visit back to where the
/// process's first thread is, which never leaves. Aborts where that fails, as
/// the end of a visit does.
#[cfg(feature = "tokio")]
pub(crate) fn return_home() {
    let link = |path| std::fs::read_link(path).ok();
    if link(LEADERS) == link(THIS_THREADS) {
        return;
    }
    let returned = open(Path::new(LEADERS))
        .and_then(|home| setns(home, CloneFlags::CLONE_NEWNET).map_err(io::Error::from));
    if let Err(error) = returned {
        eprintln!("nstest: a new thread cannot leave the node that it was born in: {error}");
        std::process::abort();
    }
}

fn this_threads() -> Result<Arc<OwnedFd>> {
    open(Path::new(THIS_THREADS))
        .map_err(|error| failed("open this thread's network namespace".to_owned(), error))
}

fn open(path: &Path) -> io::Result<Arc<OwnedFd>> {
    File::open(path).map(|file| Arc::new(file.into()))
}

fn failed(what: String, source: impl Into<io::Error>) -> Error {
    Error::new(ErrorCode::Namespace, what).source(source.into())
}
