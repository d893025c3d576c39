use expect_test::{Expect, expect};

use super::machine::Network;
use super::*;

/// An ordinary user's machine that lacks nothing.
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
        networks: vec![Network { subnet: "192.0.2.0/24".parse().unwrap(), device: "eth0".into() }],
        resolvers: vec!["127.0.0.53".parse().unwrap()],
        upstream: vec![],
        search: None,
    }
}

#[test]
fn the_kernels_way_comes_first_then_pasta_then_slirp4netns() {
    let root = Machine { may_configure: true, root: true, ..machine() };
    assert_eq!(choose(&root).unwrap(), Way::Routed);
    assert_eq!(choose(&machine()).unwrap(), Way::Relayed(Relay::Pasta("/usr/bin/pasta".into())));
    let second = Way::Relayed(Relay::Slirp4netns("/usr/bin/slirp4netns".into()));
    assert_eq!(choose(&Machine { pasta: None, ..machine() }).unwrap(), second);
    assert_eq!(choose(&Machine { root: true, ..machine() }).unwrap(), second);
}

#[test]
fn what_is_missing_is_named() {
    let check = |machine: Machine, text: Expect| {
        text.assert_eq(&format!("{:?}\n", choose(&machine).unwrap_err()));
    };
    check(
        Machine { pasta: None, slirp4netns: None, ..machine() },
        expect![[r#"
        nstest[uplink]: give the test an uplink to the machine's network
          cause: neither `pasta` nor `slirp4netns` is in PATH, and only root has an uplink without them
          help: install pasta: apt install passt (Fedora, Arch, Alpine: passt); or slirp4netns: apt install slirp4netns
    "#]],
    );
    check(
        Machine { root: true, slirp4netns: None, ..machine() },
        expect![[r#"
        nstest[uplink]: give the test an uplink to the machine's network
          cause: pasta does not serve root, and this root may not configure the machine's network (it is without CAP_NET_ADMIN)
          help: run the tests as an ordinary user, or in a container with --cap-add=NET_ADMIN, or install slirp4netns: apt install slirp4netns
    "#]],
    );
    check(
        Machine { tun: Err(Errno::ENOENT), ..machine() },
        expect![[r#"
        nstest[uplink]: give the test an uplink to the machine's network
          cause: there is no /dev/net/tun, through which an uplink without root is made
          help: sudo modprobe tun    # in a container: --device=/dev/net/tun
    "#]],
    );
    check(
        Machine { tun: Err(Errno::EACCES), ..machine() },
        expect![[r#"
        nstest[uplink]: give the test an uplink to the machine's network
          cause: /dev/net/tun must be readable and writable for whoever runs the tests, and is not (EACCES)
          help: sudo chmod 0666 /dev/net/tun    # until the next boot; it gives no right over the machine's network
    "#]],
    );
    check(
        Machine { may_configure: true, v4: false, v6: true, ..machine() },
        expect![[r#"
        nstest[uplink]: give the test an uplink to the machine's network
          cause: this machine has no default route of IPv4, and the rules that an uplink of root's is made of translate IPv4 only
          help: run the tests as an ordinary user, with Debian's package passt
    "#]],
    );
    let ours = Network { subnet: "198.18.0.0/16".parse().unwrap(), device: "tun3".into() };
    check(
        Machine { networks: vec![ours], ..machine() },
        expect![[r#"
        nstest[subnet-overlap]: give the test's uplink the subnets 198.18.0.0/24 and fd00:1::/64
          cause: the machine has 198.18.0.0/16 on `tun3`
          help: run the tests as root, where the uplink can have another subnet
    "#]],
    );
}

#[test]
fn the_test_is_told_what_it_leads_to() {
    let relayed = Uplink { way: choose(&machine()).unwrap(), machine: machine() };
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
    let routed = Uplink { way: Way::Routed, machine };
    expect![[r#"
        # nstest: through the uplink
        # the machine's own resolver listens on its loopback, which is closed
        nameserver 127.0.0.1
        options timeout:2 attempts:2
    "#]]
    .assert_eq(&routed.resolv_conf());
}
