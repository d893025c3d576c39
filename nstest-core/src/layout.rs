//! The paths of a test's own files, and the name of its node.

/// The name of the test's own node, and its hostname.
pub(crate) const NODE: &str = "test";

/// `TMPDIR` of every test. It is short, because addresses of unix sockets are.
pub(crate) const TMP_DIR: &str = "/run/nstest/tmp";

/// The directory that is mounted at /dev/shm.
pub(crate) const SHM_DIR: &str = "/run/nstest/shm";

/// The directory of the files that replace those in /etc.
pub(crate) const ETC: &str = "/run/nstest/etc";

/// The file that is mounted at /etc/hosts.
pub(crate) const HOSTS: &str = "/run/nstest/etc/hosts";

/// The file that is mounted at /etc/resolv.conf.
pub(crate) const RESOLV_CONF: &str = "/run/nstest/etc/resolv.conf";

/// The first lines of every hosts file.
pub(crate) const LOCALHOST: &str =
    "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n";

/// A symbolic link whose target describes the test, for processes that the test starts.
pub(crate) const BODY: &str = "/run/nstest/body";

/// A symbolic link that exists while the test is paused. Its target says how the test is entered,
/// and has its name.
pub(crate) const PAUSED: &str = "/run/nstest/paused";

/// A file that such a process makes when it uses the network of the test.
pub(crate) const NETWORK_USED: &str = "/run/nstest/network-used";

/// The file of TLS secrets (`SSLKEYLOGFILE`), if they are recorded.
pub(crate) const TLS_SECRETS: &str = "/run/nstest/tls-secrets";

/// Where `ip netns` keeps named network namespaces (ip-netns(8)).
pub(crate) const NETNS: &str = "/run/netns";
