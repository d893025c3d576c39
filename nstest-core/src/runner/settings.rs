//! How a test is run: what its attribute, the environment variables and libtest's command
//! line say, read once for each test.
//!
//! A variable with an invalid value is an error, and so is an unknown one. Otherwise a misspelt
//! timeout would silently be the default one.

use std::ffi::OsStr;
use std::time::Duration;

use super::libtest;
use super::pause_policy::PausePolicy;
use super::test::{Explore, Options, Timeout};
use crate::error::{Error, ErrorCode, Result};
use crate::preflight::policy::{self, Policy};
use crate::run_config::{DEFAULT_SEED, RunConfig, read_seed};
use crate::sys::init;

/// The timeout of a test without `timeout = "…"`.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// The timeout of each run of an exploration without `timeout = "…"`. It is shorter,
/// since there are many runs and a fault may make each of them hang. It leaves time for a
/// few retransmissions: a lost SYN is sent again after 1, 3 and 7 s (RFC 6298 §2, §5.5),
/// a DNS query after 5 and 10 s (resolv.conf(5)). It does not depend on the machine's
/// load, so that a run that is repeated alone has the same.
const DEFAULT_TIMEOUT_OF_RUNS: Duration = Duration::from_secs(15);

const TIMEOUT: &str = "NSTEST_TIMEOUT";
const INLINE: &str = "NSTEST_INLINE";
pub(super) const SEED: &str = "NSTEST_SEED";
pub(super) const PLAN: &str = "NSTEST_PLAN";
const JOBS: &str = "NSTEST_JOBS";
const TMPFS_SIZE: &str = "NSTEST_TMPFS_SIZE";
const RECORD: &str = "NSTEST_RECORD";
/// Where TLS libraries write their secrets.
pub(super) const TLS_VARIABLE: &str = "SSLKEYLOGFILE";
const PAUSE: &str = "NSTEST_PAUSE";

/// All names that begin with `NSTEST_` belong to nstest: these, and the one of its own.
const PREFIX: &str = "NSTEST_";
const VARIABLES: [&str; 9] =
    [TIMEOUT, INLINE, SEED, PLAN, JOBS, TMPFS_SIZE, RECORD, PAUSE, policy::VARIABLE];

/// The kernel's default, half of the memory, is more than a memory cgroup may have. It would
/// kill the runner, which is in the same cgroup, and the results of all tests would be lost.
const DEFAULT_TMPFS_SIZE: &str = "256m";

/// How a test is run.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// How long the test, or each run of an exploration, may take. `None` is without limit.
    pub(super) timeout: Option<Duration>,
    /// For the first run: of an exploration, the one without faults.
    pub(super) run_config: RunConfig,
    /// Whether the user chose the seed.
    pub(super) seed_given: bool,
    /// The size of the tmpfs on the test's `/run`, to which its `TMPDIR` belongs.
    pub(super) tmpfs_size: String,
    /// Present if the test is explored.
    pub(super) exploration: Option<Exploration>,
    /// Whether the test function runs in the parent's process.
    pub(super) inline: bool,
    pub(super) record: RecordOptions,
    /// Which tests pause at their end.
    pub(super) pause: Option<PausePolicy>,
    /// Whether libtest lets tests print as they run.
    pub(super) streams_output: bool,
    /// What happens if the machine cannot run the test.
    pub(super) unsupported: Policy,
}

/// Which tests leave a record in the target directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum RecordPolicy {
    #[default]
    Failed,
    All,
    Off,
}

/// What is recorded of tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct RecordOptions {
    pub(super) policy: RecordPolicy,
    /// Whether the record has TLS secrets.
    pub(super) tls_secrets: bool,
    /// Whether `lo` of the test's own node is recorded.
    pub(super) loopback: bool,
}

impl RecordOptions {
    /// Whether anything is recorded.
    pub(super) fn is_on(self) -> bool {
        self.policy != RecordPolicy::Off
    }

    pub(super) const OFF: Self =
        Self { policy: RecordPolicy::Off, tls_secrets: false, loopback: false };
}

/// How a test is explored.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exploration {
    pub(super) explore: Explore,
    /// The most runs at a time, in all explorations of one test run.
    pub(super) jobs: usize,
}

