#[::core::prelude::v1::test]
#[cfg_attr(miri, ignore = "nstest: Miri has no network namespaces")]
#[cfg_attr(
    not(any(miri, target_os = "linux")),
    ignore = "nstest: network namespaces need Linux"
)]
fn pays() {
    ::nstest::__private::run::<
        (),
    >(
        {
            static TEST: ::nstest::__private::Test = ::nstest::__private::Test::new(
                ::core::module_path!(),
                ::core::stringify!(pays),
                ::nstest::__private::Options {
                    seed: ::core::option::Option::Some(7u64),
                    explore: ::core::option::Option::Some(::nstest::__private::Explore {
                        faults: &[
                            ::nstest::__private::ExploreFault {
                                then: false,
                                action: ::nstest::__private::Action::Reset,
                            },
                            ::nstest::__private::ExploreFault {
                                then: false,
                                action: ::nstest::__private::Action::Drop,
                            },
                            ::nstest::__private::ExploreFault {
                                then: true,
                                action: ::nstest::__private::Action::Cut,
                            },
                            ::nstest::__private::ExploreFault {
                                then: false,
                                action: ::nstest::__private::Action::Delay(
                                    ::nstest::__private::Action::DEFAULT_DELAY,
                                ),
                            },
                            ::nstest::__private::ExploreFault {
                                then: false,
                                action: ::nstest::__private::Action::Delay(
                                    ::core::time::Duration::new(0u64, 40000000u32),
                                ),
                            },
                            ::nstest::__private::ExploreFault {
                                then: false,
                                action: ::nstest::__private::Action::Duplicate(2u8),
                            },
                        ],
                        max: ::core::option::Option::Some(200u32),
                    }),
                    ..::nstest::__private::Options::DEFAULT
                },
            );
            &TEST
        },
        |_| ::core::option::Option::None,
        |_fixtures| -> () {
            let plan0 = ::nstest::__private::Fixtures::plan::<Node>(_fixtures, "server");
            let made0 = ::nstest::__private::Fixtures::setup::<Node>(_fixtures, plan0);
            let server = ::core::convert::identity(made0);
        },
    );
}
