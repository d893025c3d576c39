#[::core::prelude::v1::test]
#[cfg_attr(miri, ignore = "nstest: Miri has no network namespaces")]
#[cfg_attr(
    not(any(miri, target_os = "linux")),
    ignore = "nstest: network namespaces need Linux"
)]
fn patterns() {
    ::nstest::__private::run::<
        _,
    >(
        {
            static TEST: ::nstest::__private::Test = ::nstest::__private::Test::new(
                ::core::module_path!(),
                ::core::stringify!(patterns),
                ::nstest::__private::Options {
                    timeout: ::nstest::__private::Timeout::After(
                        ::core::time::Duration::new(90u64, 0u32),
                    ),
                    root: false,
                    ..::nstest::__private::Options::DEFAULT
                },
            );
            fn _mention(output: impl Termination) -> impl Termination {
                output
            }
            &TEST
        },
        |_| ::core::option::Option::None,
        |_fixtures| -> _ {
            let plan0 = ::nstest::__private::Fixtures::plan::<Node>(_fixtures, "a");
            let plan1 = ::nstest::__private::Fixtures::plan::<Node>(_fixtures, "b");
            let plan2 = ::nstest::__private::Fixtures::plan::<
                (Node, Node),
            >(_fixtures, "c");
            let plan3 = ::nstest::__private::Fixtures::plan::<Net>(_fixtures, "arg4");
            let made0 = ::nstest::__private::Fixtures::setup::<Node>(_fixtures, plan0);
            let made1 = ::nstest::__private::Fixtures::setup::<Node>(_fixtures, plan1);
            let made2 = ::nstest::__private::Fixtures::setup::<
                (Node, Node),
            >(_fixtures, plan2);
            let made3 = ::nstest::__private::Fixtures::setup::<Net>(_fixtures, plan3);
            let mut a = ::core::convert::identity(made0);
            let ref b = ::core::convert::identity(made1);
            let (c, _) = made2;
            let _ = made3;
            a.rename("x");
        },
    );
}
