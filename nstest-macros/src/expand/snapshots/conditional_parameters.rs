#[::core::prelude::v1::test]
#[cfg_attr(miri, ignore = "nstest: Miri has no network namespaces")]
#[cfg_attr(
    not(any(miri, target_os = "linux")),
    ignore = "nstest: network namespaces need Linux"
)]
fn conditional() {
    ::nstest::__private::run_async::<
        (),
        _,
    >(
        {
            static TEST: ::nstest::__private::Test = ::nstest::__private::Test::new(
                ::core::module_path!(),
                ::core::stringify!(conditional),
                ::nstest::__private::Options::DEFAULT,
            );
            &TEST
        },
        |_| ::core::option::Option::None,
        ::nstest::__private::Runtime::CurrentThread,
        |_fixtures| {
            #[cfg(unix)]
            let plan0 = ::nstest::__private::Fixtures::plan::<Node>(_fixtures, "a");
            #[cfg_attr(test, cfg(unix))]
            let plan1 = ::nstest::__private::Fixtures::plan::<Node>(_fixtures, "b");
            let plan2 = ::nstest::__private::Fixtures::plan::<Node>(_fixtures, "c");
            #[cfg(unix)]
            let made0 = ::nstest::__private::Fixtures::setup::<Node>(_fixtures, plan0);
            #[cfg_attr(test, cfg(unix))]
            let made1 = ::nstest::__private::Fixtures::setup::<Node>(_fixtures, plan1);
            let made2 = ::nstest::__private::Fixtures::setup::<Node>(_fixtures, plan2);
            async move {
                if false {
                    return;
                }
                #[cfg(unix)]
                let made0 = made0;
                #[cfg_attr(test, cfg(unix))]
                let made1 = made1;
                let made2 = made2;
                #[cfg(unix)]
                let a = ::core::convert::identity(made0);
                #[cfg_attr(test, cfg(unix))]
                let b = ::core::convert::identity(made1);
                #[allow(unused_variables)]
                let c = ::core::convert::identity(made2);
            }
        },
    );
}
