//! Uplinks: the connection of a test to the network of the machine that runs it.
//!
//! The parent process chooses one of two mechanisms:
//!
//! - `routed`, if it may configure the machine's network: a veth pair, and NAT by the kernel;
//! - `relayed`, for all other users: a program (pasta or slirp4netns) that reads packets from
//!   a tap interface in the test and opens ordinary sockets on the machine.
//!
//! Architecture invariant: no process has to clean up after an uplink. The kernel removes its
//! parts when the test or the parent process ends, also by SIGKILL. The program lives in the
//! test's PID namespace. The parent's descriptors hold the machine's end of the veth pair, and
//! the packet filter. docs/src/guide/uplink.md lists all parts.
//!
//! `machine` reads the network of the machine. `test_side` runs in the test's process.

mod machine;
mod relayed;
mod routed;
pub(crate) mod test_side;

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nix::errno::Errno;

use crate::error::{Error, ErrorCode, Result};
use crate::sys::call::c_string;
use crate::sys::step::Step;
use machine::{Machine, MachineSubnet};
use relayed::Relay;

/// The interface in the test's node.
const DEVICE: &str = "uplink";
/// Greater than the indexes that the topology gives to interfaces.
const INDEX: u32 = 1000;
/// The MTU of Ethernet, which most networks have.
const MTU: u32 = 1500;
/// Greater than the metrics of the test's other default routes, so that these are preferred.
const METRIC: u32 = 10_000;

// Both mechanisms use addresses of 198.18.0.0/15. RFC 2544 reserves them for tests of network
// equipment, so no real network should use them.
const GUEST: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 100);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 2);
const RESOLVER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 3);
const LENGTH: u8 = 24;
// Of a subnet that the topology never chooses for a LAN.
const GUEST6: Ipv6Addr = Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 0x100);
const GATEWAY6: Ipv6Addr = Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 2);
const RESOLVER6: Ipv6Addr = Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 3);
const LENGTH6: u8 = 64;

/// What helps if there is no program for uplinks.
pub(crate) const INSTALL: &str = "install pasta: apt install passt (Fedora, Arch, Alpine: passt); or slirp4netns: apt install slirp4netns";

/// A file in the test. Its first line is the mechanism and the IP versions; each further line
/// is a network that the test reaches through the uplink, and the interface that leads to it.
pub(crate) const DESCRIPTION: &str = "/run/nstest/uplink";

/// A plan for an uplink, made before the test's process exists.
#[derive(Debug)]
pub(crate) struct Uplink {
    machine: Machine,
    mechanism: UplinkKind,
    /// Whether the test's interface has segmentation and checksum offload. A tap interface has
    /// none.
    offloads: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum UplinkKind {
    Routed,
    Relayed(Relay),
}

/// The uplink of a running test. Dropping it removes the uplink.
#[derive(Debug)]
#[must_use = "dropping it removes the uplink"]
pub(crate) struct Connected {
    _gateway: Option<routed::Gateway>,
}

impl Uplink {
    /// Reads the network of the machine, and chooses a mechanism.
    ///
    /// # Errors
    /// [`ErrorCode::Uplink`] if the machine lacks something, [`ErrorCode::SubnetOverlap`] if it
    /// uses the addresses of the uplink.
    pub(crate) fn prepare(ipv6: bool, offloads: bool) -> Result<Self> {
        let mut machine = Machine::read()?;
        machine.v6 &= ipv6;
        if !machine.v4 && !machine.v6 {
            return Err(refused()
                .source("this machine has no default route")
                .help("connect the machine to a network, or remove the argument `uplink`"));
        }
        let mechanism = choose(&machine)?;
        Ok(Self { machine, mechanism, offloads })
    }

    /// Whether the kernel connects the test, and not a program.
    #[cfg(feature = "cli")]
    pub(crate) fn is_routed(&self) -> bool {
        self.mechanism == UplinkKind::Routed
    }

    /// The step by which the child process makes its interface. `None`: [`Self::connect`]
    /// makes it.
    pub(crate) fn interface(&self) -> Option<Step> {
        match self.mechanism {
            UplinkKind::Routed => None,
            UplinkKind::Relayed(_) => {
                Some(Step::Tap { name: c_string(DEVICE), index: INDEX as i32 })
            }
        }
    }

