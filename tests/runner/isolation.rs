//! A test cannot change the machine, and does not see the machine's network.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use expect_test::expect;
use nix::mount::{MsFlags, mount};
use nstest::netns_test;
use nstest_tests::driver::{Run, success};
use nstest_tests::marks;
use nstest_tests::programs::{find, need};
use nstest_tests::survivors::{self, on_a_machine_of_its_own};

#[netns_test]
#[ignore = "fixture of another test"]
fn attacks_the_machine() {
    nix::unistd::sethostname("taken-over").unwrap();
    for path in survivors::SETTINGS {
        let before = fs::read_to_string(path).unwrap();
        let value = if path.ends_with("name") { "taken-over" } else { "77" };
        let written = fs::write(path, value);
        println!("{path}: {} -> {:?}", before.trim(), written.map_err(|error| error.kind()));
    }
    for [program, arguments] in [
        ["ip", "link add nstests0 type veth"],
        ["ip", "link set lo down"],
        ["mount", "-t tmpfs none /tmp"],
        ["umount", "-l /dev/shm"],
    ] {
        let output = Command::new(program).args(arguments.split(' ')).output().unwrap();
        println!("{program} {arguments}: {}", output.status.success());
    }
}

/// What the fixture prints differs between root and others, so only the machine is
/// compared.
#[test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip; run ./check test")]
fn the_machine_stays_as_it_was() {
    need(&["ip"]);
    on_a_machine_of_its_own("isolation::is_attacked").succeed();
}

#[test]
#[ignore = "fixture of another test"]
fn is_attacked() {
    let before = survivors::machine();
    let outcome = Run::of(&["isolation::attacks_the_machine"]).args(["--show-output"]).run();
    let text = outcome.text();
    assert!(outcome.status.success(), "{text}");
    assert!(text.contains("ip link add nstests0 type veth: true"), "the attack is none: {text}");
    assert!(text.contains("mount -t tmpfs none /tmp: true"), "the attack is none: {text}");
    assert_eq!(survivors::machine(), before, "{text}");
}

#[netns_test]
#[ignore = "fixture of another test"]
fn reaches_for_the_machine() {
    let port: u16 = fs::read_to_string(marks::directory().join("port")).unwrap().parse().unwrap();
    for address in ["127.0.0.1", "::1"] {
        let refused = TcpStream::connect((address, port)).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused, "{address}");
    }
    let _own = TcpListener::bind(("127.0.0.1", port)).unwrap();
}

