//! `nstest run`: what the program sees, and how it ends.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use nstest_tests::directory::Directory;
use nstest_tests::raw;

use crate::command::{Ended, nstest};
use crate::doctor::World;
use crate::starters;

#[test]
fn the_program_has_a_network_and_processes_of_its_own() {
    let script = "cat /proc/net/dev; id -u; echo $$";
    let ended = Ended::of(nstest(&["run", "--", "sh", "-c", script]));
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    let interfaces = ended.stdout.lines().filter(|line| line.contains(':')).count();
    assert_eq!(interfaces, 1, "{ended:?}");
    assert!(ended.stdout.ends_with("\n0\n2\n"), "{ended:?}");
}

/// With nodes, the program is a child of the process in which they live.
const WORLDS: [&[&str]; 2] = [&["run"], &["run", "--peers", "1"]];

#[test]
fn the_status_of_the_program_is_the_status_of_the_command() {
    starters::each(|starter| {
        for (script, status) in [("true", 0), ("exit 7", 7), ("kill -TERM $$", 143)] {
            let ended = Ended::of(nstest(&[starter, &["sh", "-c", script]].concat()));
            assert_eq!(ended.status, Some(status), "{ended:?}");
        }
    });
}

/// As in a container that drops it. Root needs CAP_SETFCAP alone (31): user_namespaces(7).
#[test]
fn root_may_lack_each_capability_but_one() {
    let last = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap").unwrap();
    let last: u32 = last.trim().parse().unwrap();
    // Real root has rights over all ids, which nstest then maps.
    let root = match nstest_tests::machine_root() {
        true => "",
        false => "unshare --user --map-root-user",
    };
    for capability in (1..=last).filter(|capability| *capability != 31) {
        let without = format!("-cap_{capability}");
        let command = format!("{root} setpriv --bounding-set={without} --inh-caps={without}");
        let ended = World::within(&command).nstest(&["run", "--", "true"]);
        assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{capability}: {ended:?}");
    }
}

#[test]
fn a_program_that_cannot_start_is_named() {
    starters::each(|starter| {
        for (program, status) in [("./missing", 127), ("/etc/passwd", 126), ("/", 126)] {
            let ended = Ended::of(nstest(&[starter, &[program]].concat()));
            assert_eq!((ended.status, ended.stdout.as_str()), (Some(status), ""), "{ended:?}");
            let cause = format!("nstest: cannot execute `{program}`: ");
            assert!(ended.stderr.starts_with(&cause), "{ended:?}");
        }
    });
}

#[test]
fn peers_have_names_and_namespaces() {
    let script = "cat /etc/hosts; ls /run/netns; hostname";
    let ended = Ended::of(nstest(&["run", "--peers", "2", "--", "sh", "-c", script]));
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    for line in ["10.0.2.1 test\n", "10.0.2.3 peer2\n", "peer1\npeer2\ntest\ntest\n"] {
        assert!(ended.stdout.contains(line), "{line}: {ended:?}");
    }
}

/// Where the program has no /proc of its own, it has other PIDs in /proc than in its namespace.
#[test]
fn the_namespaces_of_peers_can_be_entered_without_a_proc_of_ones_own() {
    let world = World::within("unshare -Urm").after("mount --bind /dev/null /proc/version");
    for enter in ["nsenter --net=/run/netns/peer1", "ip netns exec peer1"] {
        let script = format!("readlink /proc/self; echo $$; {enter} cat /proc/net/fib_trie");
        let ended = world.nstest(&["run", "--peers=1", "--", "sh", "-c", &script]);
        assert_eq!(ended.status, Some(0), "{ended:?}");
        let mut lines = ended.stdout.lines();
        assert_ne!(lines.next(), lines.next(), "it has a /proc of its own: {ended:?}");
        assert!(
            ended.stdout.contains("10.0.2.2") && !ended.stdout.contains("10.0.2.1\n"),
            "{ended:?}"
        );
    }
}

