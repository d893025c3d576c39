//! Uplinks to a machine that a test simulates.
//!
//! No packet leaves the machine that runs these tests. The test's own node plays the machine,
//! with a LAN as its network and a node on it as the Internet. The test starts this binary
//! again for a fixture with an uplink. As root, that uses routing and NAT of the kernel. As an
//! ordinary user (`root = false`), it uses pasta, which needs a /dev/net/tun that the user may
//! open. Without one, the test checks the error message instead.

mod command;
mod inside;
mod outside;

use std::fs;
use std::process::{Child, Command};
use std::time::Duration;

use nstest::{Net, TestResult, eventually, netns_test};
use nstest_tests::fixtures::{arguments, fails, fixture, passes};
use nstest_tests::programs::{find, need};
use outside::{Internet, relays};

/// What the uplinks have left on the machine.
fn traces() -> Vec<String> {
    let links = fs::read_dir("/sys/class/net").unwrap().flatten();
    let links = links.map(|link| link.file_name().into_string().unwrap());
    let mut traces: Vec<String> = links.filter(|name| name.starts_with("nstest")).collect();
    let tables = Command::new(find("nft")).args(["list", "tables"]).output().expect("nft");
    assert!(tables.status.success(), "{tables:?}");
    traces.extend(String::from_utf8(tables.stdout).unwrap().lines().map(str::to_owned));
    traces.extend(relays());
    traces
}

fn gone(traces: impl Fn() -> Vec<String>) {
    let gone = eventually(Duration::from_secs(10), || traces().is_empty());
    assert!(gone.is_ok(), "still there: {:?}", traces());
}

/// Whether this user may open /dev/net/tun.
fn tun_is_usable() -> bool {
    fs::OpenOptions::new().read(true).write(true).open("/dev/net/tun").is_ok()
}

fn names_the_device() {
    fails(fixture("inside::reaches"), &["nstest[uplink]", "/dev/net/tun", "help: "]);
    println!("checks only the error: this user may not open /dev/net/tun");
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs nft; run ./check test")]
fn root_reaches_the_internet(net: Net) -> TestResult {
    let internet = Internet::build(&net)?;
    fs::write("/proc/sys/net/ipv4/ip_forward", "0")?;
    passes(internet.fixture("inside::reaches"));
    gone(traces);
    assert_eq!(fs::read_to_string("/proc/sys/net/ipv4/ip_forward")?.trim(), "0");
    assert_eq!(fs::read_to_string("/proc/sys/net/ipv4/conf/eth0/forwarding")?.trim(), "0");
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs nft; run ./check test")]
fn root_reaches_the_internet_where_the_machine_forwards(net: Net) -> TestResult {
    let internet = Internet::build(&net)?;
    fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
    passes(internet.fixture("inside::reaches"));
    gone(traces);
    assert_eq!(fs::read_to_string("/proc/sys/net/ipv4/ip_forward")?.trim(), "1");
    Ok(())
}

#[netns_test(root = false)]
#[cfg_attr(not(feature = "programs"), ignore = "needs pasta; run ./check test")]
fn a_user_reaches_the_internet(net: Net) -> TestResult {
    need(&["pasta"]);
    let internet = Internet::build(&net)?;
    if !tun_is_usable() {
        names_the_device();
        return Ok(());
    }
    let mut command = internet.fixture("inside::reaches");
    command.env("HAS_IPV6", "1");
    passes(command);
    gone(relays);
    Ok(())
}

/// Root without the right to configure the network, as in a container: pasta does not work
/// for it, slirp4netns does.
#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs pasta and slirp4netns; run ./check test")]
fn slirp4netns_is_the_second_choice(net: Net) -> TestResult {
    need(&["pasta", "slirp4netns"]);
    let internet = Internet::build(&net)?;
    let mut command = Command::new("setpriv");
    command.arg("--bounding-set=-net_admin").arg(std::env::current_exe()?);
    command.args(arguments("inside::reaches")).envs(internet.environment());
    if !tun_is_usable() {
        fails(command, &["nstest[uplink]", "/dev/net/tun"]);
    } else {
        passes(command);
        gone(relays);
    }
    Ok(())
}

/// Kills the process that runs a test while the test runs.
fn kill_the_runner(internet: &Internet, traces: impl Fn() -> Vec<String>) {
    let mut child = internet.fixture("inside::stays").spawn().expect("the fixture starts");
    internet.await_guest();
    assert!(!traces().is_empty(), "the uplink has left traces to be removed");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs nft; run ./check test")]
fn the_uplink_of_root_is_removed_when_the_runner_is_killed(net: Net) -> TestResult {
    let internet = Internet::build(&net)?;
    for _ in 0..5 {
        kill_the_runner(&internet, traces);
        gone(traces);
    }
    Ok(())
}

#[netns_test(root = false)]
#[cfg_attr(not(feature = "programs"), ignore = "needs pasta; run ./check test")]
fn pasta_dies_when_the_runner_is_killed(net: Net) -> TestResult {
    need(&["pasta"]);
    let internet = Internet::build(&net)?;
    if !tun_is_usable() {
        names_the_device();
        return Ok(());
    }
    for _ in 0..5 {
        kill_the_runner(&internet, relays);
        gone(relays);
    }
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs nft; run ./check test")]
fn the_uplink_is_removed_when_a_test_is_killed_or_times_out(net: Net) -> TestResult {
    let internet = Internet::build(&net)?;
    fails(internet.fixture("inside::dies"), &["nstest[signal]", "SIGKILL"]);
    gone(traces);
    let mut command = internet.fixture("inside::stays");
    command.env("NSTEST_TIMEOUT", "0.02");
    fails(command, &["nstest[timeout]"]);
    gone(traces);
    Ok(())
}

#[netns_test(root = false)]
#[cfg_attr(not(feature = "programs"), ignore = "needs pasta; run ./check test")]
fn pasta_dies_when_a_test_is_killed_or_times_out(net: Net) -> TestResult {
    need(&["pasta"]);
    let internet = Internet::build(&net)?;
    if !tun_is_usable() {
        names_the_device();
        return Ok(());
    }
    fails(internet.fixture("inside::dies"), &["nstest[signal]", "SIGKILL"]);
    gone(relays);
    let mut command = internet.fixture("inside::stays");
    command.env("NSTEST_TIMEOUT", "0.02");
    fails(command, &["nstest[timeout]"]);
    gone(relays);
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs nft; run ./check test")]
fn several_uplinks_work_at_a_time(net: Net) -> TestResult {
    let internet = Internet::build(&net)?;
    let children: Vec<Child> = (0..4)
        .map(|_| internet.fixture("inside::reaches").spawn())
        .collect::<std::io::Result<_>>()?;
    for mut child in children {
        assert!(child.wait()?.success());
    }
    gone(traces);
    Ok(())
}

#[netns_test]
fn a_subnet_of_the_machine_is_refused(net: Net) -> TestResult {
    let internet = Internet::build(&net)?;
    let both = ["nstest[subnet-overlap]", "192.0.2.0/25", "192.0.2.0/24 on `eth0`"];
    fails(internet.fixture("inside::overlaps"), &both);
    Ok(())
}

#[netns_test]
fn a_machine_without_a_default_route_is_reported() {
    fails(fixture("inside::reaches"), &["nstest[uplink]", "no default route"]);
}
