//! Settings of the kernel are written, not inherited. If one cannot be written, the network
//! works without it, and the test gets a note.

use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use nstest::{Net, Node, TestResult, netns_test};
use nstest_tests::driver::Run;
use nstest_tests::programs::need;
use nstest_tests::raw;

use crate::shell::{pings, shows};

const PLAIN: [(&str, &str); 8] = [
    ("ip_forward", "0"),
    ("conf/*/forwarding", "0"),
    ("conf/*/rp_filter", "0"),
    ("conf/*/arp_ignore", "1"),
    ("conf/all/arp_announce", "2"), // the larger of this and a device's counts
    ("conf/*/accept_local", "0"),
    ("conf/*/route_localnet", "0"),
    ("conf/*/accept_redirects", "0"),
];

#[track_caller]
fn has(node: &Node, setting: &str, value: &str) {
    for place in ["all", "default", "eth0"] {
        let path = format!("/proc/sys/net/ipv4/{}", setting.replace('*', place));
        assert_eq!(shows(node, &format!("cat {path}")).trim(), value, "{path} in {node:?}");
    }
}

#[netns_test]
fn nodes_have_the_settings_of_a_host_and_routers_those_of_a_router(net: Net) -> TestResult {
    let lan = net.add_lan("lan").build()?;
    let node = net.add_node("node").join(&lan).build()?;
    net.local().join(&lan)?;
    for (setting, value) in PLAIN {
        has(&node, setting, value);
        has(&net.local(), setting, value);
    }
    let router = net.add_router("router").lan(&lan).build()?;
    has(&router, "ip_forward", "1");
    has(&router, "conf/*/forwarding", "1");
    for setting in ["conf/*/rp_filter", "conf/*/proxy_arp", "conf/*/send_redirects"] {
        has(&router, setting, "0");
    }
    Ok(())
}

/// The nodes of a test's first network are made by several threads.
#[netns_test]
fn all_nodes_of_a_test_have_the_settings(a: Node, b: Node, c: Node, d: Node, net: Net) {
    for node in [a, b, c, d, net.local()] {
        let read = |path: String| {
            let text = node.run(|| std::fs::read_to_string(&path));
            text.unwrap_or_else(|error| panic!("{path}: {error}"))
        };
        for (setting, value) in PLAIN {
            for place in ["all", "default", "eth0"] {
                let path = format!("/proc/sys/net/ipv4/{}", setting.replace('*', place));
                assert_eq!(read(path.clone()).trim(), value, "{path} in {node:?}");
            }
        }
        for (setting, value) in [
            ("ipv4/tcp_congestion_control", "reno"),
            ("ipv4/icmp_ratemask", "0"),
            ("ipv6/conf/all/accept_dad", "0"),
            ("ipv6/conf/eth0/accept_dad", "0"),
            ("ipv6/conf/eth0/accept_ra", "0"),
            ("ipv6/conf/eth0/accept_redirects", "0"),
            ("ipv6/conf/eth0/disable_ipv6", "0"),
            ("ipv6/icmp/ratemask", "255"),
        ] {
            assert_eq!(read(format!("/proc/sys/net/{setting}")).trim(), value, "{setting}");
        }
        assert_eq!(shows(&node, "ls /sys/class/net/eth0/queues"), "rx-0\ntx-0\n");
    }
}

/// Over IPv6, too: there is no second of duplicate address detection.
fn first_connections_are_quick(peer: &Node) -> TestResult {
    for ip in peer.ips() {
        let listener = peer.run(|| TcpListener::bind((ip, 7000)))?;
        let start = Instant::now();
        TcpStream::connect((ip, 7000))?;
        assert!(start.elapsed() < Duration::from_millis(900), "{ip}: {:?}", start.elapsed());
        drop(listener);
    }
    Ok(())
}

#[netns_test]
#[ignore = "fixture of another test"]
fn works_with_proc_sys_read_only(peer: Node, net: Net) -> TestResult {
    assert!(std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").is_err(), "it is writable");
    println!("{} notes, such as: {}", net.notes().len(), net.notes()[0]);
    assert_eq!(peer.ips().len(), 2);
    first_connections_are_quick(&peer)?;
    let lan = net.add_lan("lan").build()?;
    let c = net.add_node("c").join(&lan).build()?;
    peer.join(&lan)?;
    let start = Instant::now();
    assert!(pings(&peer, c.ip()) && pings(&peer, c.ipv6()));
    assert!(start.elapsed() < Duration::from_millis(900), "{:?}", start.elapsed());
    Ok(())
}

/// As in a container: mounts over parts of /proc prevent a new one.
#[test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ping; run ./check test")]
fn a_read_only_proc_sys_gets_a_note() {
    need(&["ping"]);
    let mut command = Command::new("unshare");
    let script = "mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys; \
                  exec \"$0\" \"$@\"";
    if nstest_tests::machine_root() {
        command.args(["--mount"]);
    } else {
        command.args(["--user", "--map-root-user", "--mount"]);
    }
    command.args(["sh", "-e", "-c", script]);
    let run = Run::under(command, &["settings::works_with_proc_sys_read_only"]);
    let outcome = run.args(["--show-output"]).run();
    let text = outcome.text();
    assert!(outcome.status.success(), "{text}");
    let note = "nstest: note: could not set the sysctl";
    let setting = "net.ipv4.conf.all.arp_ignore to 1";
    let lines: Vec<&str> = text.lines().filter(|line| line.contains(note)).collect();
    assert!(lines.len() == 1 && lines[0].contains(setting), "{text}");
    assert!(text.contains("1 notes, such as: could not set the sysctls net."), "{text}");
}

#[netns_test]
#[ignore = "fixture of another test"]
fn works_without_ipv6(peer: Node, net: Net) -> TestResult {
    assert_eq!(peer.ips(), [peer.ip()]);
    assert!(net.notes().iter().any(|note| note.starts_with("the machine has no IPv6")));
    first_connections_are_quick(&peer)?;
    let lan = net.add_lan("lan").build()?;
    assert_eq!(net.add_node("c").join(&lan).build()?.ips().len(), 1);
    let refused = net.add_lan("new").subnet("2001:db8::/64").build().unwrap_err();
    println!("{refused:?}");
    Ok(())
}

/// This is the machine: as if started with `ipv6.disable=1`, where sockets of
/// that family are refused with this error.
#[test]
#[ignore = "fixture of another test"]
fn refuses_ipv6() {
    raw::refuse_ipv6();
    let outcome = Run::of(&["settings::works_without_ipv6"]).args(["--show-output"]).run();
    let text = outcome.text();
    assert!(outcome.status.success(), "{text}");
    assert!(text.contains("this test has no IPv6"), "{text}");
}

#[test]
fn a_machine_without_ipv6_gets_a_note() {
    Run::of(&["settings::refuses_ipv6"]).succeed();
}

/// Servers that refuse to run as root can bind ports below 1024 in every node.
#[netns_test(root = false)]
fn a_user_who_is_not_root_can_bind_low_ports(server: Node, net: Net) -> TestResult {
    for node in [&server, &net.local()] {
        let bound = node.run(|| TcpListener::bind("0.0.0.0:80"));
        assert!(bound.is_ok(), "{node:?}: {bound:?}");
    }
    Ok(())
}
