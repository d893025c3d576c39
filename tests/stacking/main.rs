//! How many times libtest runs a test with an attribute of nstest below another test
//! attribute. Twice or never would give a false result.
//!
//! | above | `#[netns]` | `#[nstest::test]` | `#[netns_test]` |
//! |---|---|---|---|
//! | `#[test]` | 1 | 2 | 2 |
//! | `#[tokio::test]`, `#[test_log::test]` | 1 | 1 | 1 |
//! | `#[actix_rt::test]` | 1 | 2 | 2 |
//! | `#[rstest]`, sync | 1 | 1 | 1 |
//! | `#[rstest]`, async | refused | 1 | refused |
//! | `#[test_case]`, sync | 1 | refused | refused |
//! | `#[test_case]`, async | refused | 1 | 1 |
//!
//! rstest itself refuses the two async cases. For test-case, the attributes of nstest
//! refuse (`ui/test_case.rs`). Where the table says 2, the runner fails the test; so these
//! tests are ignored here, and only listed.

#![deny(unsafe_code)]

mod forks;
mod locks;
mod loggers;

use std::collections::BTreeMap;
use std::process::Command;

mod under_test {
    use nstest::{netns, netns_test};

    #[test]
    #[netns]
    fn wraps() {}

    #[test]
    #[nstest::test]
    #[ignore = "registered twice"]
    fn alias() {}

    #[test]
    #[netns_test]
    #[ignore = "registered twice"]
    fn registers() {}

    #[netns_test]
    #[test]
    fn below() {}

    #[nstest::test]
    #[core::prelude::v1::test]
    fn below_by_path() {}

    #[netns]
    #[test]
    fn below_wraps() {}
}

mod under_tokio {
    use nstest::{netns, netns_test};

    #[tokio::test]
    #[netns]
    async fn wraps() {}

    #[tokio::test]
    #[nstest::test]
    async fn alias() {}

    #[tokio::test]
    #[netns_test]
    async fn registers() {}

    #[tokio::test]
    #[netns]
    async fn leaves_parameters(server: nstest::Node) {
        assert_eq!(server.name(), "server");
    }

    #[tokio::test]
    #[netns]
    #[serial_test::serial]
    async fn leaves_parameters_above_a_lock(server: nstest::Node) {
        assert_eq!(server.name(), "server");
    }

    #[tokio::test(start_paused = true)]
    #[netns(timeout = "20s")]
    async fn advances_its_clock() {
        let start = tokio::time::Instant::now();
        tokio::time::sleep(std::time::Duration::from_secs(3600)).await;
        assert!(start.elapsed().as_secs() >= 3600);
        drop(tokio::net::TcpListener::bind("127.0.0.1:80").await.unwrap());
    }
}

mod under_actix {
    use nstest::{netns, netns_test};

    #[actix_rt::test]
    #[netns]
    async fn wraps() {
        actix_rt::spawn(async { drop(std::net::TcpListener::bind("127.0.0.1:80").unwrap()) })
            .await
            .unwrap();
    }

    #[actix_rt::test]
    #[netns_test]
    #[ignore = "registered twice"]
    async fn registers() {}
}

mod under_test_log {
    use nstest::{netns, netns_test};

    #[test_log::test]
    #[netns]
    fn wraps() {
        assert!(tracing::event_enabled!(tracing::Level::ERROR));
    }

    #[test_log::test]
    #[netns_test]
    fn registers(context: nstest::TestContext) {
        assert!(tracing::event_enabled!(tracing::Level::ERROR));
        drop(context.clone());
    }

    #[test_log::test]
    #[netns]
    fn leaves_parameters(server: nstest::Node) {
        assert_eq!(server.name(), "server");
    }

    #[test_log::test(tokio::test)]
    #[netns]
    async fn wraps_tokio(server: nstest::Node) {
        assert_eq!(server.name(), "server");
        assert!(tracing::event_enabled!(tracing::Level::ERROR));
    }
}

mod under_rstest {
    use nstest::{netns, netns_test};
    use rstest::rstest;

    #[rstest]
    #[netns]
    fn plain_wraps() {}

