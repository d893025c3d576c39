//! From a router's NAT and firewall to an nftables ruleset.
//!
//! Connection tracking alone is a NAT with address-and-port-dependent filtering
//! whose mapping is almost, but not quite, endpoint-independent: two nodes that
//! use one source port towards different destinations are given the *same*
//! external port (nf_nat_core.c only asks that the five-tuple be unused), which
//! RFC 4787 forbids ("port overloading", REQ-3). So the other behaviours, and
//! that one done right, are kept in maps which the rules themselves fill:
//!
//! - `mapping`: internal endpoint (and destination address, where the mapping
//!   depends on it) → external endpoint, asked by the `snat` of a new flow;
//! - `external`: external port → internal endpoint, asked by the `dnat` of a
//!   packet from outside;
//! - `permitted`: who may come in by an external port, where that is by address.
//!
//! The kernel chooses the port; a chain behind `snat` (priority 100) sees the
//! packet as it leaves and notes what was chosen, and each further packet from
//! inside refreshes it (RFC 4787 REQ-6).
//!
//! Trap: a packet from outside that nobody asked for must be dropped before it
//! is confirmed as a conversation with the router itself. Otherwise its entry
//! takes the tuple that a node's answer to the same peer needs, and the kernel
//! moves that answer to another port: hole punching then fails at random.

use std::net::IpAddr;

use super::nat::{Firewall, Nat, NatFiltering, NatMapping, Protocol};
use super::ruleset::{
    Chain, CtMatch, Field, Hook, HookKind, HookPoint, Rule, Set, Statement as S, Table, Type, Value,
};
use super::subnet::{Family, Subnet};

/// The name of each table of ours.
const TABLE: &str = "nstest";

// Of include/uapi/linux/netfilter_ipv4.h: NF_IP_PRI_NAT_DST, _FILTER, _NAT_SRC.
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
    pub(crate) kind: Kind,
    pub(crate) firewall: Firewall,
    pub(crate) forwards: Vec<Forward>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Routed,
    Nat(Nat),
    Prefix { internal: Subnet, external: Subnet },
}

/// A port forwarding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Forward {
    pub(crate) protocol: Protocol,
    pub(crate) port: u16,
    pub(crate) to: IpAddr,
    pub(crate) to_port: u16,
}

