#[::core::prelude::v1::test]
#[cfg_attr(miri, ignore = "nstest: Miri has no network namespaces")]
#[cfg_attr(
    not(any(miri, target_os = "linux")),
    ignore = "nstest: network namespaces need Linux"
)]
/// Documented.
pub(crate) fn r#match() {
    #![allow(unused)]
    crate::testing::__private::run_async::<
        Result<(), Error>,
        _,
    >(
        {
            static TEST: crate::testing::__private::Test = crate::testing::__private::Test::new(
                ::core::module_path!(),
                ::core::stringify!(r#match),
                crate::testing::__private::Options::DEFAULT,
            );
            &TEST
        },
        |returned: &Result<(), Error>| {
            crate::testing::__private::Returned(returned).error()
        },
        crate::testing::__private::Runtime::MultiThread {
            workers: ::core::option::Option::Some(2usize),
        },
        |_fixtures| {
            let plan0 = crate::testing::__private::Fixtures::plan::<
                Node,
            >(_fixtures, "server");
            let plan1 = crate::testing::__private::Fixtures::plan::<
                Net,
            >(_fixtures, "arg2");
            let made0 = crate::testing::__private::Fixtures::setup::<
                Node,
            >(_fixtures, plan0);
            let made1 = crate::testing::__private::Fixtures::setup::<
                Net,
            >(_fixtures, plan1);
            async move {
                if false {
                    return ::core::option::Option::<
                        Result<(), Error>,
                    >::unwrap(::core::option::Option::None);
                }
                let made0 = made0;
                let made1 = made1;
                let server = ::core::convert::identity(made0);
                let _ = made1;
                server.ping().await?;
                Ok(())
            }
        },
    );
}
