//! Mappings of a NAT, in nftables maps that the rules themselves fill.
//!
//! Connection tracking alone is a NAT with address-and-port-dependent filtering. Its mapping is
//! endpoint-independent with one exception: two nodes that use the same source port towards
//! different destinations get the *same* external port, because nf_nat_core.c requires only
//! that the five-tuple is unused. RFC 4787 forbids that ("port overloading", REQ-3). So this
//! behaviour and the others use maps:
//!
//! - `mapping`: internal endpoint (and destination address, if the mapping depends on it) to
//!   external endpoint; the `snat` of a new flow looks it up;
//! - `external`: external port to internal endpoint; the `dnat` of a packet from outside looks
//!   it up;
//! - `taken`: the external ports in use, looked up before a node's own port is preserved. It
//!   has the keys of `external`, but older kernels do not look up the keys of a map alone
//!   (nft_lookup_init(), net/netfilter/nft_lookup.c);
//! - `permitted`: the remote addresses that an external port admits, if filtering is by
//!   address.
//!
//! The kernel chooses the port. A chain behind `snat` (priority 100) sees the packet as it
//! leaves, and enters the choice into the maps. Each further packet from inside refreshes it
//! (RFC 4787 REQ-6).

use std::collections::BTreeSet;

use super::{
    CtMatch, DataType, Field, FieldValue, L4Proto, NftRule, NftSet, S, Translation, prefix,
};
use crate::addr::Family;
use crate::topology::nat::{Nat, NatFiltering, NatMapping};
use crate::topology::spec::Rebound;

/// Where a packet is seen: with its own source, or with the external one.
#[derive(Clone, Copy)]
enum NatStage {
    Before,
    After,
}

impl Translation {
    pub(super) fn sets(&self, nat: &Nat) -> Vec<NftSet> {
        let addr = DataType::Addr(self.family);
        let endpoint = vec![addr, DataType::Port];
        let set = |name, key, data| NftSet { name, key, data, timeout: nat.udp_timeout };
        let mut sets =
            vec![set("external", vec![DataType::Proto, DataType::Port], Some(endpoint.clone()))];
        match nat.mapping {
            NatMapping::EndpointIndependent => {
                sets.push(set(
                    "mapping",
                    vec![DataType::Proto, addr, DataType::Port],
                    Some(endpoint),
                ));
            }
            NatMapping::AddressDependent => {
                sets.push(set(
                    "mapping",
                    vec![DataType::Proto, addr, DataType::Port, addr],
                    Some(endpoint),
                ));
            }
            NatMapping::AddressAndPortDependent => {}
        }
        if nat.preserves_ports {
            sets.push(set("taken", vec![DataType::Proto, DataType::Port], None));
        }
        if nat.filtering == NatFiltering::AddressDependent {
            sets.push(set("permitted", vec![DataType::Proto, DataType::Port, addr], None));
        }
        sets
    }

    /// Postrouting: which packets get an external endpoint.
    pub(super) fn outbound(&self, nat: &Nat) -> Vec<NftRule> {
        // The router's own packets have an external endpoint already.
        let own = S::Equals(self.saddr(), FieldValue::Addr(self.wan_addr));
        let mut rules = vec![
            NftRule(vec![self.out_wan(), own, S::Accept]),
            NftRule(vec![self.out_wan(), S::Jump("translate")]),
        ];
        if nat.hairpins {
            // Hairpinned by the rules above: it came for the WAN's address, and goes to a LAN.
            rules.extend(self.lans.iter().map(|lan| {
                NftRule(vec![
                    S::In(self.saddr(), prefix(*lan)),
                    S::Ct(CtMatch::DestTranslated),
                    S::Equals(
                        Field::OriginalDestAddr(self.family),
                        FieldValue::Addr(self.wan_addr),
                    ),
                    S::Jump("translate"),
                ])
            }));
        }
        rules
    }

