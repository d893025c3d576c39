//! What is tried, in the order of the report.

/// Something that the machine may let nstest do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capability {
    /// Its name in the report for programs. It does not change between releases.
    pub name: &'static str,
    /// What it is, for people.
    pub title: &'static str,
    /// What is missing without it.
    pub need: Need,
}

/// What is missing without a capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Tests cannot run.
    Required,
    /// Tests with nodes or faults cannot run.
    Nodes,
    /// Tests with faults cannot run.
    Faults,
    /// Tests cannot run code in their nodes.
    CodeInNodes,
    /// A part of nstest does not work, or works less well: "NAT and firewalls of routers".
    Part(&'static str),
    /// Most tests do not need it, and many machines do not have it: "uplinks".
    Optional(&'static str),
    /// Nothing: nstest does it in userspace.
    Unneeded,
}

impl Need {
    /// The part of nstest that does not work without it.
    #[must_use]
    pub const fn part(self) -> Option<&'static str> {
        match self {
            Need::Nodes => Some("nodes and faults"),
            Need::Faults => Some("faults"),
            Need::CodeInNodes => Some("code in nodes"),
            Need::Part(what) | Need::Optional(what) => Some(what),
            Need::Required | Need::Unneeded => None,
        }
    }

    /// Whether a machine without it is not usable.
    #[must_use]
    pub const fn is_required(self) -> bool {
        matches!(self, Need::Required | Need::Nodes | Need::Faults | Need::CodeInNodes)
    }

    /// The name in the report for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Need::Required | Need::Nodes | Need::Faults | Need::CodeInNodes => "required",
            Need::Part(_) => "part",
            Need::Optional(_) => "optional",
            Need::Unneeded => "unneeded",
        }
    }
}

/// The number of nodes is limited: a machine that has room for few says so.
pub(super) const MANY_NODES: Need = Need::Part("networks of many nodes");

const MANY_TESTS: Need = Need::Part("many tests at once");

const fn capability(name: &'static str, title: &'static str, need: Need) -> Capability {
    Capability { name, title, need }
}

/// All capabilities.
pub(super) const ALL: &[Capability] = &[
    capability("settings", "environment variables of nstest", Need::Required),
    capability("proc", "/proc of the machine", Need::Required),
    capability("user-namespace", "user namespaces", Need::Required),
    capability("pid-namespace", "PID namespaces", Need::Required),
    capability("mount-namespace", "mount namespaces", Need::Required),
    capability("uts-namespace", "UTS namespaces", Need::Required),
    capability("ipc-namespace", "IPC namespaces", Need::Required),
    capability("network-namespace", "network namespaces", Need::Required),
    capability("open-files", "limit of open files", MANY_NODES),
    capability("file-size", "limit of the size of files", MANY_NODES),
    capability("processes", "limit of processes", MANY_TESTS),
    capability("namespaces", "limits of namespaces", MANY_TESTS),
    capability("node-namespaces", "limits of namespaces that nodes have", MANY_NODES),
    capability("seccomp", "seccomp filter", Need::Unneeded),
    capability("world", "namespaces, ids and mounts of a test", Need::Required),
    capability(
        "no-root",
        "ids and rights of a test that is not root",
        Need::Part("tests that are not root (`root = false`, `--no-root`)"),
    ),
    capability("loopback", "`lo`", Need::Part("TCP connections in tests")),
    capability(
        "fresh-proc",
        "/proc of a test",
        Need::Part("a /proc that hides the machine's processes"),
    ),
    capability(
        "fresh-sys",
        "/sys of a test",
        Need::Part("a /sys that shows the test's interfaces"),
    ),
    capability("names", "files of a test in /etc", Need::Part("names of nodes")),
    capability("tmpfs", "mounts in a test", Need::Required),
    capability("sysctl", "settings in /proc/sys/net", Need::Part("network settings of nodes")),
    capability("ipv6", "IPv6", Need::Part("IPv6")),
    capability("netlink", "netlink sockets", Need::Nodes),
    capability("node", "a namespace for each node", Need::Nodes),
    capability("fault", "a fault on the link of a node", Need::Faults),
    capability("node-view", "mounts and host name of a node", Need::CodeInNodes),
    capability("veth", "veth pairs", Need::Nodes),
    capability("bridge", "bridges", Need::Part("LANs of more than twenty nodes")),
    capability("u32", "filters that forward (u32, mirred)", Need::Nodes),
    capability("bpf", "filters for faults (cls_bpf)", Need::Faults),
    capability("packet-socket", "packet sockets", Need::Faults),
    capability("packet-ring", "rings of packet sockets", Need::Faults),
    capability("nftables", "nftables", Need::Part("NAT and firewalls of routers")),
    capability("nat", "NAT", Need::Part("NAT of routers")),
    capability("conntrack", "connection tracking", Need::Part("NAT and firewalls of routers")),
    capability("tbf", "rate limits by the kernel (tbf)", Need::Unneeded),
    capability("netem", "faults by the kernel (netem)", Need::Unneeded),
    capability("tun", "/dev/net/tun", Need::Optional("programs with TUN devices")),
    capability("uplink", "uplinks to the machine's network", Need::Optional("uplinks")),
];
