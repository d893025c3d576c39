//! A way from a test's node to the machine's own network, for tests that ask
//! for one.
//!
//! Two ways, and the parent chooses:
//!
//! - [`routed`], for whoever may configure the machine's network: a veth pair
//!   into it, and NAT by the kernel;
//! - [`relayed`], for everybody else: a program that answers on a tap interface
//!   and opens ordinary sockets outside (pasta, else slirp4netns).
//!
//! Architecture invariant: an uplink needs nobody to clear up after it. What
//! belongs to it dies with the test because the kernel says so, also when the
//! parent is killed: the program lives in the test's PID namespace; the machine's
//! end of the pair and the rules there go with descriptors of the parent's. docs/src/guide/uplink.md lists all of it.
//!
//! [`machine`] reads what there is, [`inside`] is the body's side.

pub(crate) mod inside;
mod machine;
mod relayed;
mod routed;

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nix::errno::Errno;

use crate::error::{Error, ErrorCode, Result};
use crate::sys::call::c_string;
use crate::sys::step::Step;
use machine::Machine;
use relayed::Relay;

/// The interface in the test's node.
const DEVICE: &str = "uplink";
/// Beyond those that the topology gives to links.
const INDEX: u32 = 1000;
/// Ethernet's: what most networks outside carry.
const MTU: u32 = 1500;
/// Above every metric that the wiring gives: a router of the test's comes first.
const METRIC: u32 = 10_000;

/// The addresses of both ways are of 198.18.0.0/15, which RFC 2544 sets apart
/// for tests of network equipment: no network outside should have them.
const GUEST: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 100);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 2);
const RESOLVER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 3);
const LENGTH: u8 = 24;
/// Of the numbers that [`crate::topology`] hands out to nobody.
const GUEST6: Ipv6Addr = Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 0x100);
const GATEWAY6: Ipv6Addr = Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 2);
const RESOLVER6: Ipv6Addr = Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 3);
const LENGTH6: u8 = 64;

/// Tells the body what it is joined to: the way in the first line, then a
/// network of the machine's and its interface in each.
pub(crate) const FILE: &str = "/run/nstest/uplink";

/// An uplink that can be had: everything is known of it but the test.
#[derive(Debug)]
pub(crate) struct Uplink {
    machine: Machine,
    way: Way,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    Routed,
    Relayed(Relay),
}

/// A test's uplink; it is cut when this is dropped, or its process dies.
#[derive(Debug)]
#[must_use = "the uplink is cut when this is dropped"]
pub(crate) struct Connected {
    _gateway: Option<routed::Gateway>,
}

impl Uplink {
    /// Looks at the machine, and chooses a way.
    ///
    /// # Errors
    /// `uplink`, with what is missing.
    pub(crate) fn prepare(ipv6: bool) -> Result<Self> {
        let mut machine = Machine::read()?;
        machine.v6 &= ipv6;
        if !machine.v4 && !machine.v6 {
            return Err(refused()
                .source("this machine itself has no default route")
                .help("connect it to a network, or leave `uplink` out"));
        }
        let way = choose(&machine)?;
        Ok(Self { machine, way })
    }

    /// How the child makes its interface, unless [`connect`](Self::connect) does.
    pub(crate) fn interface(&self) -> Option<Step> {
        match self.way {
            Way::Routed => None,
            Way::Relayed(_) => Some(Step::Tap { name: c_string(DEVICE), index: INDEX as i32 }),
        }
    }

    /// /etc/resolv.conf of the test.
    pub(crate) fn resolv_conf(&self) -> String {
        let servers = match self.way {
            Way::Relayed(_) if self.machine.v4 => vec![RESOLVER.into()],
            Way::Relayed(_) => vec![RESOLVER6.into()],
            Way::Routed => self.machine.reachable_resolvers(),
        };
        let mut text = String::from("# nstest: through the uplink\n");
        for server in &servers {
            let _ = writeln!(text, "nameserver {server}");
        }
        if servers.is_empty() {
            text.push_str("# the machine's own resolver listens on its loopback, which is closed\nnameserver 127.0.0.1\n");
        }
        if let Some(search) = &self.machine.search {
            let _ = writeln!(text, "{search}");
        }
        text.push_str("options timeout:2 attempts:2\n");
        text
    }

