//! Names, links, limits.

use super::*;

#[test]
fn names_are_those_of_files_and_differ() {
    for (name, file) in [("a::b", "a.b"), ("größe_1", "größe_1"), ("x-y", "x-y")] {
        assert_eq!(file_name(name), file);
    }
    let long = "n".repeat(300);
    let names = ["a/b", "a:b", "a b", "", "..", "../x", long.as_str(), &long[..299]];
    let files: Vec<String> = names.iter().map(|name| file_name(name)).collect();
    for (nth, file) in files.iter().enumerate() {
        assert!(!file.contains(['/', ':', ' ']) && !file.starts_with('.'), "{file}");
        assert!(file.len() < 255 && !files[..nth].contains(file), "{file}");
    }
}

#[test]
fn a_folder_replaces_that_of_an_earlier_run_and_has_links() {
    let target = std::env::temp_dir().join(format!("nstest-store-{}", std::process::id()));
    let binary = target.join("it-0123456789abcdef");
    let subject =
        Subject { binary: &binary, package: Some("p"), kind: None, test: "a::b", attempt: "1" };
    fs::create_dir_all(&target).unwrap();
    for content in ["first", "second"] {
        let folder = Folder::create(subject).unwrap();
        folder.write(Path::new("x"), content.as_bytes()).unwrap();
        let path = folder.finish().unwrap();
        assert_eq!(path, target.join("nstest/p.it/a.b/1"));
        for directory in [target.join("nstest/latest"), target.join("nstest/p.it/a.b/latest")] {
            assert_eq!(fs::read_to_string(directory.join("x")).unwrap(), content);
        }
    }
    drop(Folder::create(subject).unwrap());
    let names = fs::read_dir(target.join("nstest/p.it/a.b")).unwrap();
    assert_eq!(names.count(), 1, "only the link is left: the new record was not finished");
    fs::remove_dir_all(target).unwrap();
}

/// A PID says nothing: it may be that of another process, or of another PID namespace.
#[test]
fn what_a_killed_process_left_is_removed_and_what_is_being_written_stays() {
    let target = std::env::temp_dir().join(format!("nstest-killed-{}", std::process::id()));
    fs::create_dir_all(&target).unwrap();
    let binary = target.join("it");
    let subject =
        |attempt| Subject { binary: &binary, package: None, kind: None, test: "a", attempt };
    let written = Folder::create(subject("1")).unwrap();
    let of_test = target.join("nstest/it/a");
    fs::rename(&written.unfinished, of_test.join(".1.4194305")).unwrap(); // no process has this PID
    fs::create_dir(of_test.join(".2.1")).unwrap();
    drop(Folder::create(subject("3")).unwrap());
    let names = fs::read_dir(&of_test).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.collect::<Vec<_>>(), [".1.4194305"]);
    drop(written);
    drop(Folder::create(subject("3")).unwrap());
    assert_eq!(fs::read_dir(&of_test).unwrap().count(), 0);
    fs::remove_dir_all(target).unwrap();
}

#[test]
fn one_test_run_does_not_fill_the_disk() {
    let target = std::env::temp_dir().join(format!("nstest-most-{}", std::process::id()));
    fs::create_dir_all(&target).unwrap();
    let binary = target.join("it");
    let subject = Subject { binary: &binary, package: None, kind: None, test: "a", attempt: "1" };
    let folder = Folder::create(subject).unwrap();
    folder.reserve("run-1", MOST - 1).unwrap();
    let error = folder.reserve("run-1", 2).unwrap_err();
    assert_eq!(error.to_string(), "the records of this test run would exceed 1024 MiB");
    folder.reserve("run-1", 1).unwrap();
    folder.reserve("run-10", 2).unwrap();
    drop(folder);
    fs::remove_dir_all(target).unwrap();
}

#[test]
fn the_hash_of_cargo_is_left_out() {
    assert_eq!(without_hash("my-tests-0123456789abcdef"), "my-tests");
    assert_eq!(without_hash("my-tests"), "my-tests");
    let subject = |package| Subject {
        binary: Path::new("/t/debug/deps/topology-0123456789abcdef"),
        package,
        kind: None,
        test: "a",
        attempt: "1",
    };
    assert_eq!(group(subject(Some("nstest-tests"))), "nstest-tests.topology");
    assert_eq!(group(subject(Some("topology"))), "topology");
    assert_eq!(group(subject(None)), "topology");
    let of_bin = Subject { kind: Some("bin"), ..subject(Some("topology")) };
    assert_eq!(group(of_bin), "topology.bin.topology");
}
#[test]
fn a_record_is_set_aside_and_the_newest_other_is_the_latest() {
    let target = std::env::temp_dir().join(format!("nstest-aside-{}", std::process::id()));
    fs::create_dir_all(&target).unwrap();
    let binary = target.join("it");
    let subject = |test| Subject { binary: &binary, package: None, kind: None, test, attempt: "1" };
    for test in ["first", "second"] {
        Folder::create(subject(test)).unwrap().finish().unwrap();
    }
    let latest = || fs::read_link(target.join("nstest/latest")).ok();
    set_aside(subject("other"));
    assert_eq!(latest(), Some("it/second/1".into()));
    set_aside(subject("second"));
    assert_eq!(latest(), Some("it/first/1".into()));
    assert!(target.join("nstest/it/.passed/second/1").is_dir());
    Folder::create(subject("second")).unwrap().finish().unwrap();
    set_aside(subject("first"));
    assert_eq!(latest(), Some("it/second/1".into()));
    set_aside(subject("second"));
    assert_eq!(latest(), None);
    assert!(target.join("nstest/latest").symlink_metadata().is_err(), "a link to nothing");
    fs::remove_dir_all(target).unwrap();
}

#[test]
fn the_target_directory_is_found_without_its_tag() {
    let target = std::env::temp_dir().join(format!("nstest-target-{}", std::process::id()));
    for directory in ["debug/deps", "debug/.fingerprint", "triple/debug/deps", "moved"] {
        fs::create_dir_all(target.join(directory)).unwrap();
    }
    assert_eq!(target_directory(&target.join("debug/deps/it")), target);
    fs::write(target.join(".rustc_info.json"), "").unwrap();
    for binary in ["debug/deps/it", "triple/debug/deps/it", "debug/examples/it"] {
        assert_eq!(target_directory(&target.join(binary)), target);
    }
    fs::remove_file(target.join(".rustc_info.json")).unwrap();
    assert_eq!(target_directory(&target.join("moved/it")), target.join("moved"));
    fs::remove_dir_all(target).unwrap();
}
