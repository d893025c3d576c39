#[::core::prelude::v1::test]
#[cfg_attr(miri, ignore = "nstest: Miri has no network namespaces")]
#[cfg_attr(
    not(any(miri, target_os = "linux")),
    ignore = "nstest: network namespaces need Linux"
)]
#[serial]
fn locks() {
    ::nstest::__private::run_async::<
        (),
        _,
    >(
        {
            static TEST: ::nstest::__private::Test = ::nstest::__private::Test::new(
                    ::core::module_path!(),
                    ::core::stringify!(locks),
                    ::nstest::__private::Options::DEFAULT,
                )
                .within(locked);
            #[serial_test::file_serial(key, path = >"/tmp/lock")]
            fn locked() {
                ::nstest::__private::launch(&TEST);
            }
            &TEST
        },
        |_| ::core::option::Option::None,
        ::nstest::__private::Runtime::CurrentThread,
        |_fixtures| {
            let plan0 = ::nstest::__private::Fixtures::plan::<Node>(_fixtures, "server");
            let made0 = ::nstest::__private::Fixtures::setup::<Node>(_fixtures, plan0);
            async move {
                if false {
                    return;
                }
                let made0 = made0;
                let server = ::core::convert::identity(made0);
            }
        },
    );
}
