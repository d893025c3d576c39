use expect_test::{Expect, expect};

use super::*;

/// A machine that has everything an ordinary user needs.
fn machine() -> Machine {
    Machine {
        may_configure: false,
        root: false,
        tun: Ok(()),
        pasta: Some("/usr/bin/pasta".into()),
        slirp4netns: Some("/usr/bin/slirp4netns".into()),
        v4: true,
        v6: false,
        outbound: Some("eth0".into()),
        subnets: vec![MachineSubnet {
            subnet: "192.0.2.0/24".parse().unwrap(),
            device: "eth0".into(),
        }],
        resolvers: vec!["127.0.0.53".parse().unwrap()],
        upstream: vec![],
        search: None,
    }
}

#[test]
fn the_kernel_is_preferred_then_pasta_then_slirp4netns() {
    let root = Machine { may_configure: true, root: true, ..machine() };
    assert_eq!(choose(&root).unwrap(), UplinkKind::Routed);
    assert_eq!(
        choose(&machine()).unwrap(),
        UplinkKind::Relayed(Relay::Pasta("/usr/bin/pasta".into()))
    );
    let second = UplinkKind::Relayed(Relay::Slirp4netns("/usr/bin/slirp4netns".into()));
    assert_eq!(choose(&Machine { pasta: None, ..machine() }).unwrap(), second);
    assert_eq!(choose(&Machine { root: true, ..machine() }).unwrap(), second);
}

#[test]
fn errors_name_what_is_missing() {
    let check = |machine: Machine, text: Expect| {
        text.assert_eq(&format!("{:?}\n", choose(&machine).unwrap_err()));
    };
    check(
        Machine { pasta: None, slirp4netns: None, ..machine() },
        expect![[r#"
            nstest[uplink]: give the test an uplink to the machine's network
              cause: an uplink needs `pasta` or `slirp4netns`, except for root, and neither is in PATH
              help: install pasta: apt install passt (Fedora, Arch, Alpine: passt); or slirp4netns: apt install slirp4netns
        "#]],
    );
    check(
        Machine { root: true, slirp4netns: None, ..machine() },
        expect![[r#"
            nstest[uplink]: give the test an uplink to the machine's network
              cause: pasta does not work for root, and this root may not configure the network (no CAP_NET_ADMIN)
              help: install slirp4netns: apt install slirp4netns; or run as an ordinary user; or start the container with --cap-add=NET_ADMIN
        "#]],
    );
    check(
        Machine { tun: Err(Errno::ENOENT), ..machine() },
        expect![[r#"
            nstest[uplink]: give the test an uplink to the machine's network
              cause: /dev/net/tun does not exist, and an uplink without root needs it
              help: sudo modprobe tun    # in a container: --device=/dev/net/tun
        "#]],
    );
    check(
        Machine { tun: Err(Errno::EACCES), ..machine() },
        expect![[r#"
            nstest[uplink]: give the test an uplink to the machine's network
              cause: this user may not read and write /dev/net/tun (EACCES)
              help: sudo chmod 0666 /dev/net/tun    # until the next boot; users still cannot change the machine's network
        "#]],
    );
    check(
        Machine { may_configure: true, v4: false, v6: true, ..machine() },
        expect![[r#"
            nstest[uplink]: give the test an uplink to the machine's network
              cause: this machine has no default route for IPv4, and the uplink for root is IPv4 only
              help: run as an ordinary user with pasta installed: apt install passt
        "#]],
    );
    let ours = MachineSubnet { subnet: "198.18.0.0/16".parse().unwrap(), device: "tun3".into() };
    check(
        Machine { subnets: vec![ours], ..machine() },
        expect![[r#"
            nstest[subnet-overlap]: use the subnets 198.18.0.0/24 and fd00:1::/64 for the test's uplink
              cause: the machine already uses 198.18.0.0/16 on its interface `tun3`
              help: run as root: then the uplink uses a subnet that is free
        "#]],
    );
}

#[test]
fn the_test_gets_a_description_and_a_resolv_conf() {
    let relayed =
        Uplink { mechanism: choose(&machine()).unwrap(), machine: machine(), offloads: true };
    expect![[r#"
        relayed inet
        198.18.0.0/15 uplink
        fd00:1::/64 uplink
        192.0.2.0/24 eth0
    "#]]
    .assert_eq(&relayed.description());
    expect![[r#"
        # nstest: through the uplink
        nameserver 198.18.0.3
        options timeout:2 attempts:2
    "#]]
    .assert_eq(&relayed.resolv_conf());
    let machine = Machine { may_configure: true, ..machine() };
    let routed = Uplink { mechanism: UplinkKind::Routed, machine, offloads: true };
    expect![[r#"
        # nstest: through the uplink
        # the machine's name server listens on its loopback, which the test cannot reach
        nameserver 127.0.0.1
        options timeout:2 attempts:2
    "#]]
    .assert_eq(&routed.resolv_conf());
}

#[test]
fn a_limit_of_open_files_is_no_missing_right() {
    for (errno, code) in [
        (Errno::EMFILE, ErrorCode::OpenFiles),
        (Errno::ETOOMANYREFS, ErrorCode::OpenFiles),
        (Errno::EPERM, ErrorCode::Uplink),
    ] {
        let error = routed::failed(Error::new(ErrorCode::Sysctl, "set a sysctl").source(errno));
        assert_eq!(error.code(), code, "{error:?}");
        let asks_for_rights = error.next_step().is_some_and(|help| help.contains("--cap-add"));
        assert_eq!(asks_for_rights, errno == Errno::EPERM, "{error:?}");
    }
}
