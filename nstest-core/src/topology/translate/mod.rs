//! The nftables rules of a router's NAT and firewall.
//!
//! Trap: an unsolicited packet from outside must be dropped before connection tracking
//! confirms it as a conversation with the router itself. Otherwise its entry has the tuple
//! that a node's packet to the same peer needs, and the kernel moves that packet to another
//! port: hole punching then fails at random.

mod maps;

use std::net::IpAddr;

use super::nat::{Firewall, Nat, NatFiltering, Protocol};
use super::spec::Rebound;
use crate::addr::{Family, Prefix, Subnet};
use crate::netlink::nftables::{
    Chain, CtMatch, DataType, Field, FieldValue, HookKind, HookPoint, L4Proto, NftHook, NftRule,
    NftSet, Statement as S, Table,
};

/// The name of each table of ours.
pub(crate) const TABLE: &str = "nstest";

// Of include/uapi/linux/netfilter_ipv4.h: NF_IP_PRI_RAW, _NAT_DST, _FILTER, _NAT_SRC.
const RAW: i32 = -300;
const DSTNAT: i32 = -100;
const FILTER: i32 = 0;
const SRCNAT: i32 = 100;

/// What a router does in one address family, with every name and address known.
#[derive(Debug, Clone)]
pub(crate) struct Translation {
    pub(crate) family: Family,
    pub(crate) wan: String,
    pub(crate) wan_addr: IpAddr,
    pub(crate) lans: Vec<Subnet>,
    pub(crate) kind: TranslationMode,
    pub(crate) firewall: Firewall,
    pub(crate) forwards: Vec<ForwardedPort>,
    pub(crate) rebound: Vec<Rebound>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum TranslationMode {
    Routed,
    Nat(Nat),
    Prefix { internal: Subnet, external: Subnet },
}

/// A port forwarding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ForwardedPort {
    pub(crate) protocol: Protocol,
    pub(crate) port: u16,
    pub(crate) to: IpAddr,
    pub(crate) to_port: u16,
}

impl Translation {
    /// The table of this IP version, if it needs one.
    pub(crate) fn table(&self) -> Option<Table> {
        let mut chains = Vec::new();
        let mut sets = Vec::new();
        let inbound = self.inbound();
        if !inbound.is_empty() {
            chains.push(base("prerouting", HookKind::Nat, HookPoint::Prerouting, DSTNAT, inbound));
        }
        match self.kind {
            TranslationMode::Nat(nat) => {
                sets = self.sets(&nat);
                chains.push(base(
                    "postrouting",
                    HookKind::Nat,
                    HookPoint::Postrouting,
                    SRCNAT,
                    self.outbound(&nat),
                ));
                chains.push(Chain { name: "translate", hook: None, rules: self.translate(&nat) });
                chains.push(base(
                    "learn",
                    HookKind::Filter,
                    HookPoint::Postrouting,
                    SRCNAT + 10,
                    self.learn(&nat),
                ));
            }
            TranslationMode::Prefix { internal, external } => {
                let rule = vec![
                    self.out_wan(),
                    S::In(self.saddr(), prefix(internal)),
                    S::SnatPrefix(prefix(external)),
                ];
                chains.push(base(
                    "postrouting",
                    HookKind::Nat,
                    HookPoint::Postrouting,
                    SRCNAT,
                    vec![NftRule(rule)],
                ));
            }
            TranslationMode::Routed => {}
        }
        chains.extend(self.filters());
        (!chains.is_empty()).then_some(Table {
            family: self.family,
            name: TABLE.into(),
            owned: false,
            sets,
            chains,
        })
    }