    /// The text of [`FILE`].
    pub(crate) fn description(&self) -> String {
        let mut text = match self.way {
            Way::Routed => String::from("routed\n"),
            Way::Relayed(_) => {
                let inet = if self.machine.v4 { " inet" } else { "" };
                let inet6 = if self.machine.v6 { " inet6" } else { "" };
                format!("relayed{inet}{inet6}\n")
            }
        };
        let _ = writeln!(text, "198.18.0.0/15 {DEVICE}\nfd00:1::/64 {DEVICE}");
        for network in &self.machine.networks {
            let _ = writeln!(text, "{} {}", network.subnet, network.device);
        }
        text
    }

    /// Connects the test that the process `pid` is init of, and waits until that
    /// is done. Called in the machine's network, while the child waits.
    pub(crate) fn connect(&self, pid: &str) -> Result<Connected> {
        match &self.way {
            Way::Routed => Ok(Connected { _gateway: Some(routed::connect(&self.machine, pid)?) }),
            Way::Relayed(relay) => {
                relay.attach(&self.machine, pid)?;
                Ok(Connected { _gateway: None })
            }
        }
    }
}

/// The kernel's first way where it is allowed; else the first program there is.
fn choose(machine: &Machine) -> Result<Way> {
    if machine.may_configure {
        if !machine.v4 {
            return Err(refused()
                .source("this machine has no default route of IPv4, and the rules that an uplink of root's is made of translate IPv4 only")
                .help("run the tests as an ordinary user, with Debian's package passt"));
        }
        return Ok(Way::Routed);
    }
    let clash = machine.networks.iter().find(|network| {
        [IpAddr::from(GUEST), GUEST6.into()].into_iter().any(|addr| network.subnet.contains(addr))
    });
    if let Some(network) = clash {
        return Err(Error::new(
            ErrorCode::SubnetOverlap,
            "give the test's uplink the subnets 198.18.0.0/24 and fd00:1::/64",
        )
        .source(format!("the machine has {} on `{}`", network.subnet, network.device))
        .help("run the tests as root, where the uplink can have another subnet"));
    }
    if let Err(errno) = machine.tun {
        return Err(tap_refused(errno));
    }
    match (&machine.pasta, &machine.slirp4netns) {
        // As uid 0 of the machine it becomes `nobody`, who may not enter the test's namespaces.
        (Some(path), _) if !machine.root => Ok(Way::Relayed(Relay::Pasta(path.clone()))),
        (_, Some(path)) => Ok(Way::Relayed(Relay::Slirp4netns(path.clone()))),
        (Some(_), None) => Err(refused()
            .source("pasta does not serve root, and this root may not configure the machine's network (it is without CAP_NET_ADMIN)")
            .help("run the tests as an ordinary user, or in a container with --cap-add=NET_ADMIN, or install slirp4netns: apt install slirp4netns")),
        (None, None) => Err(refused()
            .source("neither `pasta` nor `slirp4netns` is in PATH, and only root has an uplink without them")
            .help("install pasta: apt install passt (Fedora, Arch, Alpine: passt); or slirp4netns: apt install slirp4netns")),
    }
}

fn refused() -> Error {
    Error::new(ErrorCode::Uplink, "give the test an uplink to the machine's network")
}

/// No tap interface could be made.
pub(crate) fn tap_refused(errno: Errno) -> Error {
    let error = refused();
    let load = "sudo modprobe tun    # in a container: --device=/dev/net/tun";
    match errno {
        Errno::ENOENT => error
            .source("there is no /dev/net/tun, through which an uplink without root is made")
            .help(load),
        Errno::ENODEV | Errno::ENXIO => error
            .source(format!("the kernel has no driver for /dev/net/tun ({errno:?})"))
            .help(load),
        Errno::EACCES | Errno::EPERM => error
            .source(format!("/dev/net/tun must be readable and writable for whoever runs the tests, and is not ({errno:?})"))
            .help("sudo chmod 0666 /dev/net/tun    # until the next boot; it gives no right over the machine's network"),
        errno => error
            .source(format!("/dev/net/tun cannot be used: {errno:?}"))
            .help(load),
    }
}

#[cfg(test)]
mod tests;
