//! Where things are in a test's own file system, and what its own node is called.

/// The name of the test's own node, and its hostname.
pub(crate) const NODE: &str = "test";

/// `TMPDIR` of every test; short, for the sake of unix socket addresses.
pub(crate) const TMP_DIR: &str = "/run/nstest/tmp";

/// Where the files are kept that replace those in /etc.
pub(crate) const ETC: &str = "/run/nstest/etc";

/// The file that /etc/hosts is.
pub(crate) const HOSTS: &str = "/run/nstest/etc/hosts";

/// The file that /etc/resolv.conf is.
pub(crate) const RESOLV_CONF: &str = "/run/nstest/etc/resolv.conf";

/// With which every hosts file begins.
pub(crate) const LOCALHOST: &str =
    "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n";

/// Where `ip netns` looks for names (ip-netns(8)).
pub(crate) const NETNS: &str = "/run/netns";