    /// Prerouting: packets to a forwarded port, a mapping or the external prefix.
    fn inbound(&self) -> Vec<NftRule> {
        let to_wan = || S::Equals(Field::DestAddr(self.family), FieldValue::Addr(self.wan_addr));
        let mut rules = Vec::new();
        for forward in &self.forwards {
            let hairpins = matches!(self.kind, TranslationMode::Nat(nat) if nat.hairpins);
            let mut rule = if hairpins { vec![] } else { vec![self.in_wan()] };
            rule.extend([
                to_wan(),
                S::Is(transport(forward.protocol)),
                S::Equals(Field::DestPort, FieldValue::Port(forward.port)),
                S::DnatTo { addr: forward.to, port: forward.to_port },
            ]);
            rules.push(NftRule(rule));
        }
        match self.kind {
            TranslationMode::Nat(nat) => {
                let key = vec![Field::Proto, Field::DestPort];
                let enter =
                    || S::DnatMap { family: self.family, key: key.clone(), map: "external" };
                match nat.filtering {
                    NatFiltering::EndpointIndependent => {
                        rules.push(NftRule(vec![self.in_wan(), to_wan(), S::HasPorts, enter()]));
                    }
                    NatFiltering::AddressDependent => rules.push(NftRule(vec![
                        self.in_wan(),
                        to_wan(),
                        S::HasPorts,
                        S::Lookup {
                            key: vec![Field::Proto, Field::DestPort, self.saddr()],
                            set: "permitted",
                            found: true,
                        },
                        enter(),
                    ])),
                    NatFiltering::AddressAndPortDependent => {}
                }
                if nat.hairpins {
                    for lan in &self.lans {
                        rules.push(NftRule(vec![
                            S::In(self.saddr(), prefix(*lan)),
                            to_wan(),
                            S::HasPorts,
                            enter(),
                        ]));
                    }
                }
            }
            TranslationMode::Prefix { internal, external } => rules.push(NftRule(vec![
                self.in_wan(),
                S::In(Field::DestAddr(self.family), prefix(external)),
                S::DnatPrefix(prefix(internal)),
            ])),
            TranslationMode::Routed => {}
        }
        rules
    }

    fn filters(&self) -> Vec<Chain> {
        let natted = matches!(self.kind, TranslationMode::Nat(_));
        let blocked = self.firewall == Firewall::BlockInbound;
        if !natted && !blocked {
            return Vec::new();
        }
        let known = NftRule(vec![S::Ct(CtMatch::EstablishedOrRelated), S::Accept]);
        let stop = |rest: Vec<S>| {
            let mut rule = vec![self.in_wan(), S::Ct(CtMatch::New)];
            rule.extend(rest);
            rule.push(S::Drop);
            NftRule(rule)
        };
        let mut forward = vec![known.clone()];
        if natted || !self.forwards.is_empty() {
            forward.push(NftRule(vec![self.in_wan(), S::Ct(CtMatch::DestTranslated), S::Accept]));
        }
        forward.push(stop(vec![]));
        // All ports of a NAT belong to its nodes: see the trap above. It answers pings only.
        let stopped = if blocked { vec![] } else { vec![S::HasPorts] };
        let input = vec![known, stop(stopped)];
        vec![
            base("forward", HookKind::Filter, HookPoint::Forward, FILTER, forward),
            base("input", HookKind::Filter, HookPoint::Input, FILTER, input),
        ]
    }

    fn in_wan(&self) -> S {
        S::InInterface(self.wan.clone())
    }

    fn out_wan(&self) -> S {
        S::OutInterface(self.wan.clone())
    }

    fn saddr(&self) -> Field {
        Field::SourceAddr(self.family)
    }
}

/// The same tables, but TCP and UDP are dropped before connection tracking. ICMPv6 is not:
/// neighbours whose requests are lost send them again only after a second.
pub(crate) fn closed(tables: &[Table]) -> Vec<Table> {
    let rule = NftRule(vec![S::HasPorts, S::Drop]);
    let chain = base("closed", HookKind::Filter, HookPoint::Prerouting, RAW, vec![rule]);
    let close = |table: &Table| {
        let mut table = table.clone();
        table.chains.push(chain.clone());
        table
    };
    tables.iter().map(close).collect()
}

fn prefix(subnet: Subnet) -> Prefix {
    Prefix::new(subnet.network(), subnet.prefix_len())
}

fn transport(protocol: Protocol) -> L4Proto {
    match protocol {
        Protocol::Tcp => L4Proto::Tcp,
        Protocol::Udp => L4Proto::Udp,
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
