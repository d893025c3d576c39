//! Waits for a condition, with a deadline.
//!
//! The kernel sends no event when a port is listened on, so these functions poll at short
//! intervals. A wait ends before the test's own time limit, so that its error says what was
//! missing.

use std::error::Error as StdError;
use std::fmt;
use std::net::IpAddr;
use std::thread;
use std::time::{Duration, Instant};

use super::node::Node;
use crate::context::TimeLimit;
use crate::error::{Error, ErrorCode, Result};

/// How long the waits of a node take at most.
const PATIENCE: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_micros(200);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// Why something is not true yet.
type NotYet = Box<dyn StdError + Send + Sync>;

/// What a poll returns: success and a value, or a reason why it is not true yet.
pub trait PollOutcome {
    /// The value on success.
    type Seen;

    /// # Errors
    /// Why it is not true yet.
    fn outcome(self) -> std::result::Result<Self::Seen, NotYet>;
}

impl PollOutcome for bool {
    type Seen = ();

    fn outcome(self) -> std::result::Result<(), NotYet> {
        if self { Ok(()) } else { Err("it was not true".into()) }
    }
}

impl<T> PollOutcome for Option<T> {
    type Seen = T;

    fn outcome(self) -> std::result::Result<T, NotYet> {
        self.ok_or_else(|| "there was none".into())
    }
}

impl<T, E: Into<NotYet>> PollOutcome for std::result::Result<T, E> {
    type Seen = T;

    fn outcome(self) -> std::result::Result<T, NotYet> {
        self.map_err(Into::into)
    }
}

/// Polls until the result is `true`, `Some` or `Ok`, and at most for `deadline`. If the test's
/// own time limit comes first, it ends shortly before that.
///
/// ```
/// use std::net::{TcpListener, TcpStream};
/// use std::time::Duration;
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let addr = listener.local_addr()?;
/// let client = nstest::eventually(Duration::from_secs(5), || TcpStream::connect(addr))?;
/// # drop(client);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// `deadline`, with the last result as its cause.
#[track_caller]
pub fn eventually<O: PollOutcome>(deadline: Duration, look: impl FnMut() -> O) -> Result<O::Seen> {
    let caller = std::panic::Location::caller();
    wait(deadline, &format_args!("the closure at {caller} to succeed"), look)
}

fn wait<O: PollOutcome>(
    deadline: Duration,
    what: &dyn fmt::Display,
    mut look: impl FnMut() -> O,
) -> Result<O::Seen> {
    let mut pauses = Pauses::until(deadline);
    loop {
        match look().outcome() {
            Ok(seen) => return Ok(seen),
            Err(error) => thread::sleep(pauses.after(error, what)?),
        }
    }
}

/// As [`eventually`], for async tests: the runtime continues while this waits, and the poll
/// may await.
///
/// ```no_run
/// # async fn example() -> nstest::Result<()> {
/// use std::time::Duration;
/// use tokio::net::TcpStream;
///
/// let connect = async || TcpStream::connect("10.0.2.2:7000").await;
/// let client = nstest::eventually_async(Duration::from_secs(5), connect).await?;
/// # drop(client);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// `deadline`, with the last result as its cause. A poll that is pending at the deadline is
/// cancelled.
///
/// # Panics
/// If it is not awaited on a tokio runtime with a timer.
#[cfg(feature = "tokio")]
#[track_caller]
pub fn eventually_async<O: PollOutcome>(
    deadline: Duration,
    mut look: impl AsyncFnMut() -> O,
) -> impl Future<Output = Result<O::Seen>> {
    let caller = std::panic::Location::caller();
    async move {
        let what = format!("the closure at {caller} to succeed");
        let mut pauses = Pauses::until(deadline);
        loop {
            let answer = match tokio::time::timeout(pauses.left(), look()).await {
                Ok(answer) => answer.outcome(),
                Err(_) => Err("the last call of the closure did not return".into()),
            };
            match answer {
                Ok(seen) => return Ok(seen),
                Err(error) => tokio::time::sleep(pauses.after(error, &what)?).await,
            }
        }
    }
}

/// The pauses between two polls, each longer than the one before.
#[derive(Debug)]
struct Pauses {
    deadline: Duration,
    /// The test's time limit, if it comes before the deadline.
    limit: Option<TimeLimit>,
    start: Instant,
    next: Duration,
}

impl Pauses {
    fn until(deadline: Duration) -> Self {
        Self::within(deadline, TimeLimit::of_this_process())
    }

    fn within(deadline: Duration, limit: Option<TimeLimit>) -> Self {
        let limit = limit.filter(|limit| limit.left() < deadline);
        Self { deadline, limit, start: Instant::now(), next: FIRST_PAUSE }
    }

