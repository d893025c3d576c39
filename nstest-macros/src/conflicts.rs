//! Combinations that are refused: of arguments, and of arguments and the function.

use crate::args::{Args, Flavor};
use crate::attributes::UselessLock;
use crate::diag::Errors;
use crate::entry::{Build, EntryPoint};
use crate::model::{Function, Test};
use quote::ToTokens;

/// Reports every combination that is refused.
pub(crate) fn check(
    entry: EntryPoint,
    build: Build,
    args: &Args,
    function: &Function,
    test: &Test,
    errors: &mut Errors,
) {
    check_ipv6(args, errors);
    check_netns(args, errors);
    check_runtime(args, function, build, errors);
    check_exploration(args, test, errors);
    check_test_case(entry, function, test, errors);
    check_locks(entry, function, errors);
}

/// A network without IPv6 has no IPv6 subnet; one with IPv6 has a minimum MTU.
fn check_ipv6(args: &Args, errors: &mut Errors) {
    if args.netns.is_some() {
        return;
    }
    let has_ipv6 = args.ipv6.as_ref().is_none_or(|ipv6| ipv6.value);
    if let Some(mtu) = args.mtu.as_ref().filter(|mtu| has_ipv6 && mtu.value.0 < 1280) {
        errors.at(
            mtu,
            "IPv6 needs an MTU of at least 1280 (RFC 8200 §5); write a larger one, or add `ipv6 = \
             false`",
        );
    }
    if let Some(subnet) = args.subnet.as_ref().filter(|_| !has_ipv6) {
        for text in subnet.value.0.iter().filter(|text| text.value().contains(':')) {
            errors.at(
                text,
                "an IPv6 subnet cannot be combined with `ipv6 = false`; remove one of the two",
            );
        }
    }
}

/// A test in an existing network namespace uses its network as it is.
fn check_netns(args: &Args, errors: &mut Errors) {
    let Some(netns) = &args.netns else { return };
    let mut refuse = |argument: Option<&dyn ToTokens>, name: &str, why: &str| {
        if let Some(argument) = argument {
            errors.at(
                argument,
                format!("`{name}` cannot be combined with `netns`: {why}; remove one of the two"),
            );
        }
    };
    let unchanged = "the test runs in that network namespace as it is";
    refuse(args.peers.as_ref().map(|a| a as _), "peers", unchanged);
    refuse(args.subnet.as_ref().map(|a| a as _), "subnet", unchanged);
    refuse(args.mtu.as_ref().map(|a| a as _), "mtu", unchanged);
    refuse(args.ipv6.as_ref().map(|a| a as _), "ipv6", unchanged);
    refuse(args.offloads.as_ref().map(|a| a as _), "offloads", unchanged);
    let uplink = args.uplink.as_ref().filter(|uplink| uplink.value.0);
    refuse(uplink.map(|a| a as _), "uplink", unchanged);
    let user = args.root.as_ref().filter(|root| !root.value);
    let entering = "only root can enter an existing network namespace";
    refuse(user.map(|a| a as _), "root = false", entering);
    if args.explore.is_some() {
        let shared = "its runs would share that network namespace";
        refuse(Some(netns as _), "explore", shared);
    }
}

/// The runtime's arguments need an `async fn`, and that needs a runtime.
fn check_runtime(args: &Args, function: &Function, build: Build, errors: &mut Errors) {
    let runtime = |argument: &str| {
        format!(
            "`{argument}` configures the runtime of an `async fn`; remove it, or write `async fn`"
        )
    };
    match &function.sig.asyncness {
        Some(token) if !build.tokio => errors.at(
            token,
            "an `async fn` needs the default feature `tokio` of nstest; enable it in Cargo.toml: \
             `nstest = { version = \"…\", features = [\"tokio\"] }`",
        ),
        Some(_) => {
            let multi = matches!(&args.flavor, Some(flavor) if flavor.value == Flavor::MultiThread);
            if let (Some(workers), false) = (&args.worker_threads, multi) {
                errors.at(
                    workers,
                    "`worker_threads` needs the multi-threaded runtime; add `flavor = \"multi_thread\"`",
                );
            }
        }
        None => {
            if let Some(flavor) = &args.flavor {
                errors.at(flavor, runtime("flavor"));
            }
            if let Some(workers) = &args.worker_threads {
                errors.at(workers, runtime("worker_threads"));
            }
        }
    }
}

/// An exploration compares runs with the first one, which must pass.
fn check_exploration(args: &Args, test: &Test, errors: &mut Errors) {
    if let (Some(explore), Some(_)) = (&args.explore, &test.should_panic) {
        errors.at(
            &explore.name,
            "`explore` cannot be combined with `#[should_panic]`: an exploration checks that the \
             test passes with every fault; remove one of the two",
        );
    }
}

/// test-case registers an `fn` itself, and leaves an `async fn` to the attribute
/// below it. With the wrong attribute of ours, the test would run twice or never.
fn check_test_case(entry: EntryPoint, function: &Function, test: &Test, errors: &mut Errors) {
    match (entry, &function.sig.asyncness) {
        (EntryPoint::Netns, Some(token)) if test.made_by_test_case() && !test.registered => {
            errors.at(
                token,
                "neither test-case nor `#[netns]` registers an `async fn`, so this test would \
                 never run; write `#[nstest::test]`",
            );
        }
        (EntryPoint::NetnsTest | EntryPoint::Test, None) if test.made_by_test_case() => errors.at(
            function.sig.fn_token,
            format!(
                "test-case and `#[{}]` both register an `fn`, so this test would run twice; write \
                 `#[netns]`",
                entry.name()
            ),
        ),
        _ => {}
    }
}

/// An attribute above runs in the test's own process.
fn check_locks(entry: EntryPoint, function: &Function, errors: &mut Errors) {
    if let Some(UselessLock { attribute, at }) = UselessLock::in_body(&function.body) {
        let name = entry.name();
        errors.at(
            at,
            format!(
                "`#[{attribute}]` above `#[{name}]` is without effect: it runs in the test's own \
                 process, in which there is no other test; write it below `#[{name}]`, and not on \
                 the module"
            ),
        );
    }
}
