//! test-case registers an `fn` itself, and leaves an `async fn` to an attribute below it.
#![cfg_attr(not(test), allow(unused))]

mod harness {
    //! The code that test-case 3.4 generates from `#[test_case(1)]`. test-case itself
    //! generates it under `cfg(test)` only, and these cases are compiled without.
    use nstest::{netns, netns_test};

    #[netns_test]
    #[allow(clippy::bool_assert_comparison)]
    #[allow(unknown_lints, clippy::redundant_test_prefix)]
    fn twice() {}

    #[nstest::test]
    #[allow(clippy::bool_assert_comparison)]
    #[allow(unknown_lints, clippy::redundant_test_prefix)]
    fn twice_by_alias() {}

    #[netns]
    #[allow(clippy::bool_assert_comparison)]
    #[allow(unknown_lints, clippy::redundant_test_prefix)]
    async fn never() {}
}

fn main() {}
