//! Worlds with little room: for namespaces, processes, open files.

use nix::libc;
use nstest_tests::machine_root;

use super::World;

#[test]
fn a_limit_of_namespaces_at_zero() {
    for (kind, code) in [
        ("user", "userns-limit"),
        ("net", "netns-limit"),
        ("pid", "namespace-limit"),
        ("mnt", "namespace-limit"),
        ("uts", "namespace-limit"),
        ("ipc", "namespace-limit"),
    ] {
        let setting = format!("user.max_{kind}_namespaces");
        let script = format!("echo 0 >/proc/sys/user/max_{kind}_namespaces");
        let help = format!("sysctl -w {setting}=28633");
        World::within("unshare -Ur")
            .after(&script)
            .doctor()
            .names(code, &format!("namespaces ({setting} = 0)"), &[&help])
            .is_unusable();
    }
}

#[test]
fn few_descriptors() {
    let limited = |limit: u32| World::within("env").after(&format!("ulimit -n {limit}"));
    limited(64)
        .doctor()
        .names(
            "open-files",
            "64 open files (RLIMIT_NOFILE): enough for 15 nodes",
            &["ulimit -n 4096    # in this shell"],
        )
        .lacks("networks of many nodes");
    // And they can be made.
    let ended = limited(64).nstest(&["run", "--peers", "15", "--", "true"]);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let none = limited(6).doctor();
    none.names("open-files", "RLIMIT_NOFILE", &["ulimit -n 4096    # in this shell"]).is_unusable();
    // What meets the limit and the limit itself are one problem.
    for limit in [12, 15] {
        let ended = limited(limit).doctor();
        assert!(!ended.stdout.contains("\n2. "), "{ended:?}");
    }
    // Until a world has room. How many a node takes depends on the threads that make the network.
    for limit in 5..15 {
        limited(limit).doctor();
    }
}

/// The names of all nodes are in one file.
#[test]
fn small_files() {
    let world = World::within("env").after("ulimit -f 1");
    let help = "ulimit -f unlimited    # in this shell";
    world
        .doctor()
        .names(
            "resource-limit",
            "1024 bytes (RLIMIT_FSIZE): the test's /etc/hosts has room",
            &[help],
        )
        .lacks("networks of many nodes");
    let ended = world.nstest(&["run", "--peers=20", "--", "true"]);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let ended = world.nstest(&["run", "--peers=30", "--", "true"]);
    assert_eq!(ended.status, Some(125), "{ended:?}");
    for said in ["nstest[resource-limit]: write the test's own /etc/hosts: EFBIG", help] {
        assert!(ended.stderr.contains(said), "{said}: {ended:?}");
    }
}

/// Only a part of the test's own files fits.
#[test]
fn tiny_files() {
    for limit in ["0", "1", "20"] {
        let world = World::within(&format!("prlimit --fsize={limit}"));
        let ended = world.doctor();
        ended.names(
            "resource-limit",
            &format!("is limited to {limit} byte"),
            &["ulimit -f unlimited    # in this shell"],
        );
        ended.is_unusable();
        assert!(!ended.stdout.contains("\n2. "), "{ended:?}");
        let ended = world.nstest(&["run", "--", "true"]);
        let named = ended.stderr.starts_with("nstest[resource-limit]: ");
        assert!(named && ended.status == Some(125), "{ended:?}");
    }
}

/// The limit holds for a user id with no process yet, and not for root of the machine.
#[test]
fn few_processes() {
    // Another suite on this machine has another one.
    let id = 100_000 + std::process::id();
    let user = match machine_root() {
        true => format!("setpriv --reuid={id} --regid={id} --clear-groups"),
        false => "unshare --user --map-current-user".to_owned(),
    };
    let limited = |limit: u32| World::within(&user).after(&format!("ulimit -u {limit}"));
    limited(1)
        .doctor()
        .names(
            "nproc",
            "this user may have 1 process or thread (RLIMIT_NPROC), ",
            &["ulimit -u 4096    # in this shell"],
        )
        .is_unusable();
    for limit in 2..9 {
        limited(limit).doctor();
    }
    // Where no process or thread can be made for the program, it is not to blame.
    for (limit, option) in (2..9).flat_map(|it| [(it, "--peers=2"), (it, "--host-port=7777")]) {
        let ended = limited(limit).nstest(&["run", option, "--", "true"]);
        let is_named = ended.status == Some(125) && ended.stderr.contains("[nproc]");
        assert!(ended.status == Some(0) || is_named, "{limit}: {ended:?}");
    }
}

/// No trial takes what another one needs.
#[test]
fn few_namespaces() {
    let limited = |kind: &str, limit: u32| {
        let script = format!("echo {limit} >/proc/sys/user/max_{kind}_namespaces");
        World::within("unshare -Ur").after(&script)
    };
    for limit in 1..3 {
        let ended = limited("net", limit).doctor();
        assert!(!ended.stdout.contains("\n2. "), "{ended:?}");
    }
    let tests = "many tests at once";
    for (kind, limit, enough, lacks) in [
        (
            "net",
            3,
            "3 tests at a time without nodes, or one with 1 node",
            ", networks of more than one node",
        ),
        (
            "net",
            4,
            "4 tests at a time without nodes, or one with 2 nodes",
            ", networks of more than a few nodes",
        ),
        ("user", 1, "1 test at a time", ""),
        (
            "mnt",
            40,
            "40 tests at a time; a node in which something runs takes another one",
            ", networks of many nodes",
        ),
    ] {
        let world = limited(kind, limit);
        let code = match kind {
            "user" => "userns-limit",
            "net" => "netns-limit",
            _ => "namespace-limit",
        };
        let setting = format!("user.max_{kind}_namespaces");
        world
            .doctor()
            .names(
                code,
                &format!("({setting}): enough for {enough}"),
                &[&format!("sysctl -w {setting}=28633")],
            )
            .lacks(&format!("{tests}{lacks}"));
    }
}

/// The limit is in /proc as well.
#[test]
fn a_filter_that_hides_the_limits() {
    World::without_call(libc::SYS_prlimit64, libc::EPERM, None).doctor().is_fine();
    World::within("env")
        .after("ulimit -n 20")
        .doctor()
        .names(
            "open-files",
            "20 open files (RLIMIT_NOFILE): enough for 1 node",
            &["ulimit -n 4096"],
        )
        .lacks("networks of more than one node");
}
