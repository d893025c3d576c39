//! The record of a test that fails: it is there however the test ends, and programs read it.

use std::fs;
use std::io::Write;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;

use nstest::{Node, TestResult, netns_test};
use nstest_tests::driver::{Outcome, Run};
use nstest_tests::{executable, marks, programs};

/// How many datagrams a fixture sends: more than are read one by one.
const DATAGRAMS: usize = 200;

/// The directory of the record of the only fixture, which failed.
#[track_caller]
pub(crate) fn directory(outcome: &Outcome) -> PathBuf {
    let text = outcome.whole_text();
    let path = text.lines().find_map(|line| line.strip_prefix("nstest: record in "));
    let path = path.unwrap_or_else(|| panic!("without a record:\n{text}"));
    assert!(text.contains(&format!("[[ATTACHMENT|{path}]]")), "{text}");
    PathBuf::from(path)
}

/// Runs tshark on a capture, and returns what it prints.
#[track_caller]
pub(crate) fn tshark(capture: &Path, arguments: &[&str]) -> String {
    let output = Command::new(programs::find("tshark"))
        .arg("-n")
        .arg("-r")
        .arg(capture)
        .args(arguments)
        .output()
        .expect("start tshark");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("tshark prints UTF-8")
}

/// Sends datagrams to a server that receives all of them.
pub(crate) fn exchange(server: &Node) -> TestResult {
    let receiver = server.run(|| UdpSocket::bind("0.0.0.0:7000"))?;
    let sender = UdpSocket::bind("0.0.0.0:0")?;
    for number in 0..DATAGRAMS {
        sender.send_to(&[number as u8; 100], (server.ip(), 7000))?;
        receiver.recv(&mut [0; 100])?;
    }
    Ok(())
}

#[netns_test]
#[ignore = "fixture of another test"]
fn is_killed(server: Node) -> TestResult {
    exchange(&server)?;
    nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL)?;
    Ok(())
}

#[netns_test]
#[ignore = "fixture of another test"]
fn aborts(server: Node) -> TestResult {
    exchange(&server)?;
    std::process::abort();
}

#[netns_test]
#[ignore = "fixture of another test"]
fn overflows_its_stack(server: Node) -> TestResult {
    fn deeper(depth: u64) -> u64 {
        let local = std::hint::black_box([depth; 64]);
        if depth == u64::MAX { 0 } else { deeper(depth + 1) + local[0] }
    }
    exchange(&server)?;
    std::hint::black_box(deeper(0));
    Ok(())
}

#[netns_test(timeout = "2s")]
#[ignore = "fixture of another test"]
fn hangs(server: Node) -> TestResult {
    exchange(&server)?;
    loop {
        std::thread::park();
    }
}

#[netns_test]
#[ignore = "fixture of another test"]
fn exits(server: Node) -> TestResult {
    exchange(&server)?;
    std::process::exit(0);
}

#[cfg_attr(not(feature = "programs"), ignore = "needs tshark; run ./check test")]
#[test]
fn a_record_is_complete_however_the_test_ends() {
    for fixture in ["is_killed", "aborts", "overflows_its_stack", "hangs", "exits"] {
        let outcome = Run::of(&[&format!("record::{fixture}")]).run();
        let directory = directory(&outcome);
        for file in ["card.txt", "events.jsonl", "output.txt", "report.html"] {
            assert!(directory.join(file).is_file(), "{fixture} has no {file}");
        }
        let capture = directory.join("capture.pcapng");
        for interface in ["test/eth0", "server/eth0"] {
            let filter = format!("udp.dstport == 7000 && frame.interface_name == \"{interface}\"");
            let data = tshark(&capture, &["-Y", &filter, "-T", "fields", "-e", "udp.payload"]);
            let numbers: Vec<&str> = data.lines().map(|line| &line[..2]).collect();
            let expected: Vec<String> =
                (0..DATAGRAMS).map(|n| format!("{:02x}", n as u8)).collect();
            assert_eq!(numbers, expected, "{fixture} at {interface}");
        }
    }
}

#[netns_test]
#[ignore = "fixture of another test"]
fn may_write_nothing(server: Node) -> TestResult {
    use nix::sys::resource::{Resource, setrlimit};
    setrlimit(Resource::RLIMIT_FSIZE, 0, 0)?;
    nstest::step("a step");
    server.link().down()?;
    server.link().up()?;
    exchange(&server)
}

