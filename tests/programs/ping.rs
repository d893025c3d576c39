//! ping (Debian's iputils-ping), as root and as an ordinary user.

use nstest::{Node, TestResult, netns_test};
use nstest_tests::programs::find;

fn pings(a: &Node, b: &Node) -> TestResult {
    for (node, target) in [(a, "b"), (b, "a"), (a, "test"), (a, "localhost")] {
        for family in ["-4", "-6"] {
            let ping = node
                .command(find("ping"))
                .args([family, "-c", "2", "-i", "0.01", target])
                .output()?;
            let text = String::from_utf8_lossy(&ping.stdout);
            assert!(
                text.contains(" 0% packet loss"),
                "{node:?} {family} {target}: {text}{}",
                String::from_utf8_lossy(&ping.stderr)
            );
        }
    }
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ping; run ./check test")]
fn by_name(a: Node, b: Node) -> TestResult {
    pings(&a, &b)
}

#[netns_test(root = false)]
#[cfg_attr(not(feature = "programs"), ignore = "needs ping; run ./check test")]
fn by_name_without_root(a: Node, b: Node) -> TestResult {
    pings(&a, &b)
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip and ping; run ./check test")]
fn everybody_on_the_lan(a: Node, b: Node, c: Node) -> TestResult {
    let ping =
        a.command(find("ping")).args(["-6", "-c", "2", "-w", "5", "ff02::1%eth0"]).output()?;
    let text = String::from_utf8_lossy(&ping.stdout);
    for node in [&b, &c] {
        let link = node
            .command(find("ip"))
            .args(["-6", "-oneline", "address", "show", "scope", "link"])
            .output()?;
        let link = String::from_utf8_lossy(&link.stdout).into_owned();
        let local = link
            .split_whitespace()
            .nth(3)
            .and_then(|text| text.split('/').next())
            .expect("an address");
        assert!(text.contains(&format!("from {local}%eth0")), "{local}: {text}");
    }
    Ok(())
}
