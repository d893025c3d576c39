//! Which subnets a LAN gets, and which addresses a node gets on it.
//!
//! Hosts count up from 1 in the order in which they join. Routers count down from 254, or
//! from the last address of a smaller subnet. Numbers in use are skipped. IPv4 and IPv6 use
//! the same number if it is free in both.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::requests::NewLan;
use super::{InterfaceAddrs, InterfaceRole, NodeId, SegmentId, SegmentSpec, Spec};
use crate::addr::{Family, Subnet};
use crate::error::{Error, Result};
use crate::topology::errors;

/// The number that the first router of a LAN has.
const GATEWAY: u32 = 254;

/// The addresses that a test gave, at most one for each IP version.
#[derive(Debug, Default)]
pub(super) struct RequestedAddrs {
    v4: Option<Ipv4Addr>,
    v6: Option<Ipv6Addr>,
}

impl RequestedAddrs {
    pub(super) fn new(node: &str, addrs: &[IpAddr]) -> Result<Self> {
        let mut wanted = Self::default();
        for addr in addrs {
            let second = match *addr {
                IpAddr::V4(addr) => wanted.v4.replace(addr).map(IpAddr::V4),
                IpAddr::V6(addr) => wanted.v6.replace(addr).map(IpAddr::V6),
            };
            if let Some(first) = second {
                return Err(errors::two_addresses(node, first, *addr));
            }
        }
        Ok(wanted)
    }

    /// Adds these addresses where none was given.
    pub(super) fn or(&mut self, v4: Option<Ipv4Addr>, v6: Option<Ipv6Addr>) {
        self.v4 = self.v4.or(v4);
        self.v6 = self.v6.or(v6);
    }

    fn ips(&self) -> impl Iterator<Item = IpAddr> {
        all((self.v4, self.v6))
    }
}

impl Spec {
    /// The first subnet that is assigned. 10.0.2.0/24 is that of the test's parameters; home
    /// networks often have 0 and 1.
    pub(super) const FIRST_SUBNET: u32 = 3;

    /// The subnets of the test's parameters, unless it gives others.
    pub(super) const PARAMETERS_SUBNET: u32 = 2;

    pub(super) fn choose_subnets(
        &mut self,
        new: &NewLan<'_>,
    ) -> Result<(Option<Subnet>, Option<Subnet>)> {
        let mut asked = [None, None];
        for subnet in &new.subnets {
            if let Some(use_) = subnet.special_use() {
                return Err(errors::special_subnet(new.name, *subnet, use_));
            }
            let slot = &mut asked[usize::from(!subnet.is_ipv4())];
            if let Some(first) = slot.replace(*subnet) {
                return Err(errors::two_subnets(new.name, first, *subnet));
            }
            if subnet.capacity() == 0 {
                return Err(errors::empty_subnet(new.name, *subnet));
            }
        }
        let without = [new.without_ipv4, new.without_ipv6];
        let usable = [true, self.ipv6];
        for (subnet, (without, usable)) in asked.iter().zip(without.into_iter().zip(usable)) {
            if let Some(subnet) = subnet {
                if without || !usable {
                    return Err(errors::subnet_of_no_use(new.name, *subnet, !usable));
                }
                self.check_overlap(new, *subnet)?;
            }
        }
        let missing = [0, 1].map(|i: usize| asked[i].is_none() && !without[i] && usable[i]);
        if missing != [false, false] {
            let (v4, v6) = self.hand_out()?;
            asked[0] = asked[0].or(missing[0].then_some(v4));
            asked[1] = asked[1].or(missing[1].then_some(v6));
        }
        match asked {
            [None, None] => Err(errors::no_family(new.name)),
            [v4, v6] => Ok((v4, v6)),
        }
    }

    fn check_overlap(&self, new: &NewLan<'_>, subnet: Subnet) -> Result<()> {
        for segment in self.segments.values() {
            for other in segment.subnets() {
                if other.overlaps(&subnet) && !new.may_overlap && !segment.may_overlap {
                    return Err(errors::overlap(new.name, subnet, &segment.to_string(), other));
                }
            }
        }
        match self.outside.iter().find(|outside| outside.subnet.overlaps(&subnet)) {
            Some(outside) => {
                Err(errors::overlap_outside(new.name, subnet, outside.subnet, &outside.device))
            }
            None => Ok(()),
        }
    }

    /// The next free pair of subnets. None is assigned twice.
    pub(super) fn hand_out(&mut self) -> Result<(Subnet, Subnet)> {
        loop {
            let number = self.next_subnet;
            let Some((v4, v6)) = numbered(number) else {
                return Err(errors::too_many("subnets", self.segments.len()));
            };
            self.next_subnet += 1;
            let taken = |subnet: &Subnet| {
                self.segments.values().flat_map(|s| s.subnets()).any(|s| s.overlaps(subnet))
                    || self.external_prefixes().any(|s| s.overlaps(subnet))
                    || self.outside.iter().any(|outside| outside.subnet.overlaps(subnet))
            };
            if !taken(&v4) && !taken(&v6) {
                return Ok((v4, v6));
            }
        }
    }

    /// The addresses of a node on a segment. They are noted, so that the node gets them again
    /// when it leaves and joins.
    pub(super) fn lease(
        &mut self,
        id: NodeId,
        segment: SegmentId,
        wanted: RequestedAddrs,
        side: InterfaceRole,
    ) -> Result<InterfaceAddrs> {
        let pair = self.choose_addrs(id, segment, wanted, side)?;
        if let Some(segment) = self.segments.get_mut(&segment).map(Arc::make_mut) {
            for addr in all(segment.leased(id)) {
                segment.leases.remove(&addr);
            }
            for addr in all(pair) {
                segment.leases.insert(addr, id);
            }
            segment.known.insert(id, pair);
            let handed_out = |segment: &SegmentSpec| {
                let next = segment.next_host;
                segment
                    .subnets()
                    .filter_map(|s| s.host(next))
                    .any(|a| segment.leases.contains_key(&a))
            };
            while handed_out(segment) {
                segment.next_host += 1;
            }
        }
        Ok(pair)
    }

