//! Which values of the variables are accepted, and what they mean.

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
    for size in ["65536", "64k", "64K", "300m", "2G", "50%", "1%"] {
        assert_eq!(tmpfs_size_of(size.as_ref()).unwrap(), size);
    }
    for wrong in ["", "0", "0%", "m", "-1", "+1m", "1t", "1mm", "1m,mode=777", "half"] {
        let error = tmpfs_size_of(wrong.as_ref()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::Config, "{wrong}");
    }
    for small in ["1", "4k", "63K", "65535"] {
        let text = format!("{:?}", tmpfs_size_of(small.as_ref()).unwrap_err());
        let begin =
            format!("nstest[config]: read NSTEST_TMPFS_SIZE={small}\n  cause: a test's own files");
        assert!(text.starts_with(&begin), "{text}");
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
    let options = |policy, tls_secrets, loopback| RecordOptions { policy, tls_secrets, loopback };
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
