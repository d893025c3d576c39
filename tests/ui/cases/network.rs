//! The arguments about the test's network.
use nstest::netns_test;

#[netns_test(peers = 0)]
fn no_peers() {}

#[netns_test(peers = "3", mtu = 1500u32, uplink = "yes", ipv6 = 0)]
fn other_types() {}

#[netns_test(peers, subnet, mtu, ipv6, netns)]
fn words() {}

#[netns_test(subnet = "10.9.0.1/24")]
fn host() {}

#[netns_test(subnet = ["10.9.0.0/24", "10.10.0.0/24"])]
fn one_family_twice() {}

#[netns_test(subnet = ["10.9.0.0/24", "fd09::"])]
fn no_length() {}

#[netns_test(subnet = ["10.9.0.0/24", 64])]
fn no_text() {}

#[netns_test(subnet = [])]
fn empty() {}

#[netns_test(mtu = 67)]
fn mtu_too_small() {}

#[netns_test(mtu = 1279)]
fn mtu_too_small_for_ipv6() {}

#[netns_test(subnet = "fd09::/64", ipv6 = false)]
fn subnet_of_no_use() {}

#[netns_test(uplink, uplink = true)]
fn uplink_twice() {}

#[netns_test(uplink(true))]
fn uplink_list() {}

#[netns_test(netns = "")]
fn netns_empty() {}

#[netns_test(netns = "/run/netns/vns1")]
fn netns_path() {}

#[netns_test(netns = "vns1", peers = 2, subnet = "10.9.0.0/24", mtu = 1500, ipv6 = false, offloads = false, uplink, root = false)]
fn netns_and_the_rest() {}

#[netns_test(netns = "vns1", uplink = false, root = true)]
fn netns_and_no_contradiction() {}

fn main() {}
