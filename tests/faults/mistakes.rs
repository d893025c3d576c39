//! Impossible faults are errors that point at the mistake, and change nothing.

use std::time::Duration;

use expect_test::{Expect, expect};
use nstest::{
    Action, Condition, Fault, Jitter, Link, Net, Node, Packets, Partition, Percent, Plan, Rate,
    TestResult, Unreachable, netns_test,
};

#[track_caller]
fn says<T: std::fmt::Debug>(result: Result<T, nstest::Error>, expected: &Expect) {
    expected.assert_eq(&format!("{:?}\n", result.unwrap_err()));
}

#[test]
fn percentages() {
    says(
        Percent::try_new(101.0),
        &expect![[r#"
            nstest[fault]: use `101` as a percentage
              help: write a number from 0 to 100: `2.5%`
        "#]],
    );
    says(
        "101%".parse::<Percent>(),
        &expect![[r#"
        nstest[fault]: read the percentage `101%`
          cause: `101%` is more than 100%
          help: write a number from 0 to 100: `2.5%`
    "#]],
    );
    says(
        "server: condition delay 5ms loss 101%".parse::<Plan>(),
        &expect![[r#"
        nstest[plan]: read the plan `server: condition delay 5ms loss 101%`
          cause: `101%` is more than 100%
            server: condition delay 5ms loss 101%
                                             ^^^^
          help: write a number from 0 to 100: `2.5%`
    "#]],
    );
    says(
        "loss -1%".parse::<Condition>(),
        &expect![[r#"
            nstest[plan]: read the condition `loss -1%`
              cause: `-1%` is not a percentage
                loss -1%
                     ^^^
              help: write a number from 0 to 100: `2.5%`
        "#]],
    );
}

#[test]
fn plans_that_do_not_parse() {
    for (plan, expected) in [
        (
            "server: dorp",
            expect![[r#"
                nstest[plan]: read the plan `server: dorp`
                  cause: `dorp` is not expected here
                    server: dorp
                            ^^^^
                  help: write one of: drop, reject REASON, reset, duplicate, delay, corrupt, mtu BYTES, blackhole, cut, then reset, then blackhole, then cut, condition …, down, partition A | B
            "#]],
        ),
        (
            "server tcp prot 80: drop",
            expect![[r#"
                nstest[plan]: read the plan `server tcp prot 80: drop`
                  cause: `prot` is not expected here
                    server tcp prot 80: drop
                               ^^^^
                  help: write one of: a colon and an effect, as in `: drop`; `egress` or `ingress`; packets, as in `tcp port 80 data`; `nth 3`
            "#]],
        ),
        (
            "server: down at soon",
            expect![[r#"
                nstest[plan]: read the plan `server: down at soon`
                  cause: `soon` is not a duration
                    server: down at soon
                                    ^^^^
                  help: write a number and a unit: `250us`, `40ms`, `1.5s`, `1m30s`
            "#]],
        ),
        (
            "server: down lasting 1s every 500ms",
            expect![[r#"
                nstest[plan]: read the plan `server: down lasting 1s every 500ms`
                  cause: the fault would repeat before it has ended
                    server: down lasting 1s every 500ms
                            ^^^^
                  help: make `lasting` shorter than `every`
            "#]],
        ),
        (
            "server udp: reset",
            expect![[r#"
                nstest[plan]: read the plan `server udp: reset`
                  cause: only TCP can be reset
                    server udp: reset
                                ^^^^^
                  help: match `tcp` packets, or use `reject port-unreachable`
            "#]],
        ),
        (
            "server",
            expect![[r#"
                nstest[plan]: read the plan `server`
                  cause: something is missing here
                    server
                          ^
                  help: write one of: a colon and an effect, as in `: drop`; `egress` or `ingress`; packets, as in `tcp port 80 data`; `nth 3`
            "#]],
        ),
        (
            "server: condition queue-limit 9",
            expect![[r#"
                nstest[plan]: read the plan `server: condition queue-limit 9`
                  cause: without a rate no packet waits in the queue
                    server: condition queue-limit 9
                                                  ^
                  help: add a rate, as in `rate 10mbit queue-limit 100`
            "#]],
        ),
        (
            "*: partition a b",
            expect![[r#"
                nstest[plan]: read the plan `*: partition a b`
                  cause: there is only one group
                    *: partition a b
                                   ^
                  help: name two or more groups: `partition a | b c`
            "#]],
        ),
    ] {
        says(plan.parse::<Plan>(), &expected);
    }
}

#[test]
fn plans_with_faults_that_exclude_each_other() {
    for (plan, expected) in [
        (
            "server: condition lte; server egress: condition dsl at 1s",
            expect![[r#"
                nstest[plan-conflict]: use `server: condition delay 35ms jitter 5ms normal loss 0.2% rate 12mbit` and `server egress: condition delay 25ms rate 1500kbit at 1s` together
                  cause: a direction of a link has one condition at a time
                  help: remove one of them, or let the first end before the second starts (`lasting`)
            "#]],
        ),
        (
            "server: down at 1s lasting 1s every 5s; server: down at 3m",
            expect![[r#"
                nstest[plan-conflict]: use `server: down at 1s lasting 1s every 5s` and `server: down at 3m` together
                  cause: the link would be down twice
                  help: remove one of them, or let the first end before the second starts (`lasting`)
            "#]],
        ),
    ] {
        says(plan.parse::<Plan>(), &expected);
    }
}

#[netns_test]
fn targets_that_do_not_exist(server: Node, net: Net) -> TestResult {
    says(
        net.inject(Fault::on("sever").down()),
        &expect![[r#"
        nstest[not-found]: find node `sever`
          cause: there is no node with this name
          help: the test has `test`, `server`
    "#]],
    );
    says(
        net.inject(Fault::on("server.eth7").down()),
        &expect![[r#"
        nstest[not-found]: find interface `eth7` of node `server`
          cause: it has the interfaces eth0
          help: name one of them, as in `server.eth0`
    "#]],
    );
    let _cable = net.connect(&server, &net.local())?;
    says(
        net.inject(Fault::on("server").down()),
        &expect![[r#"
        nstest[not-found]: find the link of node `server`
          cause: it has the interfaces eth0, eth1
          help: name one of them, as in `server.eth0`
    "#]],
    );
    let apart = Fault::partition(Partition::new([["server"], ["nobody"]])?);
    says(
        net.inject(apart),
        &expect![[r#"
        nstest[not-found]: find node `nobody`
          cause: there is no node with this name
          help: the test has `test`, `server`
    "#]],
    );
    let lan = net.add_lan("lan").build()?;
    let node = net.add_node("node").join(&lan).build()?;
    let link: Link = node.link();
    node.leave(&lan)?;
    says(
        link.condition(Condition::LTE),
        &expect![[r#"
        nstest[not-found]: use a link
          cause: it has been removed from this test, or is of another one
          help: look it up by name, from this test's `Net`
    "#]],
    );
    Ok(())
}

#[netns_test]
fn faults_that_are_not_possible(server: Node, net: Net) -> TestResult {
    let link = server.link();
    says(
        link.condition(Condition::new().queue_limit(5)),
        &expect![[r#"
            nstest[fault]: use the condition `queue-limit 5`
              cause: without a rate no packet waits in the queue
              help: add a rate, as in `rate 10mbit queue-limit 100`
        "#]],
    );
    says(
        link.reset(Packets::udp()),
        &expect![[r#"
            nstest[fault]: use the fault `server udp: reset`
              cause: only TCP can be reset
              help: match `tcp` packets, or use `reject port-unreachable`
        "#]],
    );
    says(
        link.reject(Packets::arp(), Unreachable::Net),
        &expect![[r#"
            nstest[fault]: use the fault `server arp: reject net-unreachable`
              cause: control traffic is never answered with an ICMP error
              help: use `drop`
        "#]],
    );
    says(
        link.mtu_blackhole(67),
        &expect![[r#"
            nstest[fault]: use the fault `server: mtu 67`
              cause: every link carries packets of 68 bytes (RFC 791 §3.2)
              help: write an MTU of at least 68, for IPv6 at least 1280
        "#]],
    );
    says(
        link.flap(Duration::ZERO),
        &expect![[r#"
            nstest[fault]: use the fault `server: down lasting 0s`
              cause: a fault that lasts 0s is never active
              help: remove `lasting`, or make it longer
        "#]],
    );
    says(
        net.partition(&[&[&server]]),
        &expect![[r#"
            nstest[fault]: use the partition server
              cause: there is only one group
              help: name at least two groups with different nodes, as in `partition a | b c`
        "#]],
    );
    says(
        net.partition_one_way(&[&server], &[&server]),
        &expect![[r#"
            nstest[fault]: use the partition server > server
              cause: `server` is in both groups
              help: name at least two groups with different nodes, as in `partition a | b c`
        "#]],
    );
    let duplicate = link.fault()?.action(Action::Duplicate(0));
    says(
        net.inject(duplicate),
        &expect![[r#"
            nstest[fault]: use the fault `server: duplicate 0`
              cause: a duplicate of 0 copies has no effect
              help: write 1 or more copies
        "#]],
    );
    let reorder = Condition::new().jitter(Jitter::uniform(Duration::ZERO)).reorder(Percent::ALL);
    says(
        link.condition(reorder),
        &expect![[r#"
            nstest[fault]: use the condition `jitter 0s reorder 100%`
              cause: a reordered packet is sent without the delay of the others, and there is no delay
              help: add a delay, as in `delay 10ms reorder 25%`
        "#]],
    );
    Ok(())
}

#[netns_test]
fn faults_that_exclude_each_other(server: Node, net: Net) -> TestResult {
    net.inject(Fault::on("server").condition(Condition::new().rate(Rate::mbit(1))).optional())?;
    let same = Fault::on("server").egress().condition(Condition::LTE);
    says(
        net.inject(same),
        &expect![[r#"
            nstest[plan-conflict]: use `server: condition rate 1mbit optional` and `server egress: condition delay 35ms jitter 5ms normal loss 0.2% rate 12mbit` together
              cause: a direction of a link has one condition at a time
              help: remove one of them, or let the first end before the second starts (`lasting`)
        "#]],
    );
    // The same link, by its other name.
    says(
        net.inject(Fault::on("test").ingress().condition(Condition::LTE)),
        &expect![[r#"
            nstest[plan-conflict]: use `server: condition rate 1mbit optional` and `test ingress: condition delay 35ms jitter 5ms normal loss 0.2% rate 12mbit` together
              cause: a direction of a link has one condition at a time
              help: remove one of them, or let the first end before the second starts (`lasting`)
        "#]],
    );
    net.partition(&[&[&server], &[&net.local()]])?.optional();
    says(
        net.isolate(&server),
        &expect![[r#"
            nstest[plan-conflict]: use `*: partition server | test` and `*: partition server | test` together
              cause: a network has one partition at a time
              help: remove one of them, or let the first end before the second starts (`lasting`)
        "#]],
    );
    server.link().drop_packets(Packets::udp())?.optional();
    says(
        server.link().drop_packets(Packets::udp()),
        &expect![[r#"
            nstest[plan-conflict]: use `server udp: drop` and `server udp: drop` together
              cause: both are the same fault
              help: remove one of them, or let the first end before the second starts (`lasting`)
        "#]],
    );
    Ok(())
}
