fn joins() {
    ::nstest::__private::run::<
        (),
    >(
        {
            static TEST: ::nstest::__private::Test = ::nstest::__private::Test::new(
                ::core::module_path!(),
                ::core::stringify!(joins),
                ::nstest::__private::Options {
                    netns: ::core::option::Option::Some("vns1"),
                    registers: false,
                    ..::nstest::__private::Options::DEFAULT
                },
            );
            &TEST
        },
        |_| ::core::option::Option::None,
        |_| -> () {},
    );
}