    #[rstest]
    #[case(1)]
    #[case(2)]
    #[netns]
    fn wraps(#[case] number: u8) {
        assert_ne!(number, 0);
    }

    #[rstest]
    #[case(1)]
    #[nstest::test]
    fn alias(#[case] number: u8) {
        assert_ne!(number, 0);
    }

    #[rstest]
    #[case(1)]
    #[netns_test]
    #[should_panic(expected = "one")]
    fn registers(#[case] number: u8) {
        assert_ne!(number, 1, "one");
    }

    #[rstest]
    #[case(1)]
    #[nstest::test]
    async fn alias_async(#[case] number: u8) -> nstest::TestResult {
        assert_ne!(number, 0);
        Ok(())
    }

    #[rstest]
    #[netns]
    fn leaves_fixtures(#[ignore] context: nstest::TestContext) {
        drop(context.clone());
    }

    #[rstest]
    #[case(1)]
    #[nstest::test]
    fn leaves_fixtures_beside_cases(#[case] number: u8, #[ignore] context: nstest::TestContext) {
        assert_ne!(number, 0);
        drop(context.clone());
    }

    #[rstest]
    #[nstest::test]
    async fn leaves_fixtures_async(#[ignore] context: nstest::TestContext) {
        drop(context.clone());
    }

    #[rstest]
    #[nstest::test]
    fn values(#[values(1, 2)] number: u8) {
        assert_ne!(number, 0);
    }
}

mod under_test_case {
    use nstest::{netns, netns_test};
    use test_case::test_case;

    #[test_case(1; "one")]
    #[netns]
    fn wraps(number: u8) {
        assert_ne!(number, 0);
    }

    #[test_case(1 => panics "one"; "one")]
    #[netns]
    fn panics(number: u8) {
        assert_ne!(number, 1, "one");
    }

    #[test_case(1; "one")]
    #[netns_test]
    async fn registers_async(number: u8) {
        assert_ne!(number, 0);
    }

    #[test_case(1; "one")]
    #[nstest::test]
    async fn alias_async(number: u8) {
        assert_ne!(number, 0);
    }
}

#[test]
fn each_test_is_registered_as_often_as_documented() {
    let list =
        Command::new(std::env::current_exe().unwrap()).args(["--list", "under_"]).output().unwrap();
    let mut counted = BTreeMap::new();
    for line in String::from_utf8(list.stdout).unwrap().lines() {
        if let Some(name) = line.strip_suffix(": test") {
            *counted.entry(name.to_owned()).or_insert(0) += 1;
        }
    }
    let counted: String =
        counted.into_iter().map(|(name, times)| format!("{times} {name}\n")).collect();
    expect_test::expect![[r#"
        2 under_actix::registers
        1 under_actix::wraps
        1 under_rstest::alias::case_1
        1 under_rstest::alias_async::case_1
        1 under_rstest::leaves_fixtures
        1 under_rstest::leaves_fixtures_async
        1 under_rstest::leaves_fixtures_beside_cases::case_1
        1 under_rstest::plain_wraps
        1 under_rstest::registers::case_1
        1 under_rstest::values::number_1_1
        1 under_rstest::values::number_2_2
        1 under_rstest::wraps::case_1
        1 under_rstest::wraps::case_2
        2 under_test::alias
        1 under_test::below
        1 under_test::below_by_path
        1 under_test::below_wraps
        2 under_test::registers
        1 under_test::wraps
        1 under_test_case::alias_async::test_case_1_one
        1 under_test_case::panics::test_case_1_one
        1 under_test_case::registers_async::test_case_1_one
        1 under_test_case::wraps::test_case_1_one
        1 under_test_log::leaves_parameters
        1 under_test_log::registers
        1 under_test_log::wraps
        1 under_test_log::wraps_tokio
        1 under_tokio::advances_its_clock
        1 under_tokio::alias
        1 under_tokio::leaves_parameters
        1 under_tokio::leaves_parameters_above_a_lock
        1 under_tokio::registers
        1 under_tokio::wraps
    "#]]
    .assert_eq(&counted);
}
