//! Tests that are built on one machine and run on others: an archive of cargo-nextest is
//! extracted where there are no sources, and each machine runs a part of the tests.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use nstest::{Node, TestResult, netns_test};
use nstest_tests::cargo::archive;
use nstest_tests::directory::Directory;
use nstest_tests::driver::{Outcome, Run};

#[netns_test]
#[ignore = "fixture of another test"]
fn finds_no_server(server: Node) -> TestResult {
    TcpStream::connect((server.ip(), 7000))?;
    Ok(())
}

/// The fixture above, and a target with tests that pass.
const TESTS: &str = "binary(=ports) or test(=archive::finds_no_server)";

/// Runs one part of the tests as on a machine that has only the archive and cargo-nextest, and
/// returns its JUnit report.
fn machine(place: &Path, archive: &Path, part: &str) -> (Outcome, String) {
    let (sources, extracted) = (place.join("sources"), place.join("extracted"));
    // cargo-nextest asks for a manifest, which it does not read, and for the directory of
    // each package, in which it starts the tests.
    fs::create_dir_all(sources.join("tests")).unwrap();
    fs::write(sources.join("Cargo.toml"), "").unwrap();
    fs::create_dir_all(&extracted).unwrap();
    let configuration = place.join("nextest.toml");
    fs::write(&configuration, "[profile.default.junit]\npath = \"junit.xml\"\n").unwrap();
    let mut command = Command::new("cargo-nextest");
    command.args(["nextest", "run", "--color", "never", "--no-fail-fast"]);
    command.args(["--run-ignored", "all", "-E", TESTS, "--partition", part]);
    command.arg("--archive-file").arg(archive).arg("--extract-to").arg(&extracted);
    command.arg("--workspace-remap").arg(&sources).arg("--config-file").arg(&configuration);
    command.env_remove("CARGO").env_remove("CARGO_TARGET_DIR");
    command.current_dir(place);
    let outcome = Run::in_front(command).run();
    let report = found(place, "junit.xml").into_iter().next();
    let report = report.unwrap_or_else(|| panic!("no report: {}", outcome.text()));
    let report = fs::read_to_string(report).unwrap();
    (outcome, report)
}

/// The files of this name below a directory.
fn found(directory: &Path, name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                pending.push(entry.path());
            } else if entry.file_name() == name {
                found.push(entry.path());
            }
        }
    }
    found
}

/// The names of the test cases of a JUnit report.
fn cases(report: &str) -> BTreeSet<String> {
    let cases = report.split("<testcase name=\"").skip(1);
    cases.map(|case| case.split('"').next().unwrap_or_default().to_owned()).collect()
}

#[test]
#[cfg_attr(not(feature = "programs"), ignore = "needs cargo-nextest; run ./check test")]
fn an_archive_runs_in_parts_without_sources() {
    let directory = Directory::new("archive");
    let place = directory.path();
    let file = place.join("tests.tar.zst");
    archive("binary(=ports) or binary(=toolchain)", &file);
    let mut all = BTreeSet::new();
    for part in ["hash:1/2", "hash:2/2"] {
        let machine_place = place.join(part.replace(['/', ':'], "-"));
        fs::create_dir_all(&machine_place).unwrap();
        let (outcome, report) = machine(&machine_place, &file, part);
        let cases = cases(&report);
        assert!(!cases.is_empty(), "{part} runs no test: {}", outcome.text());
        let twice: Vec<&String> = all.intersection(&cases).collect();
        assert!(twice.is_empty(), "both parts ran {twice:?}");
        if cases.contains("archive::finds_no_server") {
            the_report_has_the_failure(&report, &outcome.text());
        } else {
            assert!(!report.contains("<failure"), "{report}");
        }
        all.extend(cases);
    }
    assert!(all.contains("archive::finds_no_server"), "{all:?}");
    assert!(all.len() > 10, "{all:?}");
}

/// The report contains the card of the failed test and its record, which exists.
fn the_report_has_the_failure(report: &str, output: &str) {
    let failures = report.matches("<failure").count();
    assert_eq!(failures, 1, "{output}");
    assert!(report.contains("=== nstest: what happened ==="), "{report}");
    let attachment = report.split("[[ATTACHMENT|").nth(1).and_then(|rest| rest.split("]]").next());
    let record = Path::new(attachment.expect("the report names an attachment"));
    for file in ["card.txt", "report.html", "capture.pcapng"] {
        assert!(record.join(file).is_file(), "{file} is not in {}", record.display());
    }
}