impl Translation {
    /// The table for this family, where one is needed.
    pub(crate) fn table(&self) -> Option<Table> {
        let mut chains = Vec::new();
        let mut sets = Vec::new();
        let inbound = self.inbound();
        if !inbound.is_empty() {
            chains.push(base("prerouting", HookKind::Nat, HookPoint::Prerouting, DSTNAT, inbound));
        }
        match self.kind {
            Kind::Nat(nat) => {
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
            Kind::Prefix { internal, external } => {
                let rule =
                    vec![self.out_wan(), S::In(self.saddr(), internal), S::SnatPrefix(external)];
                chains.push(base(
                    "postrouting",
                    HookKind::Nat,
                    HookPoint::Postrouting,
                    SRCNAT,
                    vec![Rule(rule)],
                ));
            }
            Kind::Routed => {}
        }
        chains.extend(self.filters());
        (!chains.is_empty()).then_some(Table { family: self.family, name: TABLE, sets, chains })
    }

    fn sets(&self, nat: &Nat) -> Vec<Set> {
        let addr = Type::Addr(self.family);
        let endpoint = vec![addr, Type::Port];
        let set = |name, key, data| Set { name, key, data, timeout: nat.udp_timeout };
        let mut sets = vec![set("external", vec![Type::Proto, Type::Port], Some(endpoint.clone()))];
        match nat.mapping {
            NatMapping::EndpointIndependent => {
                sets.push(set("mapping", vec![Type::Proto, addr, Type::Port], Some(endpoint)));
            }
            NatMapping::AddressDependent => {
                sets.push(set(
                    "mapping",
                    vec![Type::Proto, addr, Type::Port, addr],
                    Some(endpoint),
                ));
            }
            NatMapping::AddressAndPortDependent => {}
        }
        if nat.filtering == NatFiltering::AddressDependent {
            sets.push(set("permitted", vec![Type::Proto, Type::Port, addr], None));
        }
        sets
    }

    /// Prerouting: what comes in by a forwarded port, a mapping or the other prefix.
    fn inbound(&self) -> Vec<Rule> {
        let to_wan = || S::Equals(Field::DestAddr(self.family), Value::Addr(self.wan_addr));
        let mut rules = Vec::new();
        for forward in &self.forwards {
            let hairpins = matches!(self.kind, Kind::Nat(nat) if nat.hairpins);
            let mut rule = if hairpins { vec![] } else { vec![self.in_wan()] };
            rule.extend([
                to_wan(),
                S::Is(forward.protocol),
                S::Equals(Field::DestPort, Value::Port(forward.port)),
                S::DnatTo { addr: forward.to, port: forward.to_port },
            ]);
            rules.push(Rule(rule));
        }
        match self.kind {
            Kind::Nat(nat) => {
                let key = vec![Field::Proto, Field::DestPort];
                let enter =
                    || S::DnatMap { family: self.family, key: key.clone(), map: "external" };
                match nat.filtering {
                    NatFiltering::EndpointIndependent => {
                        rules.push(Rule(vec![self.in_wan(), to_wan(), S::HasPorts, enter()]));
                    }
                    NatFiltering::AddressDependent => rules.push(Rule(vec![
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
                        rules.push(Rule(vec![
                            S::In(self.saddr(), *lan),
                            to_wan(),
                            S::HasPorts,
                            enter(),
                        ]));
                    }
                }
            }
            Kind::Prefix { internal, external } => rules.push(Rule(vec![
                self.in_wan(),
                S::In(Field::DestAddr(self.family), external),
                S::DnatPrefix(internal),
            ])),
            Kind::Routed => {}
        }
        rules
    }

    /// Postrouting: which packets get an external endpoint.
    fn outbound(&self, nat: &Nat) -> Vec<Rule> {
        // The router's own packets have an external endpoint already.
        let own = S::Equals(self.saddr(), Value::Addr(self.wan_addr));
        let mut rules = vec![
            Rule(vec![self.out_wan(), own, S::Accept]),
            Rule(vec![self.out_wan(), S::Jump("translate")]),
        ];
        if nat.hairpins {
            // Turned back by the rules above: came for the WAN's address, goes to a LAN.
            rules.extend(self.lans.iter().map(|lan| {
                Rule(vec![
                    S::In(self.saddr(), *lan),
                    S::Ct(CtMatch::DestTranslated),
                    S::Equals(Field::OriginalDestAddr(self.family), Value::Addr(self.wan_addr)),
                    S::Jump("translate"),
                ])
            }));
        }
        rules
    }

    fn translate(&self, nat: &Nat) -> Vec<Rule> {
        let snat = |ports, random| S::SnatTo { addr: self.wan_addr, ports, random };
        let all = (nat.first_port, nat.last_port);
        let mut rules = Vec::new();
        if let Some(key) = self.mapping_key(nat, Side::Before) {
            rules.push(Rule(vec![
                S::HasPorts,
                S::SnatMap { family: self.family, key, map: "mapping" },
            ]));
        }
        if nat.preserves_ports {
            // Its own port, unless that is someone's external port already.
            rules.push(Rule(vec![
                S::HasPorts,
                S::PortBetween(Field::SourcePort, all.0, all.1),
                S::Lookup {
                    key: vec![Field::Proto, Field::SourcePort],
                    set: "external",
                    found: false,
                },
                snat(Some(all), false),
            ]));
            // The kernel keeps a port that is in the range; so, of the two halves
            // of the range, the one that it is not in.
            let middle = all.0 + (all.1 - all.0) / 2;
            rules.push(Rule(vec![
                S::HasPorts,
                S::PortBetween(Field::SourcePort, all.0, middle),
                snat(Some((middle + 1, all.1)), true),
            ]));
            rules.push(Rule(vec![
                S::HasPorts,
                S::PortBetween(Field::SourcePort, middle + 1, all.1),
                snat(Some((all.0, middle)), true),
            ]));
        }
        rules.push(Rule(vec![S::HasPorts, snat(Some(all), true)]));
        // ICMP: the kernel maps identifiers and follows errors by itself.
        rules.push(Rule(vec![snat(None, false)]));
        rules
    }

    /// Behind `snat`: what was chosen.
    fn learn(&self, nat: &Nat) -> Vec<Rule> {
        let original = vec![Field::OriginalSourceAddr(self.family), Field::OriginalSourcePort];
        let mut rules = Vec::new();
        let mut note = |set, key: Vec<Field>, data: Vec<Field>| {
            for (protocol, timeout) in
                [(Protocol::Udp, nat.udp_timeout), (Protocol::Tcp, nat.tcp_timeout)]
            {
                rules.push(Rule(vec![
                    S::Is(protocol),
                    S::Ct(CtMatch::Original),
                    S::Ct(CtMatch::SourceTranslated),
                    S::Update { set, key: key.clone(), timeout, data: data.clone() },
                ]));
            }
        };
        let port = vec![Field::Proto, Field::SourcePort];
        note("external", port.clone(), original);
        if let Some(key) = self.mapping_key(nat, Side::Behind) {
            note("mapping", key, vec![self.saddr(), Field::SourcePort]);
        }
        if nat.filtering == NatFiltering::AddressDependent {
            let key = [port, vec![Field::DestAddr(self.family)]].concat();
            note("permitted", key, vec![]);
        }
        rules
    }

    fn mapping_key(&self, nat: &Nat, side: Side) -> Option<Vec<Field>> {
        let mut key = match side {
            Side::Before => vec![Field::Proto, self.saddr(), Field::SourcePort],
            Side::Behind => vec![
                Field::Proto,
                Field::OriginalSourceAddr(self.family),
                Field::OriginalSourcePort,
            ],
        };
        match nat.mapping {
            NatMapping::EndpointIndependent => {}
            NatMapping::AddressDependent => key.push(Field::DestAddr(self.family)),
            NatMapping::AddressAndPortDependent => return None,
        }
        Some(key)
    }

    fn filters(&self) -> Vec<Chain> {
        let natted = matches!(self.kind, Kind::Nat(_));
        let blocked = self.firewall == Firewall::BlockInbound;
        if !natted && !blocked {
            return Vec::new();
        }
        let known = Rule(vec![S::Ct(CtMatch::EstablishedOrRelated), S::Accept]);
        let stop = |rest: Vec<S>| {
            let mut rule = vec![self.in_wan(), S::Ct(CtMatch::New)];
            rule.extend(rest);
            rule.push(S::Drop);
            Rule(rule)
        };
        let mut forward = vec![known.clone()];
        if natted || !self.forwards.is_empty() {
            forward.push(Rule(vec![self.in_wan(), S::Ct(CtMatch::DestTranslated), S::Accept]));
        }
        forward.push(stop(vec![]));
        // A NAT's own ports are its nodes'; see the trap above. It still answers pings.
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

/// Where a packet is seen: with its own source, or with the external one.
#[derive(Clone, Copy)]
enum Side {
    Before,
    Behind,
}

fn base(
    name: &'static str,
    kind: HookKind,
    point: HookPoint,
    priority: i32,
    rules: Vec<Rule>,
) -> Chain {
    Chain { name, hook: Some(Hook { kind, point, priority }), rules }
}
