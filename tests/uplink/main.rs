//! Uplinks, with the machine that they lead to played by a test.
//!
//! No packet leaves the machine that runs this: a test's own node is "the
//! machine", with a LAN for its network and a node there for the Internet. From
//! it this binary is started again for a fixture that has an uplink. As root of
//! the test that takes the way through the kernel; as an ordinary user (`root =
//! false`) the one through pasta, which needs a /dev/net/tun that everybody may
//! use: where there is none, the words that say so are what is tested.

mod inside;
mod outside;

use std::fs;
use std::process::{Child, Command};
use std::time::Duration;

use nstest::{Net, TestResult, eventually, netns_test};
use nstest_tests::fixtures::{arguments, fails, fixture, passes};
use nstest_tests::programs::{find, need};
use outside::{Internet, relays};

/// What root's way leaves on the machine, if it leaves anything.
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

/// As an ordinary user; false where this machine has no /dev/net/tun for them.
fn tun_is_usable() -> bool {
    fs::OpenOptions::new().read(true).write(true).open("/dev/net/tun").is_ok()
}

fn names_the_device() {
    fails(fixture("inside::reaches"), &["nstest[uplink]", "/dev/net/tun", "help: "]);
    println!("only the error: /dev/net/tun is not for this user");
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

/// Root that may not configure the network, as in a container: pasta does not
/// serve it, slirp4netns does.
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

/// Kills the process that supervises a test in the middle of it.
fn kill_the_runner(internet: &Internet, traces: impl Fn() -> Vec<String>) {
    let mut child = internet.fixture("inside::stays").spawn().expect("the fixture starts");
    internet.await_guest();
    assert!(!traces().is_empty(), "there is something to be undone");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs nft; run ./check test")]
fn roots_way_is_undone_when_the_runner_is_killed(net: Net) -> TestResult {
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
fn nothing_is_left_of_a_test_that_is_killed_or_takes_too_long(net: Net) -> TestResult {
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
fn pasta_dies_with_a_test_that_is_killed_or_takes_too_long(net: Net) -> TestResult {
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
fn several_at_a_time(net: Net) -> TestResult {
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
fn a_network_that_the_machine_has_is_refused(net: Net) -> TestResult {
    let internet = Internet::build(&net)?;
    let both = ["nstest[subnet-overlap]", "192.0.2.0/25", "192.0.2.0/24 on `eth0`"];
    fails(internet.fixture("inside::overlaps"), &both);
    Ok(())
}

#[netns_test]
fn a_machine_without_a_network() {
    fails(fixture("inside::reaches"), &["nstest[uplink]", "no default route"]);
}
