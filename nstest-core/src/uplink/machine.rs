//! The network of the machine, as the parent finds it.

use std::fs;
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

/// What the machine's ends of tests' uplinks are called, before a number.
pub(super) const OURS: &str = "nstest";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Machine {
    /// Whether this process may configure the network that it is in.
    pub(super) may_configure: bool,
    /// Whether it has the machine's uid 0.
    pub(super) root: bool,
    /// Whether a tap interface can be made.
    pub(super) tun: Result<(), Errno>,
    pub(super) pasta: Option<PathBuf>,
    pub(super) slirp4netns: Option<PathBuf>,
    /// Whether there is a default route of IPv4, and of IPv6.
    pub(super) v4: bool,
    pub(super) v6: bool,
    /// The interface that the default route of IPv4 leads to.
    pub(super) outbound: Option<String>,
    /// What it reaches without the default route.
    pub(super) networks: Vec<Network>,
    pub(super) resolvers: Vec<IpAddr>,
    /// Those behind a resolver on the loopback.
    pub(super) upstream: Vec<IpAddr>,
    /// The `search` line of resolv.conf(5).
    pub(super) search: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Network {
    pub(super) subnet: Subnet,
    pub(super) device: String,
}

impl Machine {
    pub(super) fn read() -> Result<Self> {
        let mut machine = Self {
            // And to enter the test's, to configure the other end.
            may_configure: capability::has(capability::NET_ADMIN | capability::SYS_ADMIN),
            root: geteuid().is_root(),
            tun: access("/dev/net/tun", AccessFlags::R_OK | AccessFlags::W_OK),
            pasta: program("pasta"),
            slirp4netns: program("slirp4netns"),
            v4: false,
            v6: false,
            outbound: None,
            networks: Vec::new(),
            resolvers: Vec::new(),
            upstream: Vec::new(),
            search: None,
        };
        machine.read_routes()?;
        machine.read_resolvers(
            &fs::read_to_string("/etc/resolv.conf").unwrap_or_default(),
            &fs::read_to_string("/run/systemd/resolve/resolv.conf").unwrap_or_default(),
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
            let network = Network { subnet, device };
            let link_local =
                matches!(subnet.network(), IpAddr::V6(ip) if ip.is_unicast_link_local());
            let others_uplink = network.device.starts_with(OURS);
            if !link_local && !others_uplink && !self.networks.contains(&network) {
                self.networks.push(network);
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

    /// The resolvers that a test can ask itself. One that listens on the
    /// machine's loopback (systemd-resolved(8) does) is not among them; those
    /// that it asks in turn are.
    pub(super) fn reachable_resolvers(&self) -> Vec<IpAddr> {
        let beyond = |all: &[IpAddr]| -> Vec<IpAddr> {
            all.iter().copied().filter(|ip| ip.is_ipv4() && !ip.is_loopback()).collect()
        };
        let own = beyond(&self.resolvers);
        if own.is_empty() { beyond(&self.upstream) } else { own }
    }
}

/// The addresses of resolv.conf(5); of one with a zone, there is none for a test.
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

/// As a shell finds it; Debian keeps some in directories that only root's PATH has.
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
    fn resolvers_behind_the_loopback_are_found() {
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