#[test]
fn a_limit_of_file_sizes_changes_no_verdict() {
    Run::of(&["record::may_write_nothing"]).run().passed_silently("record::may_write_nothing");
    // A test needs small files of its own. Through a pipe, since the limit concerns the output, too.
    let output = Command::new("sh")
        .args(["-c", "ulimit -f 8; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "record::aborts", "--include-ignored"])
        .env(marks::VARIABLE, std::env::temp_dir())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(101), "{output:?}");
    let path = text.lines().find_map(|line| line.strip_prefix("nstest: record in ")).unwrap();
    assert!(Path::new(path).join("card.txt").is_file(), "{text}");
    let lacks = "nstest: not in the record: report.html: it exceeds the limit of file sizes";
    assert!(text.contains(lacks), "{text}");
    assert!(!Path::new(path).join("report.html").exists(), "{text}");
}

#[netns_test]
fn programs_do_not_inherit_what_records(server: Node) -> TestResult {
    let listed = Command::new("ls").args(["-l", "/proc/self/fd"]).output()?;
    let in_node = server.command("ls").args(["-l", "/proc/self/fd"]).output()?;
    for output in [listed, in_node] {
        let text = String::from_utf8(output.stdout)?;
        assert!(!text.contains("socket:") && !text.contains("memfd:"), "{text}");
    }
    Ok(())
}

#[netns_test]
#[ignore = "fixture of another test"]
fn prints_bytes() {
    std::io::stdout().write_all(b"a\xff\xfe\x00b\nlast").unwrap();
    panic!("deliberately");
}

#[test]
fn output_that_is_no_text_is_kept_as_it_is() {
    let outcome = Run::of(&["record::prints_bytes"]).run();
    let output = fs::read(directory(&outcome).join("output.txt")).unwrap();
    assert!(
        output.windows(10).any(|part| part == b"a\xff\xfe\x00b\nlast".as_slice()),
        "{output:?}"
    );
}

#[netns_test]
#[ignore = "fixture of another test"]
fn passes(server: Node) -> TestResult {
    exchange(&server)
}

#[netns_test]
#[ignore = "fixture of another test"]
#[should_panic(expected = "deliberately")]
fn panics_as_it_should(server: Node) {
    exchange(&server).unwrap();
    panic!("deliberately");
}

#[test]
fn a_test_that_passes_leaves_nothing_unless_asked() {
    for fixture in ["record::passes", "record::panics_as_it_should"] {
        let run = |policy: &str| {
            Run::of(&[fixture]).env("NSTEST_RECORD", policy).args(["--show-output"]).run()
        };
        assert!(!run("failed").whole_text().contains("nstest: record"), "{fixture}");
        assert!(directory(&run("all")).join("events.jsonl").is_file());
    }
    let off = Run::of(&["record::aborts"]).env("NSTEST_RECORD", "off").run().whole_text();
    assert!(off.contains("SIGABRT") && !off.contains("=== nstest"), "{off}");
}

#[test]
fn an_unknown_policy_is_refused() {
    let text = Run::of(&["record::passes"]).env("NSTEST_RECORD", "some").run().whole_text();
    assert!(text.contains("nstest[config]: read NSTEST_RECORD=some"), "{text}");
}

/// Runs a fixture of this binary from a directory of its own, with something in place of the
/// directory for records. Returns what is printed.
fn in_place_of_records(place: impl FnOnce(&Path)) -> String {
    let directory = std::env::temp_dir().join("moved");
    fs::create_dir_all(&directory).unwrap();
    let binary = executable::copy_of_this(directory.join("evidence"));
    place(&directory.join("nstest"));
    let output = Command::new(&binary)
        .args(["--exact", "record::aborts", "--include-ignored"])
        .env(marks::VARIABLE, &directory)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(101), "{output:?}");
    assert!(text.contains("SIGABRT"), "{text}");
    assert!(text.contains("=== nstest: what happened ==="), "{text}");
    text
}

fn without_room(place: impl FnOnce(&Path)) {
    let text = in_place_of_records(place);
    assert!(text.contains("nstest: no record: "), "{text}");
    assert!(!text.contains("\nfiles "), "the card names a place without files:\n{text}");
}

