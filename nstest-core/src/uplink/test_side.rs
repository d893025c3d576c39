//! The test's end of an uplink, configured by the test's process before its network is built.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{
    DESCRIPTION, DEVICE, GATEWAY, GATEWAY6, GUEST, GUEST6, INDEX, LENGTH, LENGTH6, METRIC,
};
use crate::addr::Prefix;
use crate::error::{Error, ErrorCode, Result};
use crate::netlink::route::{self, RouteTarget};
use crate::netlink::{Mode, NetlinkFamily, Socket, addr, link};
use crate::sysctl;
use crate::topology::spec::Outside;

/// Configures the test's end of the uplink, unless the parent process has done so. Returns
/// the networks that the test reaches through it.
pub(crate) fn configure() -> Result<Vec<Outside>> {
    let text = description()?;
    let mut first = text.lines().next().unwrap_or_default().split(' ');
    if first.next() == Some("relayed") {
        let versions: Vec<&str> = first.collect();
        configure_interface(versions.contains(&"inet"), versions.contains(&"inet6"))?;
    }
    networks()
}

/// The networks that the test reaches through its uplink.
pub(crate) fn networks() -> Result<Vec<Outside>> {
    description()?.lines().skip(1).map(parse).collect()
}

fn description() -> Result<String> {
    fs::read_to_string(DESCRIPTION).map_err(|error| {
        Error::new(ErrorCode::Inline, "connect the test to its uplink").source(error).help(
            "unset NSTEST_INLINE: inline mode has no parent process, which would make the uplink",
        )
    })
}

fn parse(line: &str) -> Result<Outside> {
    let (subnet, device) = line.split_once(' ').unwrap_or((line, ""));
    Ok(Outside { subnet: subnet.parse()?, device: device.to_owned() })
}

fn configure_interface(v4: bool, v6: bool) -> Result<()> {
    // No other host is on this link, so duplicate address detection would only cost a second.
    // If the setting cannot be written, the flag IFA_F_NODAD of the addresses does the same.
    let _ = sysctl::write_all([(&*format!("ipv6/conf/{DEVICE}/accept_dad"), "0")]);
    let mut socket = Socket::open(NetlinkFamily::Route, "the test")?;
    socket.request(&link::set(INDEX).up().request())?;
    let mut requests = Vec::new();
    let mut family = |guest: IpAddr, length, any: IpAddr, gateway: IpAddr| {
        requests.push(addr::add(INDEX, Prefix::new(guest, length), Mode::Create));
        let target = RouteTarget::Via { gateway: Some(gateway), device: Some(INDEX) };
        let mut default = route::Route::to(Prefix::new(any, 0), target);
        default.metric = Some(METRIC);
        requests.push(route::add(&default, Mode::Create));
    };
    if v4 {
        family(GUEST.into(), LENGTH, Ipv4Addr::UNSPECIFIED.into(), GATEWAY.into());
    }
    if v6 {
        family(GUEST6.into(), LENGTH6, Ipv6Addr::UNSPECIFIED.into(), GATEWAY6.into());
    }
    socket.batch(&requests)?;
    link::flush_carrier(&mut socket, INDEX)
}
