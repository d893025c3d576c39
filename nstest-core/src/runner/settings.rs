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
}

fn refuse_unknown(name: &OsStr, value: &OsStr) -> Result<()> {
    let text = name.to_string_lossy();
    let is_ours = text.starts_with(PREFIX);
    if !is_ours || text == init::VARIABLE || VARIABLES.iter().any(|known| *known == text) {
        return Ok(());
    }
    Err(unread(&text, value).source("nstest has no such variable").help(format!(
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
            unread(TIMEOUT, value)
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
        unread(SEED, value).help(
            "set it to a whole number below 2^64 such as 7 or 0xbeef; or unset it: the default is the test's `seed`, or 1",
        )
    })
}

fn plan(value: &OsStr) -> Result<String> {
    let has_a_fault = |text: &&str| text.contains(|c: char| c != ';' && !c.is_whitespace());
    let text = value.to_str().filter(has_a_fault);
    text.map(str::to_owned).ok_or_else(|| {
        unread(PLAN, value)
            .source("it has no fault")
            .help("set it to a plan of faults as a failed exploration prints it; or unset it")
    })
}

/// # Errors
/// If the environment variable has an invalid value.
pub(super) fn tmpfs_size() -> Result<String> {
    std::env::var_os(TMPFS_SIZE)
        .map_or_else(|| Ok(DEFAULT_TMPFS_SIZE.to_owned()), |value| tmpfs_size_of(&value))
}

/// As tmpfs(5) has it: a number, with `k`, `m` or `g` for larger units, or with `%` for a part of
/// the memory. Not 0, which the kernel would take for "without limit".
fn tmpfs_size_of(value: &OsStr) -> Result<String> {
    let text = value.to_str().unwrap_or_default();
    let number = text.strip_suffix(['k', 'm', 'g', 'K', 'M', 'G', '%']).unwrap_or(text);
    match number.parse::<u64>() {
        Ok(1..) if number.bytes().all(|byte| byte.is_ascii_digit()) => Ok(text.to_owned()),
        _ => Err(unread(TMPFS_SIZE, value).help(format!(
            "set it to a size such as `{DEFAULT_TMPFS_SIZE}` (the default), `2g` or `50%`"
        ))),
    }
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
        unread(RECORD, value).help(
            "set it to `failed` (the default), `all` or `off`: which tests leave a record in target/nstest; the first two can be followed by `,lo` (also record `lo` of the test) and `,tls` (also keep TLS secrets)",
        )
    })
}