#[test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ping; run ./check test")]
fn a_condition_applies_to_the_link_in_both_directions() {
    nstest_tests::programs::need(&["ping"]);
    let world = ["run", "--peers", "1", "--condition", "delay 20ms"];
    let ended = Ended::of(nstest(&[&world[..], &["ping", "-c1", "peer1"]].concat()));
    let (_, time) = ended.stdout.split_once("time=").unwrap_or_else(|| panic!("{ended:?}"));
    let time: f64 = time.split(' ').next().unwrap().parse().unwrap();
    assert!(time >= 40.0, "{ended:?}");
}

/// The flags and gateways of the default routes, in /proc/net/route.
fn default_routes(world: &[&str]) -> Vec<String> {
    let ended = Ended::of(nstest(&[world, &["cat", "/proc/net/route"]].concat()));
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let routes = ended.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    routes.filter(|fields| fields[1] == "00000000").map(|fields| fields[2].to_owned()).collect()
}

#[test]
fn a_silent_peer_is_a_default_route() {
    assert!(default_routes(&["run"]).is_empty());
    assert_eq!(default_routes(&["run", "--silent-peer"]).len(), 1);
    assert_eq!(default_routes(&["run", "--silent-peer", "--peers", "2"]).len(), 1);
}

#[test]
fn a_program_without_root_keeps_its_user_id_and_has_no_rights() {
    let id = match nix::unistd::getuid() {
        // As with `root = false`: of two ids, real root maps only one.
        uid if uid.is_root() => 65534,
        uid => uid.as_raw(),
    };
    let script = "id -u; grep CapEff: /proc/self/status";
    for world in [&["run"][..], &["run", "--silent-peer"], &["run", "--peers", "1"]] {
        let ended = Ended::of(nstest(&[world, &["--no-root", "sh", "-c", script]].concat()));
        let expected = format!("{id}\nCapEff:\t0000000000000000\n");
        assert_eq!(ended.stdout, expected, "{world:?}: {ended:?}");
    }
}

#[test]
fn a_program_that_takes_too_long_is_ended() {
    for world in WORLDS {
        for script in [
            "sleep 60",
            "trap 'echo ended; exit 3' TERM; echo ready; sleep 60 & wait",
            "trap 'echo ended; exit 3' TERM; echo ready; kill -STOP $$; sleep 60",
        ] {
            let limit = ["--timeout", "500ms", "--", "sh", "-c", script];
            let ended = Ended::of(nstest(&[world, &limit].concat()));
            assert_eq!(ended.status, Some(124), "{ended:?}");
            assert_eq!(ended.stderr, "nstest: `sh` did not end within 500ms\n");
            // On a slow machine, the time ends before the program handles the signal.
            let is_handled = ended.stdout == "ready\nended\n";
            assert!(is_handled || ended.stdout.is_empty(), "{ended:?}");
        }
    }
    let ended = Ended::of(nstest(&["run", "--timeout", "1m", "sh", "-c", "exit 3"]));
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(3), ""), "{ended:?}");
}

/// Starts a script, and waits until it prints a line. No signal is ignored, although this test may
/// ignore some (nohup(1), a job in the background): a shell does not trap those.
fn start(starter: &[&str], script: &str) -> (Child, impl BufRead + use<>) {
    let nstest = nstest(&[starter, &["sh", "-c", script]].concat());
    let mut command = Command::new("env");
    command.arg("--default-signal").arg(nstest.get_program()).args(nstest.get_args());
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut String::new()).unwrap();
    (child, stdout)
}

fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
}

#[test]
fn wrong_values_are_refused() {
    for wrong in [
        &["--peers", "0"][..],
        &["--peers", "251"],
        &["--peers", "one"],
        &["--peers"],
        &["--timeout", "0s"],
        &["--timeout", "10"],
        &["--timeout", "ten seconds"],
        &["--condition", "delay 20ms"],
        &["--peers", "1", "--condition", "dely 20ms"],
        &["--uplink", "--silent-peer"],
        &["--uplink=yes"],
    ] {
        Ended::of(nstest(&[&["run"], wrong, &["--", "true"]].concat())).is_refused();
    }
    for option in ["--peers", "--host-port", "--seed"] {
        let ended = Ended::of(nstest(&["run", option, "-1", "--", "true"]));
        ended.is_refused();
        assert!(ended.stderr.contains(&format!("invalid value '-1' for '{option} ")), "{ended:?}");
    }
}

