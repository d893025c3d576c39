use nstest::{netns, netns_test};

#[netns_test]
#[tokio::test]
async fn tokio_below() {}

#[netns_test]
#[async_std::test]
async fn other_runtime_below() {}

#[netns_test]
#[test_log::test]
fn logger_below() {}

#[netns]
#[actix_rt::test]
async fn other_runtime_below_netns() {}

#[rstest::rstest]
#[netns_test]
async fn rstest_above() {}

#[rstest::rstest]
#[netns]
async fn rstest_above_netns() {}

#[netns_test(start_paused = true)]
async fn argument_of_tokio() {}

#[netns_test]
#[netns]
fn ours_twice() {}

#[nstest::test]
#[nstest::netns_test]
fn ours_twice_by_path() {}

#[nstest::test]
#[rstest::rstest]
fn rstest_below() {}

#[netns]
#[test_case::test_case(1)]
fn test_case_below() {}

#[netns_test]
#[should_panic(expected = "x")]
fn should_panic_with_a_result() -> Result<(), std::fmt::Error> {
    Err(std::fmt::Error)
}

fn main() {}
