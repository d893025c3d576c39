//! The body's side of an uplink: joined before anything else of the test.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{DEVICE, FILE, GATEWAY, GATEWAY6, GUEST, GUEST6, INDEX, LENGTH, LENGTH6, METRIC};
use crate::addr::Prefix;
use crate::error::{Error, ErrorCode, Result};
use crate::netlink::route::{self, RouteTarget};
use crate::netlink::{Mode, NetlinkFamily, Socket, addr, link};
use crate::sysctl;
use crate::topology::spec::Outside;

/// Brings up the test's end of its uplink, where the parent could not, and
/// returns the networks that it leads to.
pub(crate) fn join() -> Result<Vec<Outside>> {
    let text = fs::read_to_string(FILE).map_err(|error| {
        Error::new(ErrorCode::Inline, "join the test's uplink")
            .source(error)
            .help("an uplink is made by the process that starts the test's, which inline mode does without: leave NSTEST_INLINE unset")
    })?;
    let mut lines = text.lines();
    let mut way = lines.next().unwrap_or_default().split(' ');
    if way.next() == Some("relayed") {
        let families: Vec<&str> = way.collect();
        furnish(families.contains(&"inet"), families.contains(&"inet6"))?;
    }
    lines.map(parse).collect()
}

fn parse(line: &str) -> Result<Outside> {
    let (subnet, device) = line.split_once(' ').unwrap_or((line, ""));
    Ok(Outside { subnet: subnet.parse()?, device: device.to_owned() })
}

fn furnish(v4: bool, v6: bool) -> Result<()> {
    // Nobody else is on this link: no second is spent on asking for duplicates.
    // Where it cannot be said, the addresses below say it for themselves.
    let _ = sysctl::write_all([(&*format!("ipv6/conf/{DEVICE}/accept_dad"), "0")]);
    let mut socket = Socket::open(NetlinkFamily::Route, "the test")?;
    socket.request(&link::set(INDEX).up().request())?;
    let mut requests = Vec::new();
    let mut family = |guest: IpAddr, length, any: IpAddr, gateway: IpAddr| {
        requests.push(addr::add(INDEX, Prefix::new(guest, length)));
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
    link::get(&mut socket, INDEX).map(drop) // and with it the carrier is there
}