#[test]
fn a_signal_to_the_command_reaches_the_program_once() {
    starters::each(|starter| {
        for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGUSR1] {
            let name = signal.as_str().trim_start_matches("SIG");
            let script = format!(
                "trap 'echo caught' {name}; trap 'exit 5' USR2; echo ready; while :; do sleep 0.02; done"
            );
            let (mut child, mut stdout) = start(starter, &script);
            send(&child, signal);
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            assert_eq!(line, "caught\n", "{starter:?} {signal}");
            send(&child, Signal::SIGUSR2);
            let mut rest = String::new();
            stdout.read_to_string(&mut rest).unwrap();
            assert_eq!(rest, "", "{starter:?} {signal}");
            assert_eq!(child.wait().unwrap().code(), Some(5), "{starter:?} {signal}");
        }
    });
}

/// A process keeps its timer at an exec, and its program does not have it.
#[test]
fn the_end_of_a_timer_reaches_the_program() {
    starters::each(|starter| {
        let mut command = nstest(&[starter, &["sleep", "60"]].concat());
        raw::alarm_in(&mut command, 1);
        assert_eq!(Ended::of(command).status, Some(128 + 14), "{starter:?}");
    });
}

#[test]
fn a_signal_of_the_program_to_its_group_is_not_sent_back() {
    let script = "trap 'echo caught' USR1; echo ready; kill -USR1 0; sleep 0.1; exit 5";
    // In a process group of its own, since this test would receive it, too.
    starters::each(|starter| {
        let mut command = nstest(&[starter, &["sh", "-c", script]].concat());
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let ended = Ended::of(command);
        assert_eq!(
            (ended.status, ended.stdout.as_str()),
            (Some(5), "ready\ncaught\n"),
            "{ended:?}"
        );
    });
}

/// Runs a command as it is started by a script that has `prepared` for it. `env` is the model: the
/// program is to see the same.
fn prepared(prepare: &str, start: &[&str], program: &[&str]) -> Ended {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{prepare}; exec \"$0\" \"$@\"")]);
    let Some((name, _)) = start.split_first() else { panic!("no command") };
    if *name == "env" {
        command.args(start);
    } else {
        let start = nstest(start);
        command.arg(start.get_program()).args(start.get_args());
    }
    Ended::of(command.args(program))
}

#[test]
fn ignored_signals_stay_ignored_and_no_signal_is_blocked() {
    let program = ["cat", "/proc/self/status"];
    let masks = |prepare: &str, start: &[&str]| {
        let ended = prepared(prepare, start, &program);
        ["SigIgn:", "SigBlk:"].map(|name| {
            let line = ended.stdout.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            // Without the signals that the C library uses itself, from 32.
            u64::from_str_radix(line.trim(), 16).unwrap() & 0x7fff_ffff
        })
    };
    const PIPE: u64 = 1 << 12;
    let cases = [("trap '' HUP", 1, 0), ("trap '' HUP PIPE", 1 | PIPE, PIPE)];
    let without = cases.map(|(prepare, ignored, _)| {
        let without = masks(prepare, &["env"]);
        assert_eq!(without[0] & ignored, ignored, "{prepare}");
        without
    });
    starters::each(|start| {
        for ((prepare, _, pipe), without) in cases.iter().zip(without) {
            let within = masks(prepare, start);
            assert_eq!(within, without, "{prepare}: {start:?}");
            assert_eq!(within[0] & PIPE, *pipe, "{prepare}: {start:?}");
        }
    });
    // A program that lists tests replaces the command.
    let list = ["sh", "-c", "cat /proc/self/status", "--list"];
    for (prepare, _, pipe) in cases {
        let ended = prepared(prepare, &["wrap", "--"], &list);
        let line = ended.stdout.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
        assert_eq!(u64::from_str_radix(line.trim(), 16).unwrap() & PIPE, pipe, "{prepare}");
    }
}

