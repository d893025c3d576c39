//! iperf3 between two nodes.

use std::process::Stdio;

use nstest::{Node, TestResult, netns_test};
use nstest_tests::programs::find;

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs iperf3; run ./check test")]
fn measures_what_a_lan_carries(a: Node, b: Node) -> TestResult {
    for options in [&["-4"][..], &["-6"], &["-4", "-u", "-b", "100M", "-l", "1000"], &["-4", "-R"]]
    {
        let mut server =
            a.command(find("iperf3")).args(["-s", "--one-off"]).stdout(Stdio::null()).spawn()?;
        a.wait_listening(5201)?;
        let client =
            b.command(find("iperf3")).args(["-c", "a", "-n", "10M"]).args(options).output()?;
        let text = String::from_utf8_lossy(&client.stdout);
        assert!(client.status.success(), "{text}");
        println!(
            "{options:?} {}",
            text.lines().filter(|line| line.contains("receiver")).collect::<String>()
        );
        server.wait()?;
    }
    Ok(())
}
