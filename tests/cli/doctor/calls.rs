//! Worlds with a filter that refuses one kind of call, or kills the process that makes it.

use nix::libc;

use super::{FILTER, World};

/// As systemd's RestrictAddressFamilies= does. The doctor and a program of nstest say the same.
#[test]
fn a_filter_that_allows_no_such_family() {
    for (family, name) in [
        (libc::AF_NETLINK, "AF_NETLINK"),
        (libc::AF_PACKET, "AF_PACKET"),
        (libc::AF_INET6, "AF_INET6"),
        (libc::AF_INET, "AF_INET"),
    ] {
        let world = World::without_call(libc::SYS_socket, libc::EAFNOSUPPORT, Some((0, family)));
        let cause = format!("such as that of systemd's RestrictAddressFamilies=, allows no {name}");
        let ended = world.doctor();
        ended.names("seccomp", &cause, FILTER);
        assert!(!ended.stdout.contains("\n2. "), "{ended:?}");
        let run = world.nstest(&["run", "--peers=2", "--condition=delay 1ms", "--", "true"]);
        // Without IPv6, the nodes have only IPv4.
        let end = if name == "AF_INET6" { "; help: " } else { "\n  help: " };
        let remedy = "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET";
        for said in [format!("{cause}{end}"), remedy.to_owned()] {
            assert!(run.stderr.contains(&said), "{said}: {run:?}");
        }
    }
}
