//! The environment variables that a user may set.
//!
//! A value that means nothing is an error: a misspelt timeout must not be the
//! default one.

use std::ffi::OsStr;
use std::time::Duration;

use super::{Options, Timeout};
use crate::error::{Error, ErrorCode, Result};
use crate::run_config::{DEFAULT_SEED, RunConfig};

/// How long a test may take that says nothing else.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// How long each run of an exploration may take that says nothing else: there are
/// many, and a fault may make each of them hang. It leaves room for a few
/// retransmissions: a lost SYN is sent again after 1, 3 and 7 s (RFC 6298 §2, §5.5),
/// a query for a name after 5 and 10 s (resolv.conf(5)). A fixed time, so that a run
/// repeated alone has the same.
const DEFAULT_TIMEOUT_OF_RUNS: Duration = Duration::from_secs(15);

const TIMEOUT: &str = "NSTEST_TIMEOUT";
const INLINE: &str = "NSTEST_INLINE";
const SEED: &str = "NSTEST_SEED";
pub(super) const PLAN: &str = "NSTEST_PLAN";
const JOBS: &str = "NSTEST_JOBS";

/// Whether `NSTEST_INLINE` asks for the body in this very process.
pub(super) fn inline() -> bool {
    std::env::var_os(INLINE).is_some_and(|value| !value.is_empty() && value != "0")
}

/// The time that a test gets: what it asked for, scaled by `NSTEST_TIMEOUT`.
/// `None` is for ever.
pub(super) fn timeout(options: &Options) -> Result<Option<Duration>> {
    let scale = std::env::var_os(TIMEOUT);
    scaled(asked(options), scale.as_deref())
}

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
                .help("it multiplies every timeout: a number above 0 such as 3 or 0.5, or `none` for no timeouts")
        })?;
    Ok(asked.map(|time| {
        Duration::try_from_secs_f64(time.as_secs_f64() * factor).unwrap_or(Duration::MAX)
    }))
}

/// What the body of a test is to do, and whether its seed was chosen by anybody.
pub(super) fn run_config(options: &Options) -> Result<(RunConfig, bool)> {
    let given = std::env::var_os(SEED).map(|value| seed(&value)).transpose()?;
    let chosen = given.or(options.seed);
    let plan = std::env::var_os(PLAN).map(|value| plan(&value)).transpose()?;
    let run_config = RunConfig { seed: chosen.unwrap_or(DEFAULT_SEED), plan, census: false };
    Ok((run_config, chosen.is_some()))
}

fn seed(value: &OsStr) -> Result<u64> {
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    // The parsers would take a sign, too.
    value.to_str().filter(|text| !text.contains('+')).and_then(number).ok_or_else(|| {
        unread(SEED, value).help(
            "a seed is a whole number below 2^64 such as 7 or 0xbeef; unset, each test has its own",
        )
    })
}

fn plan(value: &OsStr) -> Result<String> {
    let text = value.to_str().filter(|text| !text.trim().is_empty());
    text.map(str::to_owned).ok_or_else(|| {
        unread(PLAN, value)
            .help("a plan of faults is a text, as a failed exploration prints it; or unset it")
    })
}

/// How many runs of explorations there may be at a time, in all tests of a run.
pub(super) fn jobs() -> Result<usize> {
    match std::env::var_os(JOBS) {
        Some(value) => jobs_of(&value),
        None => {
            Ok(JOBS_PER_PROCESSOR * std::thread::available_parallelism().map_or(1, usize::from))
        }
    }
}

fn jobs_of(value: &OsStr) -> Result<usize> {
    let digits = |text: &&str| text.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.to_str().filter(digits).and_then(|text| text.parse().ok());
    number.filter(|number| (1..=MOST_JOBS).contains(number)).ok_or_else(|| {
        unread(JOBS, value).help(format!(
            "it is how many runs of explorations there may be at a time: a whole number from 1 to {MOST_JOBS}; unset, {JOBS_PER_PROCESSOR} for each processor"
        ))
    })
}

/// A run waits for more than it computes: for timeouts that are tested, and in its end
/// for RCU, when the kernel closes the packet socket of the wire (packet_release,
/// net/packet/af_packet.c).
const JOBS_PER_PROCESSOR: usize = 2;

/// Each is a thread, and a process tree.
const MOST_JOBS: usize = 1024;

fn unread(name: &str, value: &OsStr) -> Error {
    Error::new(ErrorCode::Config, format!("read {name}={}", value.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::Explore;

    #[test]
    fn runs_of_an_exploration_have_another_default() {
        let explore = Some(Explore { faults: &["cut"], max: None });
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
    fn plans_and_numbers_of_jobs_are_not_empty() {
        assert_eq!(plan("a: reset".as_ref()).unwrap(), "a: reset");
        assert_eq!(jobs_of("7".as_ref()).unwrap(), 7);
        assert_eq!(plan(" ".as_ref()).unwrap_err().code(), ErrorCode::Config);
        for value in ["", "0", "+3", "-1", "1025", "all"] {
            assert_eq!(jobs_of(value.as_ref()).unwrap_err().code(), ErrorCode::Config, "{value}");
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
    fn nonsense_is_refused() {
        for value in ["", "0", "-1", "x", "inf", "NaN", "30s"] {
            let error = scaled(Some(DEFAULT_TIMEOUT), Some(value.as_ref())).unwrap_err();
            assert_eq!(error.code(), ErrorCode::Config, "{value}");
        }
    }
}