fn pause(value: Option<&OsStr>) -> Result<Option<PausePolicy>> {
    let Some(value) = value else { return Ok(None) };
    PausePolicy::parse(value).map(Some).ok_or_else(|| {
        unread(PAUSE, value).help(
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
        unread(JOBS, value).help(format!(
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

fn unread(name: &str, value: &OsStr) -> Error {
    Error::new(ErrorCode::Config, format!("read {name}={}", value.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::test::Explore;

    #[test]
    fn runs_of_an_exploration_have_a_shorter_default_timeout() {
        let explore = Some(Explore { faults: &[], max: None });
        let exploring = Options { explore, ..Options::DEFAULT };
        assert_eq!(asked(&Options::DEFAULT), Some(DEFAULT_TIMEOUT));
        assert_eq!(asked(&exploring), Some(DEFAULT_TIMEOUT_OF_RUNS));
        let minute = Duration::from_secs(60);
        let timeout = Timeout::After(minute);
        assert_eq!(asked(&Options { timeout, ..exploring }), Some(minute));
        assert_eq!(asked(&Options { timeout: Timeout::Never, ..exploring }), None);
    }

    #[test]
    fn seeds_are_decimal_or_hexadecimal() {
        assert_eq!(seed("0".as_ref()).unwrap(), 0);
        assert_eq!(seed("18446744073709551615".as_ref()).unwrap(), u64::MAX);
        assert_eq!(seed("0xBeef".as_ref()).unwrap(), 0xbeef);
        for value in ["", "-1", "+1", "0x", "0x+1", "x", "1.5", "18446744073709551616", " 1"] {
            assert_eq!(seed(value.as_ref()).unwrap_err().code(), ErrorCode::Config, "{value}");
        }
    }

    #[test]
    fn an_empty_plan_and_an_invalid_number_of_jobs_are_refused() {
        assert_eq!(plan("a: reset".as_ref()).unwrap(), "a: reset");
        assert_eq!(jobs_of("7".as_ref()).unwrap(), 7);
        assert_eq!(plan(" ".as_ref()).unwrap_err().code(), ErrorCode::Config);
        for value in ["", "0", "+3", "-1", "1025", "all"] {
            assert_eq!(jobs_of(value.as_ref()).unwrap_err().code(), ErrorCode::Config, "{value}");
        }
    }

    #[test]
    fn sizes_are_those_of_tmpfs() {
        for size in ["1", "4096", "64k", "300m", "2G", "50%"] {
            assert_eq!(tmpfs_size_of(size.as_ref()).unwrap(), size);
        }
        for wrong in ["", "0", "0%", "m", "-1", "+1m", "1t", "1mm", "1m,mode=777", "half"] {
            let error = tmpfs_size_of(wrong.as_ref()).unwrap_err();
            assert_eq!(error.code(), ErrorCode::Config, "{wrong}");
        }
    }

    #[test]
    fn the_variable_scales_every_timeout() {
        let ten = Some(Duration::from_secs(10));
        let of = |asked, value: &str| scaled(asked, Some(value.as_ref())).unwrap();
        assert_eq!(scaled(ten, None).unwrap(), ten);
        assert_eq!(of(ten, "2"), Some(Duration::from_secs(20)));
        assert_eq!(of(ten, "0.5x"), Some(Duration::from_secs(5)));
        assert_eq!(of(ten, "1e300"), Some(Duration::MAX));
        assert_eq!(of(ten, "none"), None);
        assert_eq!(of(None, "2"), None);
    }

    #[test]
    fn records_are_chosen_by_a_word_and_additions() {
        let of = |text: &str| recording(Some(text.as_ref()));
        let options =
            |policy, tls_secrets, loopback| RecordOptions { policy, tls_secrets, loopback };
        assert_eq!(recording(None).unwrap(), options(RecordPolicy::Failed, false, false));
        assert_eq!(of("all").unwrap(), options(RecordPolicy::All, false, false));
        assert_eq!(of("failed,lo").unwrap(), options(RecordPolicy::Failed, false, true));
        assert_eq!(of("all,tls,lo").unwrap(), options(RecordPolicy::All, true, true));
        assert_eq!(of("off").unwrap(), RecordOptions::OFF);
        for wrong in ["", "lo", "off,lo", "failed,", "failed, lo", "failed,all", "FAILED"] {
            assert_eq!(of(wrong).unwrap_err().code(), ErrorCode::Config, "{wrong}");
        }
    }

    #[test]
    fn unknown_variables_are_refused() {
        let refused = |name: &str| refuse_unknown(name.as_ref(), "1".as_ref()).is_err();
        for name in ["NSTEST_PLN", "NSTEST_", "NSTEST_timeout", "NSTEST_TIMEOUT_"] {
            assert!(refused(name), "{name}");
        }
        for name in ["NSTEST_PLAN", init::VARIABLE, "NSTEST", "MY_NSTEST_PLAN", "nstest_plan"] {
            assert!(!refused(name), "{name}");
        }
    }

    #[test]
    fn an_invalid_timeout_is_refused() {
        for value in ["", "0", "-1", "x", "inf", "NaN", "30s"] {
            let error = scaled(Some(DEFAULT_TIMEOUT), Some(value.as_ref())).unwrap_err();
            assert_eq!(error.code(), ErrorCode::Config, "{value}");
        }
    }
}
