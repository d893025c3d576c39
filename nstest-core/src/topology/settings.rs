//! The sysctls of a node. They are written, so that a node does not inherit the machine's.
//!
//! A new network namespace gets its IPv4 `conf` values from the machine
//! (`net.core.devconf_inherit_init_net`, Documentation/admin-guide/sysctl/net.rst). Without
//! this module, the `forwarding` of a container runtime or the `rp_filter` of a distribution
//! would be in force in nodes. Documentation/networking/ip-sysctl.rst and
//! nf_conntrack-sysctl.rst describe all names.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// A setting: the name as sysctl(8) has it, and the text to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sysctl {
    pub(crate) key: &'static str,
    pub(crate) value: Cow<'static, str>,
}

impl fmt::Display for Sysctl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

/// What settings depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NodeRole {
    pub(crate) forwards: bool,
    pub(crate) ipv6: bool,
    pub(crate) root: bool,
}

/// The settings in the order in which they are written: `ip_forward` is first, because it
/// resets others. Each list is made once, and all nodes of a role share it.
pub(crate) fn settings(role: NodeRole) -> Arc<Vec<Sysctl>> {
    static ALL: [OnceLock<Arc<Vec<Sysctl>>>; 8] = [const { OnceLock::new() }; 8];
    let nth = usize::from(role.forwards) + 2 * usize::from(role.ipv6) + 4 * usize::from(role.root);
    Arc::clone(ALL[nth].get_or_init(|| Arc::new(list(role))))
}

/// The settings that a node would inherit from the machine. Left out are those with which
/// every namespace begins (`tcp_syncookies`), and those without effect beside the others:
/// without router advertisements there is no autoconfiguration, and a node that does not
/// forward sends no redirects and no proxy ARP.
fn list(role: NodeRole) -> Vec<Sysctl> {
    // The kernel combines the value of the device with `all` (the larger, or either of both).
    // A new device gets `default`: net/ipv4/devinet.c, include/linux/inetdevice.h.
    const EVERYWHERE: [(&str, &str); 15] = [
        // Many tests have asymmetric routes.
        ("net.ipv4.conf.all.rp_filter", "0"),
        ("net.ipv4.conf.default.rp_filter", "0"),
        // A node answers ARP for its own addresses and for no others.
        ("net.ipv4.conf.all.arp_ignore", "1"),
        ("net.ipv4.conf.default.arp_ignore", "1"),
        ("net.ipv4.conf.all.arp_announce", "2"), // the largest value
        ("net.ipv4.conf.all.accept_local", "0"),
        ("net.ipv4.conf.default.accept_local", "0"),
        ("net.ipv4.conf.all.route_localnet", "0"),
        ("net.ipv4.conf.default.route_localnet", "0"),
        // No route is learnt from a redirect.
        ("net.ipv4.conf.all.accept_redirects", "0"),
        ("net.ipv4.conf.default.accept_redirects", "0"),
        // A link that is down keeps its routes, so that packets get lost without an error.
        ("net.ipv4.conf.all.ignore_routes_with_linkdown", "0"),
        ("net.ipv4.conf.default.ignore_routes_with_linkdown", "0"),
        // Every ICMP error is sent. A type that this mask does not contain has no limit, neither
        // for each destination nor for all (`icmp_msgs_per_sec`): icmpv4_mask_allow.
        ("net.ipv4.icmp_ratemask", "0"),
        // Every kernel has it, and every user may choose it.
        ("net.ipv4.tcp_congestion_control", "reno"),
    ];
    const FORWARDING: [(&str, &str); 4] = [
        ("net.ipv4.conf.all.proxy_arp", "0"),
        ("net.ipv4.conf.default.proxy_arp", "0"),
        ("net.ipv4.conf.all.send_redirects", "0"),
        ("net.ipv4.conf.default.send_redirects", "0"),
    ];
    // Most IPv6 settings of `all` have no effect: net/ipv6/addrconf.c.
    const IPV6: [(&str, &str); 6] = [
        // No second of duplicate address detection: both, before any device exists.
        ("net.ipv6.conf.all.accept_dad", "0"),
        ("net.ipv6.conf.default.accept_dad", "0"),
        ("net.ipv6.conf.default.accept_ra", "0"),
        ("net.ipv6.conf.default.accept_redirects", "0"),
        // Link-local addresses from the fixed MAC (RFC 4291 app. A).
        ("net.ipv6.conf.default.addr_gen_mode", "0"),
        // The same for IPv6: no type with a limit but one that is reserved.
        ("net.ipv6.icmp.ratemask", "255"),
    ];
    let flag = |on: bool| if on { "1" } else { "0" };
    let mut pairs = vec![("net.ipv4.ip_forward", flag(role.forwards))];
    pairs.extend(EVERYWHERE);
    if role.forwards {
        pairs.extend(FORWARDING);
    }
    if !role.root {
        // Servers that refuse to run as root can bind ports below 1024.
        pairs.push(("net.ipv4.ip_unprivileged_port_start", "0"));
    }
    // These two also set `default` and every device.
    pairs.push(("net.ipv6.conf.all.disable_ipv6", flag(!role.ipv6)));
    if role.ipv6 {
        pairs.push(("net.ipv6.conf.all.forwarding", flag(role.forwards)));
        pairs.extend(IPV6);
    }
    pairs.into_iter().map(|(key, value)| Sysctl { key, value: value.into() }).collect()
}

/// The idle timeouts of a NAT. They can be written when connection tracking is in use, which
/// the ruleset causes, so they belong to the ruleset.
pub(crate) fn conntrack(udp: Duration, tcp: Duration) -> Vec<Sysctl> {
    let seconds =
        |key, timeout: Duration| Sysctl { key, value: timeout.as_secs().to_string().into() };
    vec![
        seconds("net.netfilter.nf_conntrack_udp_timeout", udp),
        seconds("net.netfilter.nf_conntrack_udp_timeout_stream", udp),
        seconds("net.netfilter.nf_conntrack_tcp_timeout_established", tcp),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarding_comes_first_and_no_key_twice() {
        for bits in 0..8 {
            let [forwards, ipv6, root] = [1, 2, 4].map(|bit| bits & bit != 0);
            let settings = settings(NodeRole { forwards, ipv6, root });
            assert_eq!(settings[0].key, "net.ipv4.ip_forward");
            assert_eq!(settings[0].value, if forwards { "1" } else { "0" });
            let mut keys: Vec<_> = settings.iter().map(|s| s.key).collect();
            keys.sort_unstable();
            assert!(keys.windows(2).all(|pair| pair[0] != pair[1]), "{keys:?}");
        }
    }
}
