//! Waiting for something to become true, with a deadline and without guessing.
//!
//! The kernel tells nobody when a port is listened on, so these look again and
//! again, at short intervals; what is returned is what was seen, not a hope.

use std::error::Error as StdError;
use std::fmt;
use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use super::Node;
use crate::error::{Code, Error, Result};

/// How long the waits of a node take at most.
const PATIENCE: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_micros(200);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// Why something is not true yet.
type NotYet = Box<dyn StdError + Send + Sync>;

/// What a look can say: yes and what was seen, or not yet and perhaps why.
pub trait Outcome {
    /// What is returned in the end.
    type Seen;

    /// # Errors
    /// Why it is not true yet.
    fn outcome(self) -> std::result::Result<Self::Seen, NotYet>;
}

impl Outcome for bool {
    type Seen = ();

    fn outcome(self) -> std::result::Result<(), NotYet> {
        if self { Ok(()) } else { Err("it was not true".into()) }
    }
}

impl<T> Outcome for Option<T> {
    type Seen = T;

    fn outcome(self) -> std::result::Result<T, NotYet> {
        self.ok_or_else(|| "there was none".into())
    }
}

impl<T, E: Into<NotYet>> Outcome for std::result::Result<T, E> {
    type Seen = T;

    fn outcome(self) -> std::result::Result<T, NotYet> {
        self.map_err(Into::into)
    }
}

/// Looks again and again until the answer is yes, at the latest when `deadline`
/// has passed: `true`, `Some`, or `Ok`.
///
/// ```
/// use std::net::{TcpListener, TcpStream};
/// use std::time::Duration;
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let addr = listener.local_addr()?;
/// let client = nstest_core::eventually(Duration::from_secs(5), || TcpStream::connect(addr))?;
/// # drop(client);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// `deadline`, with the last answer as its cause.
#[track_caller]
pub fn eventually<O: Outcome>(deadline: Duration, look: impl FnMut() -> O) -> Result<O::Seen> {
    let caller = std::panic::Location::caller();
    wait(deadline, &format_args!("what is looked for at {caller}"), look)
}

fn wait<O: Outcome>(
    deadline: Duration,
    what: &dyn fmt::Display,
    mut look: impl FnMut() -> O,
) -> Result<O::Seen> {
    let end = Instant::now() + deadline;
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match look().outcome() {
            Ok(seen) => return Ok(seen),
            Err(error) => error,
        };
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(
                Error::new(Code::Deadline, format!("wait {deadline:?} for {what}")).source(error)
            );
        }
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

impl Node {
    /// Waits until a TCP socket listens on this port in the node, for 10 s at
    /// most. It blocks the thread: in a test that hosts the server on the same
    /// one, use [`wait_listening_async`](Self::wait_listening_async).
    ///
    /// # Errors
    /// `deadline`, with the ports that are listened on.
    pub fn wait_listening(&self, port: u16) -> Result<()> {
        let what = format!("a listener on TCP port {port} in node {}", self.name());
        wait(PATIENCE, &what, || match self.place().listening()?.as_slice() {
            ports if ports.contains(&port) => Ok(()),
            [] => Err(NotYet::from("no TCP port is listened on there")),
            ports => Err(format!("the TCP ports listened on there are {ports:?}").into()),
        })
    }

    /// Waits until the node gets an answer to a ping (ICMP echo) from this
    /// address, for 10 s at most.
    ///
    /// # Errors
    /// `deadline`, with what the last attempt met.
    pub fn wait_reachable(&self, ip: impl Into<IpAddr>) -> Result<()> {
        let ip = ip.into();
        let what = format!("an answer to a ping from node {} to {ip}", self.name());
        wait(PATIENCE, &what, || self.place().ping(ip))
    }
}

/// The same, for tests whose runtime must go on meanwhile.
#[cfg(feature = "tokio")]
impl Node {
    /// As [`wait_listening`](Self::wait_listening), on a thread of its own.
    ///
    /// # Errors
    /// As there.
    pub async fn wait_listening_async(&self, port: u16) -> Result<()> {
        let node = self.clone();
        elsewhere(move || node.wait_listening(port)).await
    }

    /// As [`wait_reachable`](Self::wait_reachable), on a thread of its own.
    ///
    /// # Errors
    /// As there.
    pub async fn wait_reachable_async(&self, ip: impl Into<IpAddr>) -> Result<()> {
        let (node, ip) = (self.clone(), ip.into());
        elsewhere(move || node.wait_reachable(ip)).await
    }
}

#[cfg(feature = "tokio")]
pub(super) async fn elsewhere<T: Send + 'static>(
    wait: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(wait).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => {
                Err(Error::new(Code::Deadline, "wait on a thread of its own").source(error))
            }
        },
    }
}
