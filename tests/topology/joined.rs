//! `netns = "NAME"`: a test in a network namespace that exists already.
//!
//! The tests act as the machine's root, in namespaces of their own. One test uses the
//! machine's own namespaces; it needs real root.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nstest::{ErrorCode, Net, TestResult, netns_test};
use nstest_tests::fixtures::{arguments, fails, fixture, passes};
use nstest_tests::programs::find;

const FIXTURE: &str = "joined::inside::sees_what_is_there";

mod inside {
    use super::*;

    #[netns_test(netns = "nstest-vns")]
    #[ignore = "fixture of another test"]
    fn sees_what_is_there(net: Net) -> TestResult {
        let mut links: Vec<_> = fs::read_dir("/sys/class/net")?
            .map(|entry| Ok(entry?.file_name().into_string().unwrap()))
            .collect::<std::io::Result<_>>()?;
        links.sort();
        assert_eq!(links, ["inner", "lo", "other"]);
        // Unchanged: `ip netns add` leaves `lo` down.
        assert_eq!(fs::read_to_string("/sys/class/net/lo/flags")?.trim(), "0x8");
        net.local().run(|| ());
        let error = net.add_lan("lan").build().unwrap_err();
        assert_eq!(error.code(), ErrorCode::Config);
        assert!(format!("{error:?}").contains("`nstest-vns`"), "{error:?}");
        // The test has the rights of the machine's root, and still cannot change its settings.
        let refused = fs::write("/proc/sys/kernel/hostname", "mine").unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ReadOnlyFilesystem);
        fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
        assert_eq!(fs::read_to_string("/proc/sys/kernel/hostname")?.trim(), "test");
        Ok(())
    }
}

/// A named namespace with a veth pair in it, until dropped.
struct Named;

impl Named {
    fn make() -> Self {
        ip("netns add nstest-vns");
        let named = Self;
        ip("-n nstest-vns link add inner type veth peer name other");
        named
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        ip("netns delete nstest-vns");
    }
}

fn ip(words: &str) -> String {
    let output = Command::new(find("ip")).args(words.split(' ')).output().expect("iproute2's ip");
    assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip; run ./check test")]
fn root_joins_a_named_namespace() {
    let _named = Named::make();
    let before = ip("-n nstest-vns -brief address");
    passes(fixture(FIXTURE));
    assert_eq!(ip("-n nstest-vns -brief address"), before);
    assert!(ip("netns list").contains("nstest-vns"));
}

#[test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip; run ./check test")]
fn the_machines_root_joins_a_named_namespace() {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let root = status.lines().any(|line| line.starts_with("Uid:\t0\t0"));
    if !root {
        let text = "only real root can make a named namespace on the machine: see the nested test";
        return println!("not done: {text}");
    }
    let hostname = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let forward = fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap();
    let _named = Named::make();
    passes(fixture(FIXTURE));
    assert_eq!(fs::read_to_string("/proc/sys/kernel/hostname").unwrap(), hostname);
    assert_eq!(fs::read_to_string("/proc/sys/net/ipv4/ip_forward").unwrap(), forward);
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip; run ./check test")]
fn a_name_without_a_node() {
    ip("netns add other-vns");
    let none = ["nstest[namespace]: join the network namespace `nstest-vns`", "`other-vns`"];
    fails(fixture(FIXTURE), &none);
    fails(fixture(FIXTURE), &["sudo ip netns add nstest-vns"]);
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip; run ./check test")]
fn an_ordinary_user() {
    let _named = Named::make();
    let mut command = Command::new("setpriv");
    command.arg("--bounding-set=-sys_admin").arg(std::env::current_exe().unwrap());
    command.args(arguments(FIXTURE)).arg0("setpriv");
    fails(command, &["nstest[namespace]", "CAP_SYS_ADMIN", "run this test as root"]);
}
