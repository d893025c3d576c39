//! `nstest run --uplink`: the same for programs.

use std::process::{Command, Stdio};

use nstest::{Net, TestResult, netns_test};
use nstest_tests::programs::need;

use crate::outside::{Internet, LOOPBACK_PORT, MACHINE, SERVER, relays};
use crate::{gone, traces, tun_is_usable};

const WORLDS: [&[&str]; 2] = [&[], &["--peers", "1"]];

fn nstest(world: &[&str], script: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nstest-command"));
    command.args(["run", "--uplink"]).args(world).args(["--", "bash", "-c", script]);
    command
}

/// The output of a command that succeeds.
#[track_caller]
fn output(mut command: Command) -> String {
    let output = command.output().expect("start nstest");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// The program reaches the Internet and its names, and nothing on the machine's loopback unless
/// that is named.
fn reaches() {
    let server = format!("cat </dev/tcp/{SERVER}/80; echo; getent ahostsv4 www.example.test");
    let own = format!("if (: <>/dev/tcp/127.0.0.1/{LOOPBACK_PORT}) 2>&-; then echo reached; fi");
    let named = format!("--host-port={LOOPBACK_PORT}");
    for world in WORLDS {
        let seen = output(nstest(world, &format!("{server}; {own}")));
        assert!(seen.starts_with(&format!("{MACHINE}\n{SERVER} ")), "{seen}");
        assert!(!seen.contains("reached"), "{seen}");
        let let_in = nstest(&[world, &[&named]].concat(), &own);
        assert_eq!(output(let_in), "reached\n");
    }
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs nft; run ./check test")]
fn a_program_of_root_reaches_the_internet(net: Net) -> TestResult {
    let _internet = Internet::build(&net)?;
    reaches();
    gone(traces);
    Ok(())
}

#[netns_test(root = false)]
#[cfg_attr(not(feature = "programs"), ignore = "needs pasta; run ./check test")]
fn a_program_of_a_user_reaches_the_internet(net: Net) -> TestResult {
    need(&["pasta"]);
    let _internet = Internet::build(&net)?;
    if tun_is_usable() {
        reaches();
        gone(relays);
        return Ok(());
    }
    let refused = nstest(&[], "echo it runs").output()?;
    let text = String::from_utf8_lossy(&refused.stderr);
    assert_eq!((refused.status.code(), refused.stdout.as_slice()), (Some(125), &b""[..]), "{text}");
    assert!(text.starts_with("nstest[uplink]: ") && text.contains("/dev/net/tun"), "{text}");
    println!("checks only the error: this user may not open /dev/net/tun");
    Ok(())
}

/// Kills the command while the program runs.
fn kill_it(traces: impl Fn() -> Vec<String>) -> TestResult {
    for world in WORLDS {
        let mut command = nstest(world, "echo ready; sleep 60");
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut ready = [0; 6];
        std::io::Read::read_exact(child.stdout.as_mut().expect("a pipe"), &mut ready)?;
        assert!(!traces().is_empty(), "the uplink has left traces to be removed");
        child.kill()?;
        child.wait()?;
        gone(&traces);
    }
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs nft; run ./check test")]
fn the_uplink_of_root_is_removed_when_the_command_is_killed(net: Net) -> TestResult {
    let _internet = Internet::build(&net)?;
    kill_it(traces)
}

#[netns_test(root = false)]
#[cfg_attr(not(feature = "programs"), ignore = "needs pasta; run ./check test")]
fn pasta_dies_when_the_command_is_killed(net: Net) -> TestResult {
    need(&["pasta"]);
    let _internet = Internet::build(&net)?;
    if tun_is_usable() { kill_it(relays) } else { Ok(()) }
}
