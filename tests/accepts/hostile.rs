//! Scopes that shadow the names in the generated code.

mod no_prelude {
    #![no_implicit_prelude]

    #[::nstest::netns_test(timeout = "5s")]
    #[should_panic(expected = "sync")]
    fn synchronous(context: ::nstest::TestContext) {
        let _ = &context;
        ::core::panic!("sync");
    }

    #[::nstest::netns_test(flavor = "multi_thread")]
    async fn asynchronous(_: ::nstest::TestContext) -> ::nstest::TestResult {
        ::core::result::Result::Ok(())
    }
}

mod shadowed {
    #![allow(dead_code)]

    struct Result;
    struct Option;
    struct Some;
    struct Ok;
    struct Test;
    struct Options;
    struct Termination;
    mod core {}
    mod std {}
    mod nstest {}
    use ::nstest::{TestContext, netns_test};

    #[netns_test(timeout = "5s")]
    fn synchronous(context: TestContext) {
        let _ = &context;
    }

    #[netns_test(flavor = "multi_thread", worker_threads = 1)]
    async fn asynchronous(_context: TestContext) -> ::std::process::ExitCode {
        ::std::process::ExitCode::SUCCESS
    }
}

mod reexported {
    //! A crate that re-exports nstest, and tests with `crate = …`.
    mod support {
        pub(super) use ::nstest as testing;
    }

    #[support::testing::netns_test(crate = self::support::testing)]
    fn by_path() {}
}
