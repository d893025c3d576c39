//! Our requests are byte for byte those of iproute2 and nft.

use std::net::IpAddr;
use std::time::Duration;

use super::fixtures::{self, Fixture, Sent};
use crate::addr::{Family, MacAddr, Prefix};
use crate::netlink::nftables::{
    Chain, CtMatch, DataType, Field, FieldValue, HookKind, HookPoint, L4Proto, NftHook, NftRule,
    NftSet, Statement as S, Table, Transaction,
};
use crate::netlink::u32_filter::{self, Match, U32Filter};
use crate::netlink::{Mode, Request, qdisc};

/// The indexes of `va`, `vb` and `vc` on the machine on which the fixtures were captured.
const VA: u32 = 3;
const VB: u32 = 5;
const VC: u32 = 7;

#[track_caller]
fn same(request: &Request, fixture: &Fixture) {
    assert_eq!(request.kind(), fixture.kind, "{}", request.what());
    assert_eq!(request.body(), fixture.body(), "{}", request.what());
}

#[test]
fn clsact() {
    same(&qdisc::clsact(VA), &fixtures::CLSACT);
}

#[test]
fn filters() {
    let mut filter = U32Filter { device: VA, number: 1, matches: Match::All, to: &[VB] };
    same(&u32_filter::add(&filter, Mode::Create), &fixtures::REDIRECT);
    filter.to = &[VB, VC];
    same(&u32_filter::add(&filter, Mode::Replace), &fixtures::MIRROR);
    let by_mac = U32Filter {
        device: VA,
        number: 2,
        matches: Match::Destination(MacAddr::new([2, 4, 6, 8, 10, 12])),
        to: &[VC],
    };
    same(&u32_filter::add(&by_mac, Mode::Create), &fixtures::BY_MAC);
}

#[test]
fn tables_of_ipv4() {
    let table = table(
        Family::V4,
        vec![base("post", HookKind::Nat, HookPoint::Postrouting, 100, translation_v4())],
    );
    same_table(&table, &fixtures::IPV4);
}

#[test]
fn tables_of_ipv6() {
    let table = table(
        Family::V6,
        vec![base("pre", HookKind::Nat, HookPoint::Prerouting, -100, translation_v6())],
    );
    same_table(&table, &fixtures::IPV6);
}

/// The rules of a routed uplink: masquerading, copies of answers, and an owned table.
#[test]
fn a_table_that_is_owned() {
    let gateway = "169.254.1.6".parse::<IpAddr>().unwrap();
    let is = |field: fn(Family) -> Field| S::Equals(field(Family::V4), FieldValue::Addr(gateway));
    let chain = |name, kind, point, priority, rule| base(name, kind, point, priority, vec![rule]);
    let table = Table {
        family: Family::V4,
        name: "nstest1".into(),
        owned: true,
        sets: Vec::new(),
        chains: vec![
            chain(
                "post",
                HookKind::Nat,
                HookPoint::Postrouting,
                100,
                NftRule(vec![is(Field::SourceAddr), S::Masquerade]),
            ),
            chain(
                "forward",
                HookKind::Filter,
                HookPoint::Forward,
                0,
                NftRule(vec![
                    S::OutInterface("nstest1".into()),
                    S::Ct(CtMatch::NewOrInvalid),
                    S::Drop,
                ]),
            ),
            chain(
                "pre",
                HookKind::Filter,
                HookPoint::Prerouting,
                -99,
                NftRule(vec![
                    is(Field::DestAddr),
                    S::Ct(CtMatch::EstablishedOrRelated),
                    S::DupTo { addr: gateway, device: 1 },
                    S::Drop,
                ]),
            ),
        ],
    };
    same_table(&table, &fixtures::UPLINK);
}

/// Compares the text of a table with the input of nft, and its encoding with the bytes that nft
/// sent.
#[track_caller]
fn same_table(table: &Table, sent: &Sent) {
    assert_eq!(table.to_string(), sent.text);
    let batch = Transaction::new().add(table);
    let messages = sent.messages();
    assert_eq!(batch.requests().len(), messages.len());
    for (request, message) in batch.requests().iter().zip(&messages) {
        same(request, message);
    }
}

fn base(
    name: &'static str,
    kind: HookKind,
    point: HookPoint,
    priority: i32,
    rules: Vec<NftRule>,
) -> Chain {
    Chain { name, hook: Some(NftHook { kind, point, priority }), rules }
}