    /// The text of the test's /etc/resolv.conf.
    pub(crate) fn resolv_conf(&self) -> String {
        let servers = match self.mechanism {
            UplinkKind::Relayed(_) if self.machine.v4 => vec![RESOLVER.into()],
            UplinkKind::Relayed(_) => vec![RESOLVER6.into()],
            UplinkKind::Routed => self.machine.reachable_resolvers(),
        };
        let mut text = String::from("# nstest: through the uplink\n");
        for server in &servers {
            let _ = writeln!(text, "nameserver {server}");
        }
        if servers.is_empty() {
            text.push_str(
                "# the machine's name server listens on its loopback, which the test cannot reach\n\
                 nameserver 127.0.0.1\n",
            );
        }
        if let Some(search) = &self.machine.search {
            let _ = writeln!(text, "{search}");
        }
        text.push_str("options timeout:2 attempts:2\n");
        text
    }

    /// The text of [`DESCRIPTION`].
    pub(crate) fn description(&self) -> String {
        let mut text = match self.mechanism {
            UplinkKind::Routed => String::from("routed\n"),
            UplinkKind::Relayed(_) => {
                let inet = if self.machine.v4 { " inet" } else { "" };
                let inet6 = if self.machine.v6 { " inet6" } else { "" };
                format!("relayed{inet}{inet6}\n")
            }
        };
        let _ = writeln!(text, "198.18.0.0/15 {DEVICE}\nfd00:1::/64 {DEVICE}");
        for MachineSubnet { subnet, device } in &self.machine.subnets {
            let _ = writeln!(text, "{subnet} {device}");
        }
        text
    }

    /// Connects the test to the machine's network, and waits until that is done. `pid` is the
    /// init process of the test's PID namespace. The caller must be in the machine's network.
    pub(crate) fn connect(&self, pid: &str) -> Result<Connected> {
        match &self.mechanism {
            UplinkKind::Routed => Ok(Connected {
                _gateway: Some(routed::connect(&self.machine, self.offloads, pid)?),
            }),
            UplinkKind::Relayed(relay) => {
                relay.attach(&self.machine, pid)?;
                Ok(Connected { _gateway: None })
            }
        }
    }
}

/// The kernel if this process may configure the network; otherwise pasta, then slirp4netns.
fn choose(machine: &Machine) -> Result<UplinkKind> {
    if machine.may_configure {
        if !machine.v4 {
            return Err(refused()
                .source("this machine has no default route for IPv4, and the uplink for root is IPv4 only")
                .help("run as an ordinary user with pasta installed: apt install passt"));
        }
        return Ok(UplinkKind::Routed);
    }
    let overlap = machine.subnets.iter().find(|used| {
        [IpAddr::from(GUEST), GUEST6.into()].into_iter().any(|addr| used.subnet.contains(addr))
    });
    if let Some(MachineSubnet { subnet, device }) = overlap {
        return Err(Error::new(
            ErrorCode::SubnetOverlap,
            "use the subnets 198.18.0.0/24 and fd00:1::/64 for the test's uplink",
        )
        .source(format!("the machine already uses {subnet} on its interface `{device}`"))
        .help("run as root: then the uplink uses a subnet that is free"));
    }
    if let Err(errno) = machine.tun {
        return Err(tap_refused(errno));
    }
    match (&machine.pasta, &machine.slirp4netns) {
        // As root, pasta changes to the user `nobody`, who may not enter the test's namespaces.
        (Some(path), _) if !machine.root => Ok(UplinkKind::Relayed(Relay::Pasta(path.clone()))),
        (_, Some(path)) => Ok(UplinkKind::Relayed(Relay::Slirp4netns(path.clone()))),
        (Some(_), None) => Err(refused()
            .source("pasta does not work for root, and this root may not configure the network (no CAP_NET_ADMIN)")
            .help("install slirp4netns: apt install slirp4netns; or run as an ordinary user; or start the container with --cap-add=NET_ADMIN")),
        (None, None) => Err(refused()
            .source("an uplink needs `pasta` or `slirp4netns`, except for root, and neither is in PATH")
            .help(INSTALL)),
    }
}

fn refused() -> Error {
    Error::new(ErrorCode::Uplink, "give the test an uplink to the machine's network")
}

/// The error if no tap interface can be made.
pub(crate) fn tap_refused(errno: Errno) -> Error {
    let error = refused();
    let load = "sudo modprobe tun    # in a container: --device=/dev/net/tun";
    match errno {
        Errno::ENOENT => error
            .source("/dev/net/tun does not exist, and an uplink without root needs it")
            .help(load),
        Errno::ENODEV | Errno::ENXIO => error
            .source(format!("the kernel has no driver for /dev/net/tun ({errno:?})"))
            .help(load),
        Errno::EACCES | Errno::EPERM => error
            .source(format!("this user may not read and write /dev/net/tun ({errno:?})"))
            .help("sudo chmod 0666 /dev/net/tun    # until the next boot; users still cannot change the machine's network"),
        errno => error
            .source(format!("/dev/net/tun cannot be used: {errno:?}"))
            .help(load),
    }
}

#[cfg(test)]
mod tests;
