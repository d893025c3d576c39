#[::core::prelude::v1::test]
#[cfg_attr(miri, ignore = "nstest: Miri has no network namespaces")]
#[cfg_attr(
    not(any(miri, target_os = "linux")),
    ignore = "nstest: network namespaces need Linux"
)]
fn loops() {
    ::nstest::__private::run::<
        (),
    >(
        {
            static TEST: ::nstest::__private::Test = ::nstest::__private::Test::new(
                ::core::module_path!(),
                ::core::stringify!(loops),
                ::nstest::__private::Options {
                    peers: 2u16,
                    subnets: &["10.9.0.0/24", "fd09::/64"],
                    mtu: ::core::option::Option::Some(9000u32),
                    ipv6: true,
                    offloads: false,
                    uplink: true,
                    ..::nstest::__private::Options::DEFAULT
                },
            );
            &TEST
        },
        |_| ::core::option::Option::None,
        |_fixtures| -> () {
            let plan0 = ::nstest::__private::Fixtures::plan::<Net>(_fixtures, "net");
            let made0 = ::nstest::__private::Fixtures::setup::<Net>(_fixtures, plan0);
            let net = ::core::convert::identity(made0);
        },
    );
}