fn tmpfs(place: &Path, options: &str) {
    fs::create_dir_all(place).unwrap();
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", options, "none"]).arg(place);
    assert!(mount.status().unwrap().success());
}

#[netns_test]
fn a_file_in_place_of_the_directory_changes_no_verdict() {
    without_room(|place| fs::write(place, "").unwrap());
}

#[netns_test]
fn a_full_directory_changes_no_verdict() {
    without_room(|place| tmpfs(place, "size=4k"));
}

#[netns_test]
fn what_has_room_on_a_full_disk_is_kept() {
    let text = in_place_of_records(|place| tmpfs(place, "size=16k"));
    let path = text.lines().find_map(|line| line.strip_prefix("nstest: record in ")).unwrap();
    assert!(Path::new(path).join("card.txt").is_file(), "{text}");
    assert!(!Path::new(path).join("report.html").exists(), "{text}");
    let lacks = "nstest: not in the record: report.html: No space left on device";
    assert!(text.contains(lacks), "{text}");
}

#[netns_test]
fn a_read_only_directory_changes_no_verdict() {
    without_room(|place| tmpfs(place, "ro"));
}

#[netns_test]
#[ignore = "fixture of another test"]
fn talks_to_itself() -> TestResult {
    let receiver = UdpSocket::bind("127.0.0.1:7000")?;
    for number in 0..DATAGRAMS {
        UdpSocket::bind("127.0.0.1:0")?.send_to(&[number as u8], "127.0.0.1:7000")?;
        receiver.recv(&mut [0])?;
    }
    panic!("deliberately");
}

#[test]
fn packets_of_lo_are_recorded_on_request() {
    let packets = |policy: &str| {
        let run = Run::of(&["record::talks_to_itself"]).env("NSTEST_RECORD", policy).run();
        let events = fs::read_to_string(directory(&run).join("events.jsonl")).unwrap();
        let of_lo = |line: &&str| line.contains(r#""destination":"127.0.0.1:7000""#);
        let lines: Vec<&str> = events.lines().filter(of_lo).collect();
        let received = lines.iter().filter(|line| line.contains(r#""received":true"#));
        let unmatched = received.clone().filter(|line| line.contains(r#""sent_as":null"#)).count();
        (lines.len(), received.count(), unmatched)
    };
    assert_eq!(packets("failed"), (0, 0, 0));
    assert_eq!(packets("failed,lo"), (2 * DATAGRAMS, DATAGRAMS, 0));
}

/// The kinds of the blocks of a capture, by a reader that is not ours.
fn kinds_of_blocks(capture: &Path) -> Vec<&'static str> {
    use pcap_parser::traits::PcapReaderIterator;
    use pcap_parser::{Block, PcapBlockOwned, PcapError, PcapNGReader};
    let mut reader = PcapNGReader::new(1 << 20, fs::File::open(capture).unwrap()).unwrap();
    let mut kinds = Vec::new();
    loop {
        match reader.next() {
            Ok((length, PcapBlockOwned::NG(block))) => {
                kinds.push(match block {
                    Block::SectionHeader(_) => "section",
                    Block::InterfaceDescription(_) => "interface",
                    Block::NameResolution(_) => "names",
                    Block::EnhancedPacket(_) => "packet",
                    Block::SystemdJournalExport(_) => "log",
                    block => panic!("{block:?}"),
                });
                reader.consume(length);
            }
            Ok(_) => panic!("a block of the older format"),
            Err(PcapError::Eof) => return kinds,
            Err(PcapError::Incomplete(_)) => reader.refill().unwrap(),
            Err(error) => panic!("{error:?}"),
        }
    }
}

#[test]
fn a_capture_is_read_by_another_reader() {
    let outcome = Run::of(&["record::exits"]).run();
    let kinds = kinds_of_blocks(&directory(&outcome).join("capture.pcapng"));
    let count = |kind| kinds.iter().filter(|other| **other == kind).count();
    assert_eq!(kinds[..2], ["section", "names"]);
    assert_eq!((count("section"), count("interface"), count("names")), (1, 2, 1));
    assert!(count("packet") >= 2 * DATAGRAMS && count("log") > 0, "{kinds:?}");
}
