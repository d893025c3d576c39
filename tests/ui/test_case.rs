//! test-case registers an `fn` itself and leaves an `async fn` to others.
#![cfg_attr(not(test), allow(unused))]

mod harness {
    //! What test-case 3.4 leaves of `#[test_case(1)]`; the real one does so under
    //! `cfg(test)` only, which these cases are compiled without.
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