    fn left(&self) -> Duration {
        match self.limit {
            Some(limit) => limit.left(),
            None => self.deadline.saturating_sub(self.start.elapsed()),
        }
    }

    /// How long to wait before the next poll, or the error if the deadline has passed.
    fn after(&mut self, error: NotYet, what: &dyn fmt::Display) -> Result<Duration> {
        let left = self.left();
        if left.is_zero() {
            let (waited, cut) = match self.limit {
                Some(TimeLimit { timeout, .. }) => (
                    // Without nanoseconds.
                    Duration::from_millis(self.start.elapsed().as_millis() as u64),
                    format!(", not {:?}: the test's time limit is {timeout:?}", self.deadline),
                ),
                None => (self.deadline, String::new()),
            };
            let text = format!("wait {waited:?} for {what}{cut}");
            return Err(Error::new(ErrorCode::Deadline, text).source(error));
        }
        let pause = self.next.min(left);
        self.next = (self.next * 2).min(LONGEST_PAUSE);
        Ok(pause)
    }
}

impl Node {
    /// Waits until a TCP socket listens on this port in the node, for 10 s at most, and not
    /// beyond the test's own time limit. A socket that listens on 127.0.0.1 or ::1 counts, too,
    /// though other nodes cannot reach it. This blocks the thread. If a task of the same thread is
    /// the server, use [`wait_listening_async`](Self::wait_listening_async).
    ///
    /// # Errors
    /// `deadline`, with the ports that are listened on, and what may have been the server: threads
    /// and tasks of the node that panicked or returned, programs of the node that have ended.
    pub fn wait_listening(&self, port: u16) -> Result<()> {
        let what = format!("a listener on TCP port {port} in node {}", self.name());
        wait(PATIENCE, &what, || {
            let seen = match self.executor().listening()?.as_slice() {
                ports if ports.contains(&port) => return Ok(()),
                [] => "no program listens on a TCP port there".to_owned(),
                ports => format!("programs listen on these TCP ports there: {ports:?}"),
            };
            let panicked = self
                .panicked()
                .map(|message| format!("a thread or task of the node has panicked: {message}"));
            let ended = self.executor().ended_programs();
            let ended = ended.into_iter().map(|ended| format!("the program {ended}"));
            let returned = self.executor().returned_tasks();
            let tasks = panicked.into_iter().chain(returned);
            let lines: Vec<String> = [seen].into_iter().chain(tasks).chain(ended).collect();
            Err(NotYet::from(lines.join("\n")))
        })
    }

    /// The message of a thread or task of the node that panicked and was not joined.
    fn panicked(&self) -> Option<String> {
        let unjoined = self.net().panics.unjoined();
        unjoined.into_iter().find(|it| it.node == self.name()).map(|it| it.message)
    }

    /// Waits until the node gets an answer to a ping (ICMP echo) from this
    /// address, for 10 s at most, and not beyond the test's own time limit.
    ///
    /// # Errors
    /// `deadline`, with the result of the last attempt.
    pub fn wait_reachable(&self, ip: impl Into<IpAddr>) -> Result<()> {
        let ip = ip.into();
        let what = format!("an answer to a ping from node {} to {ip}", self.name());
        wait(PATIENCE, &what, || self.executor().ping(ip))
    }
}

/// The same for async tests: the runtime continues while these wait.
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
                Err(Error::new(ErrorCode::Deadline, "wait on a thread of its own").source(error))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(timeout: Duration) -> Option<TimeLimit> {
        Some(TimeLimit::from_now(timeout))
    }

    #[test]
    fn a_wait_ends_before_the_time_limit_of_the_test() {
        let short = Pauses::within(PATIENCE, limit(Duration::from_secs(3)));
        let left = short.left();
        assert!(left < Duration::from_secs(3) && left > Duration::from_secs(1), "{left:?}");
        for limit in [None, limit(Duration::from_secs(60)), limit(Duration::MAX)] {
            let own = Pauses::within(PATIENCE, limit);
            assert!(own.limit.is_none() && own.left() > Duration::from_secs(9), "{own:?}");
        }
        assert_eq!(Pauses::within(Duration::MAX, None).deadline, Duration::MAX);
    }

    #[test]
    fn the_error_of_a_wait_says_what_ended_it() {
        let mut over = Pauses::within(PATIENCE, limit(Duration::ZERO));
        let error = over.after("it was not true".into(), &"a listener").unwrap_err();
        let text = format!("{error:?}");
        assert!(text.contains("for a listener, not 10s: the test's time limit is 0ns"), "{text}");
        let mut over = Pauses::within(Duration::ZERO, limit(PATIENCE));
        let error = over.after("it was not true".into(), &"a listener").unwrap_err();
        let text = format!("{error:?}");
        assert!(text.contains("wait 0ns for a listener\n"), "{text}");
    }
}