#[test]
fn a_listener_of_the_machine_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut run = Run::of(&["isolation::reaches_for_the_machine"]);
    fs::write(run.case().join("port"), port.to_string()).unwrap();
    run.command().env("http_proxy", "http://127.0.0.1:1");
    let outcome = run.run();
    expect![[r#"
        test isolation::reaches_for_the_machine ... ok
    "#]]
    .assert_eq(&outcome.shown());
    assert_eq!(TcpStream::connect(("127.0.0.1", port)).unwrap().peer_addr().unwrap().port(), port);
}

#[netns_test]
#[ignore = "fixture of another test"]
fn shows_its_world() {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_else(|error| format!("{error}\n"));
    let list = |path: &str| {
        let mut names: Vec<String> = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names.join(" ")
    };
    print!("hostname: {}", read("/proc/sys/kernel/hostname"));
    print!("/etc/hosts:\n{}", read("/etc/hosts"));
    print!("/etc/resolv.conf:\n{}", read("/etc/resolv.conf"));
    println!("links: {}", list("/sys/class/net"));
    println!("namespaces: {:?}", list("/run/netns"));
    let processes: Vec<u32> =
        list("/proc").split(' ').filter_map(|name| name.parse().ok()).collect();
    println!("processes: {processes:?}");
    // The kernel keeps 15 bytes, and cargo adds a hash.
    let body = if read("/proc/2/comm").starts_with("runner") { "runner" } else { "another" };
    println!("names of processes: {} {body}", read("/proc/1/comm").trim());
    println!("TMPDIR: {:?}, empty: {}", std::env::temp_dir(), list("/run/nstest/tmp").is_empty());
    println!("proxies: {}", std::env::vars().any(|(name, _)| name == "http_proxy"));
    println!("uid: {}", nix::unistd::getuid());
    println!("stdin: {:?}", std::io::read_to_string(std::io::stdin()).unwrap());
    for address in ["127.0.0.1:80", "[::1]:80"] {
        println!("bind {address}: {:?}", TcpListener::bind(address).map(drop));
    }
    for address in ["192.0.2.1:80", "[2001:db8::1]:80"] {
        println!("connect {address}: {:?}", TcpStream::connect(address).unwrap_err().kind());
    }
}

#[test]
fn a_test_is_alone_on_a_machine_of_its_own() {
    let outcome = Run::of(&["isolation::shows_its_world"])
        .args(["--show-output"])
        .env("http_proxy", "http://127.0.0.1:1")
        .run();
    expect![[r#"
        test isolation::shows_its_world ... ok

        successes:

        ---- isolation::shows_its_world stdout ----
        hostname: test
        /etc/hosts:
        127.0.0.1 localhost
        ::1 localhost ip6-localhost ip6-loopback
        127.0.1.1 test
        /etc/resolv.conf:
        # nstest: no name server
        nameserver 127.0.0.1
        options timeout:1 attempts:1
        links: lo
        namespaces: ""
        processes: [1, 2]
        names of processes: nstest-init runner
        TMPDIR: "/run/nstest/tmp", empty: true
        proxies: false
        uid: 0
        stdin: ""
        bind 127.0.0.1:80: Ok(())
        bind [::1]:80: Ok(())
        connect 192.0.2.1:80: NetworkUnreachable
        connect [2001:db8::1]:80: NetworkUnreachable

        successes:
            isolation::shows_its_world
    "#]]
    .assert_eq(&outcome.shown());
}

/// A path in /dev/shm that no other run uses.
fn shared_memory(case: &Path, owner: &str) -> PathBuf {
    let name = case.file_name().unwrap().to_string_lossy();
    Path::new("/dev/shm").join(format!("{name}-{owner}"))
}

#[netns_test]
#[ignore = "fixture of another test"]
fn shares_memory() {
    let path = shared_memory(&marks::directory(), "test");
    fs::File::create_new(&path).unwrap(); // as shm_open(3) does
    let names: Vec<PathBuf> =
        fs::read_dir("/dev/shm").unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(names, [path], "it is the only one");
    // A link to /dev/shm on many machines, which the test's /run has, too.
    if let Ok(names) = fs::read_dir("/run/shm") {
        assert_eq!(names.count(), 1);
    }
}

/// Two tests may use the same name, and a test that is killed leaves nothing behind.
#[test]
fn shared_memory_is_that_of_the_test() {
    let run = Run::of(&["isolation::shares_memory"]);
    let [outside, inside] = ["machine", "test"].map(|owner| shared_memory(run.case(), owner));
    fs::write(&outside, "").unwrap();
    let outcome = run.run();
    fs::remove_file(&outside).unwrap();
    outcome.passed_silently("isolation::shares_memory");
    assert!(!inside.exists());
}

#[netns_test]
#[ignore = "fixture of another test"]
fn is_in_shared_memory() {
    assert_eq!(fs::read_to_string("file").unwrap(), "kept");
    assert!(std::env::current_dir().unwrap().starts_with("/dev/shm"));
}

/// A build directory may be there.
#[test]
fn a_working_directory_in_shared_memory_can_be_used() {
    let mut run = Run::of(&["isolation::is_in_shared_memory"]);
    let directory = shared_memory(run.case(), "directory");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("file"), "kept").unwrap();
    run.command().current_dir(&directory);
    let outcome = run.run();
    fs::remove_dir_all(&directory).unwrap();
    outcome.passed_silently("isolation::is_in_shared_memory");
}

#[netns_test]
#[ignore = "fixture of another test"]
fn opens_settings_of_the_machine() {
    let proc = std::env::temp_dir().join("proc");
    fs::create_dir(&proc).unwrap();
    mount(Some("proc"), &proc, Some("proc"), MsFlags::empty(), None::<&str>).unwrap();
    for setting in [Path::new("/proc"), &proc].map(|proc| proc.join("sys/vm/swappiness")) {
        // Nothing is written.
        let opened = fs::OpenOptions::new().write(true).open(setting);
        println!("{:?}", opened.map(drop).map_err(|error| error.kind()));
    }
}

/// docs/src/limits.md says that real root can change them, and others cannot.
#[test]
fn only_real_root_can_change_settings_of_the_machine() {
    let expected = match nstest_tests::machine_root() {
        true => "Err(ReadOnlyFilesystem)\nOk(())\n",
        false => "Err(PermissionDenied)\nErr(PermissionDenied)\n",
    };
    assert_eq!(success("isolation::opens_settings_of_the_machine"), expected);
}

#[netns_test(root = false)]
#[ignore = "fixture of another test"]
fn keeps_its_user() {
    println!("root: {}", nix::unistd::getuid().is_root());
    for address in ["127.0.0.1:80", "[::1]:80"] {
        println!("bind {address}: {:?}", TcpListener::bind(address).map(drop));
    }
    println!(
        "ping: {}",
        Command::new(find("ping")).args(["-c1", "127.0.0.1"]).output().unwrap().status
    );
}

#[test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ping; run ./check test")]
fn a_test_that_is_not_root_has_low_ports() {
    need(&["ping"]);
    let outcome = Run::of(&["isolation::keeps_its_user"]).args(["--show-output"]).run();
    expect![[r#"
        test isolation::keeps_its_user ... ok

        successes:

        ---- isolation::keeps_its_user stdout ----
        root: false
        bind 127.0.0.1:80: Ok(())
        bind [::1]:80: Ok(())
        ping: exit status: 0

        successes:
            isolation::keeps_its_user
    "#]]
    .assert_eq(&outcome.shown());
}

#[netns_test(timeout = "10s")]
#[ignore = "fixture of another test"]
fn asks_the_terminal() {
    let terminal = fs::File::options().read(true).write(true).open("/dev/tty");
    println!("open: {:?}", terminal.as_ref().map(drop).map_err(std::io::Error::raw_os_error));
    if let Ok(mut terminal) = terminal {
        let answer = std::io::Read::read(&mut terminal, &mut [0]);
        println!("read: {:?}", answer.map_err(|error| error.kind()));
    }
}

/// A program that asks for a password must not wait for input from a terminal.
#[test]
#[cfg_attr(not(feature = "programs"), ignore = "needs script; run ./check test")]
fn a_test_has_no_terminal() {
    let mut command = Command::new(find("script"));
    let binary = std::env::current_exe().unwrap();
    let ask = format!(
        "{} --ignored --exact isolation::asks_the_terminal --show-output --color=never",
        binary.display()
    );
    // script(1) provides a terminal, which this test may lack.
    command.args(["--quiet", "--return", "--command", &ask, "/dev/null"]);
    let outcome = Run::in_front(command).run();
    expect![[r#"
        test isolation::asks_the_terminal ... ok

        successes:

        ---- isolation::asks_the_terminal stdout ----
        open: Err(Some(6))

        successes:
            isolation::asks_the_terminal
    "#]]
    .assert_eq(&outcome.shown());
}
