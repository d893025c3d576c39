//! What the attributes expand to, as snapshots in `snapshots/`.
//!
//! `UPDATE_EXPECT=1 cargo test -p nstest-macros` accepts a new expansion.

use expect_test::{ExpectFile, expect, expect_file};
use quote::quote;

use super::*;

const BUILD: Build = Build { tokio: true, stub: false };

fn pretty(tokens: TokenStream) -> String {
    prettyplease::unparse(&syn::parse2(tokens).unwrap())
}

fn check(entry: EntryPoint, args: TokenStream, item: TokenStream, snapshot: ExpectFile) {
    snapshot.assert_eq(&pretty(expand(entry, BUILD, args, item)));
}

#[test]
fn synchronous() {
    check(
        EntryPoint::NetnsTest,
        quote!(),
        quote! {
            fn binds() {
                std::net::TcpListener::bind("127.0.0.1:8080").unwrap();
            }
        },
        expect_file!["snapshots/synchronous.rs"],
    );
}

#[test]
fn asynchronous() {
    check(
        EntryPoint::Test,
        quote!(flavor = "multi_thread", worker_threads = 2, crate = crate::testing),
        quote! {
            /// Documented.
            pub(crate) async fn r#match(server: Node, _: Net) -> Result<(), Error> {
                #![allow(unused)]
                server.ping().await?;
                Ok(())
            }
        },
        expect_file!["snapshots/asynchronous.rs"],
    );
}

#[test]
fn network() {
    check(
        EntryPoint::NetnsTest,
        quote!(
            peers = 2,
            subnet = ["10.9.0.0/24", "fd09::/64"],
            mtu = 9000,
            ipv6 = true,
            offloads = false,
            uplink
        ),
        quote! {
            fn loops(net: Net) {}
        },
        expect_file!["snapshots/network.rs"],
    );
    check(
        EntryPoint::Netns,
        quote!(netns = "vns1"),
        quote! {
            fn joins() {}
        },
        expect_file!["snapshots/netns.rs"],
    );
}

#[test]
fn exploration() {
    check(
        EntryPoint::NetnsTest,
        quote!(seed = 7, explore(reset, drop, then cut, delay, delay 40ms, duplicate 2, max = 200)),
        quote! {
            fn pays(server: Node) {}
        },
        expect_file!["snapshots/exploration.rs"],
    );
}

#[test]
fn fixtures() {
    check(
        EntryPoint::NetnsTest,
        quote!(timeout = "1m 30s", root = false),
        quote! {
            fn patterns(mut a: Node, ref b: Node, (c, _): (Node, Node), _: Net) -> impl Termination {
                a.rename("x");
            }
        },
        expect_file!["snapshots/fixtures.rs"],
    );
}

#[test]
fn conditional_parameters() {
    check(
        EntryPoint::NetnsTest,
        quote!(),
        quote! {
            async fn conditional(
                #[cfg(unix)] a: Node,
                #[cfg_attr(test, cfg(unix))] b: Node,
                #[allow(unused_variables)] c: Node,
            ) {}
        },
        expect_file!["snapshots/conditional_parameters.rs"],
    );
}

#[test]
fn should_panic() {
    check(
        EntryPoint::Netns,
        quote!(timeout = "none"),
        quote! {
            #[should_panic(expected = "boom")]
            #[ignore = "slow"]
            #[test]
            fn panics() -> () {
                panic!("boom")
            }
        },
        expect_file!["snapshots/should_panic.rs"],
    );
}

#[test]
fn file_lock() {
    check(
        EntryPoint::NetnsTest,
        quote!(),
        quote! {
            #[serial]
            #[serial_test::file_serial(key, path => "/tmp/lock")]
            async fn locks(server: Node) {}
        },
        expect_file!["snapshots/file_lock.rs"],
    );
}

/// The function stays, unregistered; so do its attributes that are not a test's.
#[test]
fn mistake() {
    check(
        EntryPoint::NetnsTest,
        quote!(timeout = 30, retries = 3),
        quote! {
            #[cfg(unix)]
            #[should_panic]
            #[tokio::test]
            async fn mistaken(&self, node: &Node) {
                #![allow(unused)]
                node.ping().await;
            }
        },
        expect_file!["snapshots/mistake.rs"],
    );
}

#[test]
fn async_needs_the_tokio_feature() {
    let build = Build { tokio: false, ..BUILD };
    let item = quote!(
        async fn f() {}
    );
    let tokens = expand(EntryPoint::NetnsTest, build, quote!(), item);
    expect![[r##"
        #[allow(dead_code)]
        async fn f() {}
        ::core::compile_error! {
            "an `async fn` needs the default feature `tokio` of nstest; enable it in Cargo.toml: `nstest = { version = \"…\", features = [\"tokio\"] }`"
        }
    "##]].assert_eq(&pretty(tokens));
}

#[test]
fn a_stub_build_ignores_every_test() {
    let build = Build { stub: true, ..BUILD };
    for (item, ignores) in [
        (
            quote!(
                fn f() {}
            ),
            true,
        ),
        (
            quote!(
                #[ignore = "mine"]
                fn f() {}
            ),
            false,
        ),
    ] {
        let tokens = expand(EntryPoint::NetnsTest, build, quote!(), item);
        assert_eq!(pretty(tokens).contains("stub build"), ignores);
    }
}