    pub(super) fn translate(&self, nat: &Nat) -> Vec<NftRule> {
        let snat = |ports, random| S::SnatTo { addr: self.wan_addr, ports, random };
        let all = (nat.first_port, nat.last_port);
        let mut rules = Vec::new();
        if let Some(key) = self.mapping_key(nat, NatStage::Before) {
            rules.push(NftRule(vec![
                S::HasPorts,
                S::SnatMap { family: self.family, key, map: "mapping" },
            ]));
        }
        rules.extend(self.rebound.iter().filter_map(|rebound| {
            let ports = widest_gap(all, &rebound.ports)?;
            let Rebound { protocol, internal, .. } = rebound;
            (Family::of(internal.ip()) == self.family).then(|| {
                NftRule(vec![
                    S::Is(*protocol),
                    S::Equals(self.saddr(), FieldValue::Addr(internal.ip())),
                    S::Equals(Field::SourcePort, FieldValue::Port(internal.port())),
                    snat(Some(ports), true),
                ])
            })
        }));
        if nat.preserves_ports {
            // Its own port, unless that is in use as an external port.
            rules.push(NftRule(vec![
                S::HasPorts,
                S::PortBetween(Field::SourcePort, all.0, all.1),
                S::Lookup {
                    key: vec![Field::Proto, Field::SourcePort],
                    set: "taken",
                    found: false,
                },
                snat(Some(all), false),
            ]));
            // The kernel keeps a port that is in the range. So the range is the half that does
            // not contain the port.
            let middle = all.0 + (all.1 - all.0) / 2;
            rules.push(NftRule(vec![
                S::HasPorts,
                S::PortBetween(Field::SourcePort, all.0, middle),
                snat(Some((middle + 1, all.1)), true),
            ]));
            rules.push(NftRule(vec![
                S::HasPorts,
                S::PortBetween(Field::SourcePort, middle + 1, all.1),
                snat(Some((all.0, middle)), true),
            ]));
        }
        rules.push(NftRule(vec![S::HasPorts, snat(Some(all), true)]));
        // ICMP: the kernel maps identifiers and follows errors by itself.
        rules.push(NftRule(vec![snat(None, false)]));
        rules
    }

    /// After `snat`: what was chosen.
    pub(super) fn learn(&self, nat: &Nat) -> Vec<NftRule> {
        let original = vec![Field::OriginalSourceAddr(self.family), Field::OriginalSourcePort];
        let mut rules = Vec::new();
        let mut note = |set, key: Vec<Field>, data: Vec<Field>| {
            for (transport, timeout) in
                [(L4Proto::Udp, nat.udp_timeout), (L4Proto::Tcp, nat.tcp_timeout)]
            {
                rules.push(NftRule(vec![
                    S::Is(transport),
                    S::Ct(CtMatch::Original),
                    S::Ct(CtMatch::SourceTranslated),
                    S::Update { set, key: key.clone(), timeout, data: data.clone() },
                ]));
            }
        };
        let port = vec![Field::Proto, Field::SourcePort];
        note("external", port.clone(), original);
        if nat.preserves_ports {
            note("taken", port.clone(), vec![]);
        }
        if let Some(key) = self.mapping_key(nat, NatStage::After) {
            note("mapping", key, vec![self.saddr(), Field::SourcePort]);
        }
        if nat.filtering == NatFiltering::AddressDependent {
            let key = [port, vec![Field::DestAddr(self.family)]].concat();
            note("permitted", key, vec![]);
        }
        rules
    }

    fn mapping_key(&self, nat: &Nat, side: NatStage) -> Option<Vec<Field>> {
        let mut key = match side {
            NatStage::Before => vec![Field::Proto, self.saddr(), Field::SourcePort],
            NatStage::After => vec![
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
}

/// The longest range of ports between these, if there is one.
fn widest_gap((first, last): (u16, u16), without: &BTreeSet<u16>) -> Option<(u16, u16)> {
    let (mut gaps, mut next) = (Vec::new(), u32::from(first));
    for port in without.range(first..=last).map(|port| u32::from(*port)) {
        gaps.push((next, port));
        next = port + 1;
    }
    gaps.push((next, u32::from(last) + 1));
    let (from, to) = gaps.into_iter().max_by_key(|(from, to)| to - from)?;
    (from < to).then_some((from as u16, (to - 1) as u16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_gap_is_between_the_ports() {
        let gap = |first, last, ports: &[u16]| {
            widest_gap((first, last), &ports.iter().copied().collect())
        };
        assert_eq!(gap(1024, 65535, &[]), Some((1024, 65535)));
        assert_eq!(gap(1024, 65535, &[65535]), Some((1024, 65534)));
        assert_eq!(gap(1024, 65535, &[1024, 5000]), Some((5001, 65535)));
        assert_eq!(gap(10, 11, &[10]), Some((11, 11)));
        assert_eq!(gap(10, 11, &[11, 9, 80]), Some((10, 10)));
        assert_eq!(gap(10, 11, &[10, 11]), None);
    }
}
