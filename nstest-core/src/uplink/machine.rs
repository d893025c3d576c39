//! The network of the machine: its routes and resolvers, and what this process may do with it.

use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{AccessFlags, access, geteuid};

use crate::addr::Subnet;
use crate::capability;
use crate::error::Result;
use crate::netlink::route::{self, RouteTarget};
use crate::netlink::{NetlinkFamily, Socket, link};
use crate::sys::regular_file;

/// The first part of the names of the machine's uplink interfaces. A number follows.
pub(super) const INTERFACE_PREFIX: &str = "nstest";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Machine {
    /// Whether this process may configure the machine's network, and enter the test's.
    pub(super) may_configure: bool,
    /// Whether its user is root.
    pub(super) root: bool,
    /// Whether /dev/net/tun can be opened, to make a tap interface.
    pub(super) tun: Result<(), Errno>,
    pub(super) pasta: Option<PathBuf>,
    pub(super) slirp4netns: Option<PathBuf>,
    /// Whether there is a default route for IPv4.
    pub(super) v4: bool,
    /// Whether there is a default route for IPv6.
    pub(super) v6: bool,
    /// The interface of the default route for IPv4.
    pub(super) outbound: Option<String>,
    /// The subnets that have a route of their own.
    pub(super) subnets: Vec<MachineSubnet>,
    /// The name servers of /etc/resolv.conf.
    pub(super) resolvers: Vec<IpAddr>,
    /// The name servers that systemd-resolved(8) uses.
    pub(super) upstream: Vec<IpAddr>,
    /// The `search` line of resolv.conf(5).
    pub(super) search: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MachineSubnet {
    pub(super) subnet: Subnet,
    pub(super) device: String,
}

impl Machine {
    pub(super) fn read() -> Result<Self> {
        let mut machine = Self {
            may_configure: capability::has(capability::NET_ADMIN | capability::SYS_ADMIN),
            root: geteuid().is_root(),
            tun: access("/dev/net/tun", AccessFlags::R_OK | AccessFlags::W_OK),
            pasta: program("pasta"),
            slirp4netns: program("slirp4netns"),
            v4: false,
            v6: false,
            outbound: None,
            subnets: Vec::new(),
            resolvers: Vec::new(),
            upstream: Vec::new(),
            search: None,
        };
        machine.read_routes()?;
        machine.read_resolvers(
            &regular_file::read("/etc/resolv.conf"),
            &regular_file::read("/run/systemd/resolve/resolv.conf"),
        );
        Ok(machine)
    }

    fn read_routes(&mut self) -> Result<()> {
        let mut socket = Socket::open(NetlinkFamily::Route, "the machine")?;
        let links = link::list(&mut socket)?;
        let name = |index: u32| links.iter().find(|l| l.index == index).map(|l| l.name.clone());
        for route in route::list(&mut socket)? {
            let RouteTarget::Via { device: Some(device), .. } = route.target else { continue };
            let Some(device) = name(device) else { continue };
            if route.destination.length == 0 {
                match route.destination.ip {
                    IpAddr::V4(_) => {
                        self.v4 = true;
                        self.outbound.get_or_insert(device);
                    }
                    IpAddr::V6(_) => self.v6 = true,
                }
                continue;
            }
            let subnet = Subnet::of(route.destination.ip, route.destination.length);
            let link_local =
                matches!(subnet.network(), IpAddr::V6(ip) if ip.is_unicast_link_local());
            let of_an_uplink = device.starts_with(INTERFACE_PREFIX);
            let found = MachineSubnet { subnet, device };
            if !link_local && !of_an_uplink && !self.subnets.contains(&found) {
                self.subnets.push(found);
            }
        }
        Ok(())
    }

    fn read_resolvers(&mut self, resolv_conf: &str, upstream: &str) {
        self.resolvers = nameservers(resolv_conf);
        self.upstream = nameservers(upstream);
        self.search =
            resolv_conf.lines().rfind(|line| line.starts_with("search ")).map(str::to_owned);
    }

    /// The resolvers that a test can reach through a routed uplink. A resolver on the machine's
    /// loopback, as systemd-resolved(8), is replaced by the name servers that it uses.
    pub(super) fn reachable_resolvers(&self) -> Vec<IpAddr> {
        let remote = |all: &[IpAddr]| -> Vec<IpAddr> {
            all.iter().copied().filter(|ip| ip.is_ipv4() && !ip.is_loopback()).collect()
        };
        let own = remote(&self.resolvers);
        if own.is_empty() { remote(&self.upstream) } else { own }
    }
}

/// The name servers of a resolv.conf(5). Addresses with a zone are left out, because a test
/// does not have the interface that the zone names.
fn nameservers(text: &str) -> Vec<IpAddr> {
    let mut servers: Vec<IpAddr> = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if let (Some("nameserver"), Some(Ok(ip))) = (words.next(), words.next().map(str::parse)) {
            servers.push(ip);
        }
    }
    servers
}

/// Finds a program in PATH. Debian installs some in directories that are only in root's PATH.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/bin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|path| executable(path))
}

fn executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolver_on_the_loopback_is_replaced_by_its_name_servers() {
        let mut machine = Machine::read().unwrap();
        machine.read_resolvers(
            "# stub\nnameserver 127.0.0.53\nsearch example.org\nnameserver fe80::1%eth0\n",
            "nameserver 192.0.2.53\nnameserver 2001:db8::53\n",
        );
        assert_eq!(machine.reachable_resolvers(), ["192.0.2.53".parse::<IpAddr>().unwrap()]);
        assert_eq!(machine.search.as_deref(), Some("search example.org"));
        machine.read_resolvers("nameserver 198.51.100.1\nnameserver 127.0.0.1\n", "");
        assert_eq!(machine.reachable_resolvers(), ["198.51.100.1".parse::<IpAddr>().unwrap()]);
    }
}