/// The sets and filters of both families, and the chains of one.
fn table(family: Family, chains: Vec<Chain>) -> Table {
    let addr = DataType::Addr(family);
    let set = |name, key: &[DataType], data: Option<&[DataType]>| NftSet {
        name,
        key: key.to_vec(),
        data: data.map(<[DataType]>::to_vec),
        timeout: Duration::from_secs(300),
    };
    let endpoint: &[DataType] = &[addr, DataType::Port];
    let rule = |statements: &[S]| NftRule(statements.to_vec());
    let established = rule(&[S::Ct(CtMatch::EstablishedOrRelated), S::Accept]);
    let new = rule(&[S::InInterface("eth1".into()), S::Ct(CtMatch::New), S::Drop]);
    let ssh = S::Equals(Field::DestPort, FieldValue::Port(22));
    let ssh = rule(&[S::Is(L4Proto::Tcp), ssh, S::Drop]);
    let filter = vec![established, new, ssh];
    let mut all = vec![
        Chain { name: "translate", hook: None, rules: vec![] },
        base("forward", HookKind::Filter, HookPoint::Forward, 0, filter),
    ];
    all.extend(chains);
    Table {
        family,
        name: "nstest".into(),
        owned: false,
        sets: vec![
            set("external", &[DataType::Proto, DataType::Port], Some(endpoint)),
            set("mapping", &[DataType::Proto, addr, DataType::Port, addr], Some(endpoint)),
            set("taken", &[DataType::Proto, DataType::Port], None),
        ],
        chains: all,
    }
}

fn translation_v4() -> Vec<NftRule> {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let addr = ip("203.0.113.1");
    let saddr = Field::SourceAddr(Family::V4);
    let timeout = Duration::from_secs(7440);
    vec![
        NftRule(vec![
            S::OutInterface("eth1".into()),
            S::In(saddr, Prefix::new(ip("192.168.1.0"), 24)),
            S::Equals(Field::DestAddr(Family::V4), FieldValue::Addr(addr)),
            S::HasPorts,
            S::PortBetween(Field::SourcePort, 1024, 2000),
            S::Lookup { key: vec![Field::Proto, Field::SourcePort], set: "taken", found: false },
            S::SnatTo { addr, ports: Some((1024, 2000)), random: true },
        ]),
        NftRule(vec![
            S::HasPorts,
            S::SnatMap {
                family: Family::V4,
                key: vec![Field::Proto, saddr, Field::SourcePort, Field::DestAddr(Family::V4)],
                map: "mapping",
            },
        ]),
        NftRule(vec![
            S::Is(L4Proto::Udp),
            S::Ct(CtMatch::Original),
            S::Ct(CtMatch::SourceTranslated),
            S::Equals(Field::OriginalDestAddr(Family::V4), FieldValue::Addr(addr)),
            S::Update {
                set: "external",
                key: vec![Field::Proto, Field::SourcePort],
                timeout,
                data: vec![Field::OriginalSourceAddr(Family::V4), Field::OriginalSourcePort],
            },
        ]),
        NftRule(vec![S::Update {
            set: "taken",
            key: vec![Field::Proto, Field::SourcePort],
            timeout,
            data: vec![],
        }]),
        NftRule(vec![
            S::In(saddr, Prefix::new(ip("10.0.0.0"), 9)),
            S::SnatPrefix(Prefix::new(ip("10.9.0.0"), 24)),
        ]),
        NftRule(vec![S::Ct(CtMatch::DestTranslated), S::Jump("translate")]),
        NftRule(vec![S::SnatTo { addr, ports: None, random: false }]),
    ]
}

/// Without the `update` of a map, on which nft 1.0.6 aborts.
fn translation_v6() -> Vec<NftRule> {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    vec![
        NftRule(vec![
            S::HasPorts,
            S::DnatMap {
                family: Family::V6,
                key: vec![Field::Proto, Field::DestPort],
                map: "external",
            },
        ]),
        NftRule(vec![
            S::In(Field::DestAddr(Family::V6), Prefix::new(ip("fd00:1::"), 64)),
            S::DnatPrefix(Prefix::new(ip("fd00:2::"), 64)),
        ]),
        NftRule(vec![
            S::Equals(Field::OriginalSourceAddr(Family::V6), FieldValue::Addr(ip("fd00::1"))),
            S::Equals(Field::OriginalDestAddr(Family::V6), FieldValue::Addr(ip("fd00::2"))),
            S::Is(L4Proto::Tcp),
            S::Equals(Field::SourcePort, FieldValue::Port(8080)),
            S::DnatTo { addr: ip("fd00::1"), port: 80 },
        ]),
        NftRule(vec![
            S::Equals(Field::SourceAddr(Family::V6), FieldValue::Addr(ip("fd00::1"))),
            S::In(Field::DestAddr(Family::V6), Prefix::new(ip("fd00:3::"), 61)),
            S::Accept,
        ]),
    ]
}
