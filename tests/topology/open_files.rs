//! Open files, which many nodes need.

use std::fs::File;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nstest::{Condition, Error, ErrorCode, Injection, Net, Node, TestResult, netns_test};

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

fn add_nodes(net: &Net, count: usize) -> Result<Vec<Node>, Error> {
    let lan = net.add_lan("many").build()?;
    (0..count).map(|nth| net.add_node(&format!("n{nth}")).join(&lan).build()).collect()
}

#[netns_test]
fn a_node_holds_two_descriptors(net: Net) -> TestResult {
    let before = open_files();
    let nodes = add_nodes(&net, 20)?;
    nodes[0].wait_reachable(nodes[19].ip())?;
    let more = open_files() - before;
    // The thread that has pinged keeps its own namespace open.
    assert!(more <= 2 * 20 + 1, "{more}");
    Ok(())
}

/// Wherever it is that no file can be opened: nothing goes on with half of its settings.
#[netns_test]
fn a_limit_that_is_reached_is_an_error(net: Net) -> TestResult {
    setrlimit(Resource::RLIMIT_NOFILE, 300, 300)?;
    let lan = net.add_lan("lan").build()?;
    let mut refused = 0;
    for left in 0..16 {
        let mut others: Vec<File> = (0..300).map_while(|_| File::open("/dev/null").ok()).collect();
        others.truncate(others.len() - left);
        let node = net.add_node(&format!("n{left}")).join(&lan).build();
        let condition =
            |node: &Node| node.link().condition(Condition::LAN).map(Injection::optional);
        let injected = node.as_ref().map(condition);
        drop(others);
        for error in [node.as_ref().err(), injected.as_ref().ok().and_then(|i| i.as_ref().err())] {
            let Some(error) = error else { continue };
            assert_eq!(error.code(), ErrorCode::OpenFiles, "{left} left: {error:?}");
            assert!(format!("{error:?}").contains("ulimit -n"), "{error:?}");
            refused += 1;
        }
    }
    assert!(refused > 4, "{refused}");
    assert_eq!(net.notes(), [""; 0]);
    Ok(())
}

#[netns_test]
fn the_soft_limit_is_raised_and_programs_keep_it(net: Net) -> TestResult {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    assert!(hard >= 1024, "this test needs a hard limit of 1024 open files");
    setrlimit(Resource::RLIMIT_NOFILE, 100, hard)?;
    let nodes = add_nodes(&net, 60)?;
    assert_eq!(getrlimit(Resource::RLIMIT_NOFILE)?, (hard, hard));
    let output = nodes[59].command("sh").args(["-c", "ulimit -Sn"]).output()?;
    assert_eq!(String::from_utf8(output.stdout)?, "100\n");
    Ok(())
}

/// A test that needs few has the limit that it was started with.
#[netns_test]
fn the_soft_limit_stays_where_it_is_enough(peer: Node) -> TestResult {
    let _ = peer;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let started = std::fs::read_to_string("/proc/1/limits")?;
    assert!(started.lines().any(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        words.starts_with(&["Max", "open", "files"])
            && words[3..5] == [soft.to_string(), hard.to_string()]
    }));
    Ok(())
}
