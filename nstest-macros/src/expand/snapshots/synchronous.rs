#[::core::prelude::v1::test]
#[cfg_attr(miri, ignore = "nstest: Miri has no network namespaces")]
#[cfg_attr(
    not(any(miri, target_os = "linux")),
    ignore = "nstest: network namespaces need Linux"
)]
fn binds() {
    ::nstest::__private::run::<
        (),
    >(
        {
            static TEST: ::nstest::__private::Test = ::nstest::__private::Test::new(
                ::core::module_path!(),
                ::core::stringify!(binds),
                ::nstest::__private::Options::DEFAULT,
            );
            &TEST
        },
        |_| ::core::option::Option::None,
        |_| -> () {
            std::net::TcpListener::bind("127.0.0.1:8080").unwrap();
        },
    );
}
