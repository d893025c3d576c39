//! CIDR arithmetic and the numbers of hosts.

use std::net::IpAddr;

use super::{Subnet, Unusable};

fn subnet(text: &str) -> Subnet {
    text.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn reads_and_writes_cidr() {
    for text in ["10.0.2.0/24", "0.0.0.0/0", "10.1.2.3/32", "fd00:2::/64", "::/0", "::1/128"] {
        assert_eq!(subnet(text).to_string(), text);
    }
    for (text, says) in [
        ("10.0.2.0", "not an address, a `/`"),
        ("10.0.2/24", "not an address, a `/`"),
        ("10.0.2.0/+24", "not an address, a `/`"),
        ("10.0.2.0/", "not an address, a `/`"),
        ("10.0.2.0/33", "at most 32 bits"),
        ("fd00::/129", "at most 128 bits"),
        ("10.0.2.7/24", "write `10.0.2.0/24`"),
        ("fd00:2::1/64", "write `fd00:2::/64`"),
    ] {
        let error = format!("{:?}", text.parse::<Subnet>().unwrap_err());
        assert!(error.contains(says) && error.contains(text), "{error}");
    }
}

#[test]
fn overlap_is_symmetric_and_within_a_family() {
    for (a, b, expected) in [
        ("10.0.0.0/8", "10.0.2.0/24", true),
        ("10.0.2.0/24", "10.0.3.0/24", false),
        ("10.0.2.0/24", "10.0.2.128/25", true),
        ("0.0.0.0/0", "fd00::/8", false),
        ("fd00:2::/64", "fd00:2::/48", true),
        ("fd00:2::/64", "fd00:2:0:1::/64", false),
    ] {
        assert_eq!(subnet(a).overlaps(&subnet(b)), expected, "{a} {b}");
        assert_eq!(subnet(b).overlaps(&subnet(a)), expected, "{b} {a}");
    }
}

#[test]
fn hosts_are_numbered_from_one() {
    for (net, n, addr) in [
        ("10.0.2.0/24", 1, Some("10.0.2.1")),
        ("10.0.2.0/24", 254, Some("10.0.2.254")),
        ("10.0.2.0/24", 255, None),
        ("10.0.2.0/24", 0, None),
        ("10.4.0.0/16", 65534, Some("10.4.255.254")),
        ("10.0.0.0/31", 2, Some("10.0.0.1")),
        ("10.0.0.7/32", 1, Some("10.0.0.7")),
        ("10.0.0.7/32", 2, None),
        ("10.0.0.0/30", 3, None),
        ("fd00:2::/64", 10, Some("fd00:2::10")),
        ("fd00:2::/64", 12345, Some("fd00:2::1:2345")),
        ("fd00::/124", 9, Some("fd00::9")),
        ("fd00::/124", 10, None),
        ("fd00::/120", 99, Some("fd00::99")),
        ("fd00::/120", 100, None),
        ("fd00::/127", 1, Some("fd00::1")),
    ] {
        assert_eq!(subnet(net).host(n), addr.map(ip), "{net} {n}");
    }
}

#[test]
fn number_is_the_inverse_of_host() {
    for net in
        ["10.0.2.0/24", "10.0.0.0/29", "10.0.0.0/31", "fd00:2::/64", "fd00::/120", "fd00::/122"]
    {
        let net = subnet(net);
        for n in 0..=300 {
            if let Some(addr) = net.host(n) {
                assert_eq!(net.number(addr), Some(n));
                assert_eq!(net.check_host(addr), Ok(()), "{addr} in {net}");
            } else {
                assert!(n == 0 || n > net.capacity());
            }
        }
    }
    assert_eq!(subnet("fd00:2::/64").number(ip("fd00:2::a")), None);
    assert_eq!(subnet("10.0.2.0/24").number(ip("10.0.3.1")), None);
}

#[test]
fn some_addresses_are_nobodys() {
    for (net, addr, expected) in [
        ("10.0.2.0/24", "10.0.3.1", Err(Unusable::Outside)),
        ("10.0.2.0/24", "fd00::1", Err(Unusable::Outside)),
        ("10.0.2.0/24", "10.0.2.0", Err(Unusable::Network)),
        ("10.0.2.0/24", "10.0.2.255", Err(Unusable::Broadcast)),
        ("10.0.2.0/31", "10.0.2.0", Ok(())),
        ("fd00:2::/64", "fd00:2::", Err(Unusable::Network)),
        ("fd00:2::/64", "fd00:2::ffff:ffff:ffff:ffff", Ok(())),
    ] {
        assert_eq!(subnet(net).check_host(ip(addr)), expected, "{addr}");
    }
    for net in ["127.0.0.0/8", "0.0.0.0/0", "224.1.0.0/16", "fe80::/64", "ff02::/16", "::1/128"] {
        assert!(subnet(net).special_use().is_some(), "{net}");
    }
    for net in ["10.0.2.0/24", "203.0.113.0/24", "100.64.0.0/10", "fd00:2::/64", "2001:db8::/32"] {
        assert_eq!(subnet(net).special_use(), None, "{net}");
    }
}
