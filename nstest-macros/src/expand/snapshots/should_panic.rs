#[::core::prelude::v1::test]
#[should_panic(expected = "boom")]
#[ignore = "slow"]
fn panics() {
    ::nstest::__private::run::<
        (),
    >(
        {
            static TEST: ::nstest::__private::Test = ::nstest::__private::Test::new(
                ::core::module_path!(),
                ::core::stringify!(panics),
                ::nstest::__private::Options {
                    timeout: ::nstest::__private::Timeout::Never,
                    should_panic: ::core::option::Option::Some("boom"),
                    registers: false,
                    ..::nstest::__private::Options::DEFAULT
                },
            );
            &TEST
        },
        |returned: &()| ::nstest::__private::Returned(returned).error(),
        |_| -> () { panic!("boom") },
    );
}