    fn choose_addrs(
        &self,
        id: NodeId,
        at: SegmentId,
        wanted: RequestedAddrs,
        side: InterfaceRole,
    ) -> Result<InterfaceAddrs> {
        let segment = self.segment(at)?;
        let title = self.node(id)?.title();
        for addr in wanted.ips() {
            self.check_wanted(&title, id, at, addr)?;
        }
        let held = |addr: IpAddr| segment.leases.get(&addr).is_some_and(|node| *node != id);
        let taken = |addr: IpAddr| {
            let holder = segment.leases.get(&addr).filter(|node| **node != id);
            let interface = holder.and_then(|node| self.nodes.get(node)?.on(at));
            interface.is_some_and(|(_, interface)| interface.ips().any(|a| a == addr))
        };
        let mut pair = (wanted.v4, wanted.v6);
        let needed: Vec<Subnet> = segment
            .subnets()
            .filter(|subnet| if subnet.is_ipv4() { pair.0.is_none() } else { pair.1.is_none() })
            .collect();
        // The address that it had here, or the one with the number of the given address.
        let mut missing = Vec::new();
        let beside = wanted.ips().find_map(|addr| segment.subnet(Family::of(addr))?.number(addr));
        for subnet in needed {
            let again = all(segment.leased(id)).find(|addr| subnet.contains(*addr));
            let beside = beside.and_then(|number| subnet.host(number));
            match again.filter(|_| beside.is_none()).or(beside).filter(|addr| !taken(*addr)) {
                Some(addr) => set(&mut pair, addr),
                None => missing.push(subnet),
            }
        }
        if missing.is_empty() {
            return Ok(pair);
        }
        let free = |number: u32, used: &dyn Fn(IpAddr) -> bool| {
            missing.iter().all(|subnet| subnet.host(number).is_some_and(|addr| !used(addr)))
        };
        let last = missing.iter().map(Subnet::capacity).min().unwrap_or(0);
        let number = match side {
            InterfaceRole::Lan => (1..=last.min(GATEWAY)).rev().find(|n| free(*n, &held)),
            InterfaceRole::Host | InterfaceRole::Wan => None,
        };
        let number = number
            .or_else(|| (segment.next_host..=last).find(|n| free(*n, &held)))
            // No unused number is left: take one of a node that has left.
            .or_else(|| (1..=last).find(|n| free(*n, &taken)));
        let Some(number) = number else {
            let smallest = missing.iter().min_by_key(|s| s.capacity()).copied();
            return Err(errors::subnet_full(&segment.to_string(), smallest, &title));
        };
        for addr in missing.iter().filter_map(|subnet| subnet.host(number)) {
            set(&mut pair, addr);
        }
        Ok(pair)
    }

    fn check_wanted(
        &self,
        title: &str,
        id: NodeId,
        at: SegmentId,
        addr: IpAddr,
    ) -> Result<(), Error> {
        let segment = self.segment(at)?;
        let Some(subnet) = segment.subnet(Family::of(addr)) else {
            return Err(errors::family_missing(title, addr, &segment.to_string()));
        };
        if let Err(why) = subnet.check_host(addr) {
            return Err(errors::address_unusable(title, addr, &segment.to_string(), subnet, why));
        }
        for (other, node) in self.nodes.iter().filter(|(other, _)| **other != id) {
            let has_it = node.on(at).is_some_and(|(_, i)| i.ips().any(|a| a == addr));
            if has_it {
                let other = self.node(*other)?.title();
                return Err(errors::address_taken(title, addr, &segment.to_string(), &other));
            }
        }
        Ok(())
    }
}

impl SegmentSpec {
    /// The addresses that a node has or had here, and that no other got since.
    fn leased(&self, id: NodeId) -> InterfaceAddrs {
        let (v4, v6) = self.known.get(&id).copied().unwrap_or_default();
        let still = |addr: IpAddr| self.leases.get(&addr) == Some(&id);
        (v4.filter(|addr| still((*addr).into())), v6.filter(|addr| still((*addr).into())))
    }
}

/// The addresses of a pair.
fn all((v4, v6): InterfaceAddrs) -> impl Iterator<Item = IpAddr> {
    v4.map(IpAddr::V4).into_iter().chain(v6.map(IpAddr::V6))
}

fn set(pair: &mut InterfaceAddrs, addr: IpAddr) {
    match addr {
        IpAddr::V4(addr) => pair.0 = Some(addr),
        IpAddr::V6(addr) => pair.1 = Some(addr),
    }
}

/// `10.0.n.0/24` and `fd00:n::/64`, the digits of `n` in both; past 255,
/// `10.h.l.0/24` and `fd00:h:l::/64`.
pub(super) fn numbered(number: u32) -> Option<(Subnet, Subnet)> {
    let [0, 0, high, low] = number.to_be_bytes() else {
        return None;
    };
    let spelled = |n: u8| u16::from_str_radix(&n.to_string(), 16).unwrap_or(0);
    let groups = if high == 0 { [spelled(low), 0] } else { [spelled(high), spelled(low)] };
    let v6 = Ipv6Addr::new(0xfd00, groups[0], groups[1], 0, 0, 0, 0, 0);
    let v4 = Ipv4Addr::new(10, high, low, 0);
    Some((Subnet::of(v4.into(), 24), Subnet::of(v6.into(), 64)))
}