impl Settings {
    /// # Errors
    /// If an environment variable has an invalid value or an unknown name.
    pub(super) fn read(options: &Options) -> Result<Self> {
        std::env::vars_os().try_for_each(|(name, value)| refuse_unknown(&name, &value))?;
        let timeout = scaled(asked(options), std::env::var_os(TIMEOUT).as_deref())?;
        let given = seed_given()?.or(options.seed);
        let plan = std::env::var_os(PLAN).map(|value| plan(&value)).transpose()?;
        // A plan is one run of an exploration, to be repeated alone.
        let explore = options.explore.filter(|_| plan.is_none());
        let exploration = explore
            .map(|explore| Ok::<_, Error>(Exploration { explore, jobs: jobs()? }))
            .transpose()?;
        let run_config =
            RunConfig { seed: given.unwrap_or(DEFAULT_SEED), plan, census: exploration.is_some() };
        Ok(Self {
            timeout,
            run_config,
            seed_given: given.is_some(),
            tmpfs_size: tmpfs_size()?,
            exploration,
            inline: std::env::var_os(INLINE).is_some_and(|value| !value.is_empty() && value != "0"),
            record: recording(std::env::var_os(RECORD).as_deref())?,
            pause: pause(std::env::var_os(PAUSE).as_deref())?,
            streams_output: libtest::streams_output(),
            unsupported: Policy::parse(std::env::var_os(policy::VARIABLE).as_deref())?,
        })
    }

    /// Reads all that tests may read, for `nstest doctor`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    #[cfg(feature = "cli")]
    pub(super) fn check() -> Result<()> {
        Self::read(&Options::DEFAULT)?;
        jobs().map(drop) // only an exploration reads it
    }
}

fn refuse_unknown(name: &OsStr, value: &OsStr) -> Result<()> {
    let text = name.to_string_lossy();
    let is_ours = text.starts_with(PREFIX);
    if !is_ours || text == init::VARIABLE || VARIABLES.iter().any(|known| *known == text) {
        return Ok(());
    }
    Err(unread(&text, value, "nstest has no such variable").help(format!(
        "correct it to one of {}; or give a variable of your own another prefix",
        VARIABLES.join(", ")
    )))
}

/// The timeout before `NSTEST_TIMEOUT` scales it.
fn asked(options: &Options) -> Option<Duration> {
    match options.timeout {
        Timeout::Default if options.explore.is_some() => Some(DEFAULT_TIMEOUT_OF_RUNS),
        Timeout::Default => Some(DEFAULT_TIMEOUT),
        Timeout::After(time) => Some(time),
        Timeout::Never => None,
    }
}

fn scaled(asked: Option<Duration>, scale: Option<&OsStr>) -> Result<Option<Duration>> {
    let Some(value) = scale else { return Ok(asked) };
    if value == "none" {
        return Ok(None);
    }
    let factor = value
        .to_str()
        .map(|text| text.strip_suffix('x').unwrap_or(text))
        .and_then(|text| text.parse::<f64>().ok())
        .filter(|factor| factor.is_finite() && *factor > 0.0)
        .ok_or_else(|| {
            unread(TIMEOUT, value, "it is neither a number above 0 nor `none`")
                .help("set it to a factor for every timeout, a number above 0 such as 3 or 0.5; or to `none` for no timeouts")
        })?;
    Ok(asked.map(|time| {
        Duration::try_from_secs_f64(time.as_secs_f64() * factor).unwrap_or(Duration::MAX)
    }))
}

/// The seed that the environment has.
///
/// # Errors
/// If it is no number.
pub(super) fn seed_given() -> Result<Option<u64>> {
    std::env::var_os(SEED).map(|value| seed(&value)).transpose()
}

fn seed(value: &OsStr) -> Result<u64> {
    value.to_str().and_then(read_seed).ok_or_else(|| {
        unread(SEED, value, "it is no whole number below 2^64").help(
            "set it to a whole number below 2^64 such as 7 or 0xbeef; or unset it: the default is the test's `seed`, or 1",
        )
    })
}

fn plan(value: &OsStr) -> Result<String> {
    let has_a_fault = |text: &&str| text.contains(|c: char| c != ';' && !c.is_whitespace());
    let text = value.to_str().filter(has_a_fault);
    text.map(str::to_owned).ok_or_else(|| {
        unread(PLAN, value, "it has no fault")
            .help("set it to a plan of faults as a failed exploration prints it; or unset it")
    })
}

