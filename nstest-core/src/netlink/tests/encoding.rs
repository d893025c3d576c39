//! Our requests are byte for byte those of iproute2 and nft.

use std::net::Ipv4Addr;

use nix::libc;

use super::fixtures::{self, Fixture};
use crate::netlink::filter::{self, Filter, Match};
use crate::netlink::nftables::{
    Batch, Chain, Family, Hook, Kind, Ports, Reject, Rule, State, Table,
};
use crate::netlink::{Mac, Mode, Prefix, Request, qdisc};

/// The indices of `va`, `vb` and `vc` where the fixtures were made.
const VA: u32 = 3;
const VB: u32 = 5;
const VC: u32 = 7;

const TABLE: Table<'_> = Table { family: Family::Ipv4, name: "nstest" };

#[track_caller]
fn same(request: &Request, fixture: &Fixture) {
    assert_eq!(request.kind(), fixture.kind, "{}", request.what());
    assert_eq!(request.body(), fixture.body(), "{}", request.what());
}

#[track_caller]
fn same_rule(chain: &str, rule: Rule, fixture: &Fixture) {
    let batch = Batch::new().rule(TABLE, chain, &rule);
    same(&batch.requests()[0], fixture);
}

#[test]
fn clsact() {
    same(&qdisc::clsact(VA), &fixtures::CLSACT);
}

#[test]
fn filters() {
    let mut filter = Filter { device: VA, number: 1, matches: Match::All, to: &[VB] };
    same(&filter::add(&filter, Mode::Create), &fixtures::REDIRECT);
    filter.to = &[VB, VC];
    same(&filter::add(&filter, Mode::Replace), &fixtures::MIRROR);
    let by_mac = Filter {
        device: VA,
        number: 2,
        matches: Match::Destination(Mac([2, 4, 6, 8, 10, 12])),
        to: &[VC],
    };
    same(&filter::add(&by_mac, Mode::Create), &fixtures::BY_MAC);
}

#[test]
fn tables_and_chains() {
    same(&Batch::new().table(TABLE).requests()[0], &fixtures::TABLE);
    same(&Batch::new().delete_table(TABLE).requests()[0], &fixtures::DELETE_TABLE);
    let post = Chain {
        name: "post",
        kind: Kind::Nat,
        hook: Hook::Postrouting,
        priority: 100,
        accepts: true,
    };
    same(&Batch::new().chain(TABLE, &post).requests()[0], &fixtures::NAT_CHAIN);
    let forward = Chain {
        name: "forw",
        kind: Kind::Filter,
        hook: Hook::Forward,
        priority: 0,
        accepts: false,
    };
    same(&Batch::new().chain(TABLE, &forward).requests()[0], &fixtures::FILTER_CHAIN);
    same(&Batch::new().flush(TABLE, "forw").requests()[0], &fixtures::FLUSH);
}

#[test]
fn translation() {
    let rule = || Rule::new(Family::Ipv4);
    same_rule("post", rule().output("eth1").masquerade(&Ports::Preserve), &fixtures::MASQUERADE);
    same_rule(
        "post",
        rule()
            .output("eth1")
            .transport(libc::IPPROTO_UDP)
            .counter()
            .masquerade(&Ports::Random(1024..=2047)),
        &fixtures::MASQUERADE_PORTS,
    );
    same_rule(
        "post",
        rule()
            .source(Prefix::new(Ipv4Addr::new(10, 0, 2, 0), 24))
            .transport(libc::IPPROTO_TCP)
            .translate_source(Ipv4Addr::new(192, 0, 2, 1).into(), &Ports::Range(4000..=4999)),
        &fixtures::SNAT,
    );
    same_rule(
        "pre",
        rule()
            .transport(libc::IPPROTO_TCP)
            .destination_port(80)
            .translate_destination(Ipv4Addr::new(10, 0, 2, 2).into(), Some(8080)),
        &fixtures::DNAT,
    );
}

#[test]
fn filtering() {
    let rule = || Rule::new(Family::Ipv4);
    same_rule(
        "forw",
        rule().state(State::ESTABLISHED | State::RELATED).accept(),
        &fixtures::CT_STATE,
    );
    same_rule(
        "forw",
        rule().transport(libc::IPPROTO_TCP).destination_port(22).counter().reject(Reject::TcpReset),
        &fixtures::TCP_RESET,
    );
    same_rule("forw", rule().input("eth0").reject(Reject::Icmp(13)), &fixtures::ICMP_REJECT);
    same_rule(
        "forw",
        rule().source(Prefix::new(Ipv4Addr::new(10, 0, 2, 7), 32)).drop().comment("x1"),
        &fixtures::DROP,
    );
}