/// With SIGCHLD ignored, a process cannot wait for its children.
#[test]
fn children_can_be_awaited_although_sigchld_was_ignored() {
    // Shells have their own action for it.
    let prepare = r#"exec env --ignore-signal=CHLD "$0" "$@""#;
    let ignores = |start: &[&str]| {
        let ended = prepared(prepare, start, &["grep", "SigIgn:", "/proc/self/status"]);
        assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
        let ignored = ended.stdout.trim().strip_prefix("SigIgn:").unwrap().trim();
        u64::from_str_radix(ignored, 16).unwrap() & (1 << 16) != 0
    };
    assert!(ignores(&["env"]));
    starters::each(|starter| assert!(!ignores(starter), "{starter:?}"));
}

#[test]
fn descriptors_that_are_passed_to_the_command_are_the_programs_and_no_others() {
    let prepare = "exec 3</etc/passwd 7>&1";
    let program = ["sh", "-c", "head -n1 <&3 >&7; ls /proc/$$/fd"];
    let seen = |start: &[&str]| {
        let ended = prepared(prepare, start, &program);
        assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
        let (line, descriptors) = ended.stdout.split_once('\n').expect("a line");
        (line.starts_with("root:"), descriptors.to_owned())
    };
    let without = seen(&["env"]);
    assert!(without.0 && without.1.contains("\n3\n") && without.1.contains("7\n"), "{without:?}");
    starters::each(|start| assert_eq!(seen(start), without, "{start:?}"));
    let directory = Directory::new("cli-descriptors");
    let path = directory.path().to_str().unwrap();
    for world in [&["--record", path][..], &["--host-port=9"], &["--silent-peer"]] {
        let start = [&["run"], world, &["--"]].concat();
        let ended = prepared(prepare, &start, &program);
        let (_, descriptors) = ended.stdout.split_once('\n').expect("a line");
        assert_eq!(descriptors, without.1, "{start:?}");
    }
}

#[test]
fn sockets_of_systemd_are_for_the_program() {
    let prepare = "export LISTEN_FDS=1 LISTEN_PID=$$";
    let program = ["sh", "-c", "echo $LISTEN_FDS $(($LISTEN_PID - $$))"];
    for start in [&["run", "--"][..], &["run", "--host-port=9", "--"], &["wrap", "--"]] {
        let ended = prepared(prepare, start, &program);
        assert_eq!((ended.status, ended.stdout.as_str()), (Some(0), "1 0\n"), "{ended:?}");
    }
}

#[test]
fn a_pipe_that_is_closed_ends_the_program() {
    starters::each(|starter| {
        let (mut child, mut stdout) = start(starter, "yes");
        let mut some = vec![0; 256 * 1024]; // more than a pipe holds
        stdout.read_exact(&mut some).unwrap();
        drop(stdout);
        assert_eq!(child.wait().unwrap().code(), Some(128 + 13), "{starter:?}");
    });
}

#[test]
fn standard_input_is_the_programs() {
    starters::each(|starter| {
        let mut command = nstest(&[starter, &["wc", "-c"]].concat());
        let zeroes = std::fs::File::open("/proc/self/cmdline").unwrap();
        let length = std::fs::read("/proc/self/cmdline").unwrap().len();
        command.stdin(zeroes);
        assert_eq!(Ended::of(command).stdout.trim(), length.to_string(), "{starter:?}");
    });
}

/// In a world without a /proc of its own, PIDs in /proc are those of an outer namespace.
#[test]
fn a_program_can_be_nstest() {
    let nested = |depth: usize| {
        let command = env!("CARGO_BIN_EXE_nstest-command");
        let inner = std::iter::repeat_n([command, "run", "--"], depth).flatten();
        let words: Vec<&str> = ["run", "--"].into_iter().chain(inner).chain(["true"]).collect();
        Ended::of(nstest(&words))
    };
    for depth in 0..4 {
        assert_eq!(nested(depth).status, Some(0), "{depth}: {:?}", nested(depth));
    }
}