/// # Errors
/// If the environment variable has an invalid value.
pub(super) fn tmpfs_size() -> Result<String> {
    std::env::var_os(TMPFS_SIZE)
        .map_or_else(|| Ok(DEFAULT_TMPFS_SIZE.to_owned()), |value| tmpfs_size_of(&value))
}

/// The test's own files in /etc and the directories in its /run take 12 KiB, a page each.
const LEAST_TMPFS_SIZE: u64 = 64 << 10;

/// As tmpfs(5) has it: a number, with `k`, `m` or `g` for larger units, or with `%` for a part of
/// the memory. Not 0, which the kernel would take for "without limit".
fn tmpfs_size_of(value: &OsStr) -> Result<String> {
    let text = value.to_str().unwrap_or_default();
    let (number, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(end) => text.split_at(end),
        None => (text, ""),
    };
    let shift = match unit {
        "" | "%" => Some(0),
        "k" | "K" => Some(10),
        "m" | "M" => Some(20),
        "g" | "G" => Some(30),
        _ => None,
    };
    let why = match (number.parse::<u64>(), shift) {
        (Ok(1..), Some(_)) if unit == "%" => return Ok(text.to_owned()),
        (Ok(number @ 1..), Some(shift)) if number >= LEAST_TMPFS_SIZE >> shift => {
            return Ok(text.to_owned());
        }
        (Ok(1..), Some(_)) => "a test's own files take at least `64k`",
        _ => "it is no size of a tmpfs",
    };
    Err(unread(TMPFS_SIZE, value, why).help(format!(
        "set it to a size such as `{DEFAULT_TMPFS_SIZE}` (the default), `2g` or `50%`"
    )))
}

/// Which tests leave a record, and what is in it beside the usual.
fn recording(value: Option<&OsStr>) -> Result<RecordOptions> {
    let Some(value) = value else { return Ok(RecordOptions::default()) };
    let parsed = value.to_str().and_then(|text| {
        let mut words = text.split(',');
        let policy = match words.next()? {
            "failed" => RecordPolicy::Failed,
            "all" => RecordPolicy::All,
            "off" => return (text == "off").then_some(RecordOptions::OFF),
            _ => return None,
        };
        let mut options = RecordOptions { policy, ..RecordOptions::default() };
        for word in words {
            match word {
                "tls" => options.tls_secrets = true,
                "lo" => options.loopback = true,
                _ => return None,
            }
        }
        Some(options)
    });
    parsed.ok_or_else(|| {
        unread(RECORD, value, "it is none of the values of this variable").help(
            "set it to `failed` (the default), `all` or `off`: which tests leave a record in target/nstest; the first two can be followed by `,lo` (also record `lo` of the test) and `,tls` (also keep TLS secrets)",
        )
    })
}

fn pause(value: Option<&OsStr>) -> Result<Option<PausePolicy>> {
    let Some(value) = value else { return Ok(None) };
    PausePolicy::parse(value).map(Some).ok_or_else(|| {
        unread(PAUSE, value, "it is none of the values of this variable").help(
            "set it to `failed` or `always`: which tests wait at their end, to be looked at; or with a limit, such as `failed:10m`; or unset it",
        )
    })
}

/// The most runs at a time.
fn jobs() -> Result<usize> {
    if let Some(value) = std::env::var_os(JOBS) {
        return jobs_of(&value);
    }
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    Ok(JOBS_PER_PROCESSOR * processors)
}

fn jobs_of(value: &OsStr) -> Result<usize> {
    let digits = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.to_str().filter(digits).and_then(|text| text.parse().ok());
    number.filter(|number| (1..=MOST_JOBS).contains(number)).ok_or_else(|| {
        unread(JOBS, value, &format!("it is no whole number from 1 to {MOST_JOBS}")).help(format!(
            "set it to the most runs of explorations at a time, a whole number from 1 to {MOST_JOBS}; or unset it, for {JOBS_PER_PROCESSOR} on each processor"
        ))
    })
}

/// More than one, since a run mostly waits: for the timeouts under test, and at its end for
/// RCU, when the kernel closes the wire's packet sockets (packet_release,
/// net/packet/af_packet.c).
const JOBS_PER_PROCESSOR: usize = 2;

/// Each run needs a thread and a few processes.
const MOST_JOBS: usize = 1024;

fn unread(name: &str, value: &OsStr, why: &str) -> Error {
    let what = format!("read {name}={}", value.to_string_lossy());
    Error::new(ErrorCode::Config, what).source(why.to_owned())
}

#[cfg(test)]
mod tests;
