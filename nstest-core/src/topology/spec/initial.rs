//! The network that the parameters of a test ask for.

use super::addresses::numbered;
use super::requests::{Join, NewLan};
use super::{DefaultVia, InterfaceRole, NodeId, Outside, SegmentKind, Spec};
use crate::addr::Subnet;
use crate::error::Result;
use crate::topology::names::{NodeName, PARAMETERS_LAN};

/// The parameters of a test, and those arguments of its attribute that are about the network.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parameters {
    /// The identifiers of the `Node` parameters, in their order.
    pub(crate) nodes: Vec<String>,
    /// `peers = N`: N more nodes, `peer1` to `peerN`.
    pub(crate) anonymous: u16,
    /// `subnet = "…"`, at most one of each family.
    pub(crate) subnets: Vec<Subnet>,
    pub(crate) without_ipv4: bool,
    /// `ipv6 = false`.
    pub(crate) without_ipv6: bool,
    pub(crate) mtu: Option<u32>,
    /// `offloads = false`.
    pub(crate) without_offloads: bool,
    /// `root = false`.
    pub(crate) without_root: bool,
    /// `netns = "NAME"`.
    pub(crate) netns: Option<String>,
    /// `uplink`: the networks that are reached through it.
    pub(crate) outside: Vec<Outside>,
}

impl Spec {
    /// One peer has a direct link to the test. Several share one LAN with the test. The test
    /// has the first address, and the peers have the next ones in their order.
    pub(crate) fn of_parameters(parameters: &Parameters) -> Result<Self> {
        let mut spec = Self::new()?;
        spec.ipv6 = !parameters.without_ipv6;
        spec.root = !parameters.without_root;
        spec.netns.clone_from(&parameters.netns);
        spec.outside.clone_from(&parameters.outside);
        if parameters.without_offloads {
            spec.offloads = false;
            spec.set_offloads(NodeId::TEST, false)?;
        }
        let mut peers = Vec::new();
        for (nth, ident) in parameters.nodes.iter().enumerate() {
            let name = NodeName::of_parameter(ident, nth + 1)?;
            peers.push(spec.insert_node(name, vec![], DefaultVia::Auto)?);
        }
        for nth in 1..=parameters.anonymous {
            let name = NodeName::new(&format!("peer{nth}"))?;
            peers.push(spec.insert_node(name, vec![], DefaultVia::Auto)?);
        }
        let (kind, name) = match peers.as_slice() {
            [] => return Ok(spec),
            [peer] => (SegmentKind::Link, format!("test-{}", spec.node(*peer)?.name)),
            _ => (SegmentKind::Lan, PARAMETERS_LAN.to_owned()),
        };
        let mut subnets = parameters.subnets.clone();
        if let Some((v4, v6)) = numbered(Self::PARAMETERS_SUBNET) {
            if !parameters.without_ipv4 && !subnets.iter().any(Subnet::is_ipv4) {
                subnets.push(v4);
            }
            if !parameters.without_ipv6 && subnets.iter().all(Subnet::is_ipv4) {
                subnets.push(v6);
            }
        }
        let segment = spec.add_segment(
            kind,
            &NewLan {
                name: &name,
                subnets,
                without_ipv4: parameters.without_ipv4,
                without_ipv6: parameters.without_ipv6,
                mtu: parameters.mtu,
                may_overlap: false,
            },
        )?;
        spec.plug(NodeId::TEST, &Join::of(segment), InterfaceRole::Host)?;
        for peer in peers {
            spec.plug(peer, &Join::of(segment), InterfaceRole::Host)?;
        }
        Ok(spec)
    }
}
