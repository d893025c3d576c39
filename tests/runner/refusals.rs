//! A seccomp filter refuses a system call that nstest makes, or the test has given up its rights:
//! the error names the call.

use std::time::Duration;

use nix::libc;
use nstest::{Condition, Nat, Net, Node, TestResult, netns_test};
use nstest_tests::driver::Run;
use nstest_tests::raw;

/// What a run of the fixture prints where each call of this number is answered with an errno. With
/// an argument, only those that have this value at this index.
#[track_caller]
fn refused(fixture: &str, call: libc::c_long, errno: i32, argument: Option<(u32, i32)>) -> String {
    let run = Run::of(&[fixture]).env(raw::CONSTRUCTOR, raw::refused(call, errno, argument)).run();
    assert_eq!(run.status.code(), Some(101), "{}", run.text());
    run.text()
}

/// Asserts that the error names the call, and a filter as the cause.
#[track_caller]
fn blames_a_filter(text: &str, call: &str) {
    let named = ["nstest[seccomp]: ", call, "seccomp filter"].iter().all(|it| text.contains(it));
    assert!(named, "{call}: {text}");
    assert!(!text.contains("SIGABRT") && !text.contains("report this message"), "{text}");
}

#[test]
fn a_refused_step_of_the_set_up_is_named() {
    for (call, name) in [
        (libc::SYS_setpgid, "leave the runner's process group: setpgid: "),
        (libc::SYS_sethostname, "set the hostname: sethostname: "),
        (libc::SYS_prctl, "tie the test's life to the runner's: prctl(PR_SET_PDEATHSIG): "),
        (libc::SYS_mount, "make mounts private: mount(/): "),
        (libc::SYS_close_range, "hand over file descriptors: close_range: "),
    ] {
        for (errno, text) in [(libc::EPERM, "EPERM"), (libc::ENOSYS, "ENOSYS")] {
            let shown = refused("limits::passes", call, errno, None);
            blames_a_filter(&shown, &format!("{name}{text}"));
        }
    }
}

/// The runner helps the child of real root, which waits for the answer without a deadline.
#[test]
fn a_refused_helper_does_not_keep_the_child_waiting() {
    for (call, named) in [
        (libc::SYS_recvfrom, "map every id to itself: "),
        (libc::SYS_sendto, "answer a request of the child: sendto: EPERM"),
    ] {
        let refused = raw::refused(call, libc::EPERM, None);
        let run = Run::of(&["limits::passes"]).env(raw::CONSTRUCTOR, refused).run();
        let text = run.text();
        if nstest_tests::machine_root() {
            assert!(text.contains(named), "{text}");
        } else {
            run.passed_silently("limits::passes");
        }
    }
}

#[netns_test]
#[ignore = "fixture of another test"]
fn has_nodes(a: Node, _b: Node) {
    a.run(|| ());
}

#[netns_test]
#[ignore = "fixture of another test"]
fn lives_in_a_node(node: Node) {
    node.spawn(|| ()).join().unwrap();
}

/// The thread would not find its way back, so it does not leave.
#[test]
fn a_refused_setns_is_named() {
    for (errno, text) in [(libc::EPERM, "EPERM"), (libc::ENOSYS, "ENOSYS")] {
        let shown = refused("refusals::has_nodes", libc::SYS_setns, errno, None);
        blames_a_filter(&shown, &format!("setns(CLONE_NEWNET): {text}"));
    }
}

#[test]
fn a_refused_namespace_of_a_node_is_named() {
    let network = (0, libc::CLONE_NEWNET);
    let shown = refused("refusals::has_nodes", libc::SYS_unshare, libc::EPERM, Some(network));
    blames_a_filter(&shown, "unshare(CLONE_NEWNET): EPERM");
    let view = libc::CLONE_FS | libc::CLONE_NEWNS | libc::CLONE_NEWUTS;
    let shown =
        refused("refusals::lives_in_a_node", libc::SYS_unshare, libc::EPERM, Some((0, view)));
    blames_a_filter(&shown, "unshare(CLONE_NEWNS | CLONE_NEWUTS): EPERM");
}

#[netns_test]
#[ignore = "fixture of another test"]
fn has_a_wire(node: Node) -> TestResult {
    node.link().condition(Condition::new().delay(Duration::from_millis(1)))?;
    Ok(())
}

#[test]
fn a_refused_socket_is_named() {
    let shown =
        refused("refusals::has_nodes", libc::SYS_socket, libc::EPERM, Some((0, libc::AF_NETLINK)));
    blames_a_filter(&shown, "socket(AF_NETLINK): EPERM");
    let shown =
        refused("refusals::has_a_wire", libc::SYS_socket, libc::EPERM, Some((0, libc::AF_PACKET)));
    blames_a_filter(&shown, "socket(AF_PACKET): EPERM");
}

#[netns_test]
#[ignore = "fixture of another test"]
fn translates(net: Net) -> TestResult {
    let (lan, wan) = (net.add_lan("lan").build()?, net.add_lan("wan").build()?);
    net.add_router("router").wan(&wan).lan(&lan).nat(Nat::FULL_CONE).build()?;
    Ok(())
}

/// As in a container, where the kernel cannot load a module by itself.
#[test]
fn a_kernel_without_nfnetlink_is_named() {
    let netfilter = Some((2, libc::NETLINK_NETFILTER));
    let text = refused("refusals::translates", libc::SYS_socket, libc::EPROTONOSUPPORT, netfilter);
    assert!(text.contains("nstest[netlink]: open a netlink socket for nftables in "), "{text}");
    assert!(text.contains("sudo modprobe -a nfnetlink nf_tables nf_conntrack nf_nat"), "{text}");
    let text = refused("refusals::translates", libc::SYS_socket, libc::EPERM, netfilter);
    blames_a_filter(&text, "socket(AF_NETLINK): EPERM");
}

/// Without the check, the whole binary would die without a word.
#[test]
fn a_filter_that_kills_at_the_clone_is_named() {
    let run = Run::of(&["limits::passes"]).env(raw::CONSTRUCTOR, "is killed by a clone").run();
    let text = run.text();
    assert!(
        text.contains("nstest[seccomp-kill]: create the test's namespaces: clone: SIGSYS"),
        "{text}"
    );
    assert_eq!(run.status.code(), Some(101), "{text}");
}

#[netns_test]
#[ignore = "fixture of another test"]
fn gives_up_its_rights(node: Node) {
    raw::give_up_capabilities();
    node.run(|| ());
}

#[netns_test]
#[ignore = "fixture of another test"]
fn gives_up_its_rights_in_a_node(node: Node) {
    node.run(raw::give_up_capabilities);
}

/// A thread that is in a node then cannot leave it, and must not go on.
#[test]
fn rights_that_a_test_gave_up_are_named() {
    for fixture in ["refusals::gives_up_its_rights", "refusals::gives_up_its_rights_in_a_node"] {
        let text = Run::of(&[fixture]).run().text();
        assert!(text.contains("nstest[namespace]: "), "{text}");
        assert!(text.contains("setns(CLONE_NEWNET): EPERM"), "{text}");
        assert!(text.contains("no CAP_SYS_ADMIN in the test's user namespace"), "{text}");
    }
}
