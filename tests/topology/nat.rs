//! Mapping, filtering and ports of one NAT (RFC 4787, RFC 5382), IPv4 and IPv6.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use nstest::NatFiltering::{
    AddressAndPortDependent as FilterByPort, AddressDependent as FilterByAddress,
    EndpointIndependent as FilterNothing,
};
use nstest::NatMapping::{
    AddressAndPortDependent as MapByPort, AddressDependent as MapByAddress,
    EndpointIndependent as MapOnce,
};
use nstest::{Nat, NatFiltering, NatMapping, Net, TestResult, eventually, netns_test};

use crate::probe::{FAMILIES, Home, PATIENCE, gets_in, seen_as, udp};

macro_rules! behaviours {
    ($($name:ident: $nat:expr => $mapping:ident, $filtering:ident;)*) => {
        $(
            #[netns_test]
            fn $name(net: Net) -> TestResult {
                behaves(&net, $nat, $mapping, $filtering)
            }
        )*
    };
}

behaviours! {
    independent_independent: Nat::new(MapOnce, FilterNothing) => MapOnce, FilterNothing;
    independent_address: Nat::new(MapOnce, FilterByAddress) => MapOnce, FilterByAddress;
    independent_port: Nat::new(MapOnce, FilterByPort) => MapOnce, FilterByPort;
    address_independent: Nat::new(MapByAddress, FilterNothing) => MapByAddress, FilterNothing;
    address_address: Nat::new(MapByAddress, FilterByAddress) => MapByAddress, FilterByAddress;
    address_port: Nat::new(MapByAddress, FilterByPort) => MapByAddress, FilterByPort;
    port_independent: Nat::new(MapByPort, FilterNothing) => MapByPort, FilterNothing;
    port_address: Nat::new(MapByPort, FilterByAddress) => MapByPort, FilterByAddress;
    port_port: Nat::new(MapByPort, FilterByPort) => MapByPort, FilterByPort;
    full_cone: Nat::FULL_CONE => MapOnce, FilterNothing;
    restricted_cone: Nat::RESTRICTED_CONE => MapOnce, FilterByAddress;
    port_restricted: Nat::PORT_RESTRICTED => MapOnce, FilterByPort;
    symmetric: Nat::SYMMETRIC => MapByPort, FilterByPort;
    carrier_grade: Nat::CARRIER_GRADE => MapOnce, FilterNothing;
    without_preservation: Nat::new(MapByAddress, FilterByAddress).port_preservation(false)
        => MapByAddress, FilterByAddress;
}

/// UDP has this mapping and filtering, TCP works in both directions, and the servers see the
/// router's address.
fn behaves(net: &Net, nat: Nat, mapping: NatMapping, filtering: NatFiltering) -> TestResult {
    let home = Home::behind(net, nat)?;
    let unset: Vec<_> = net.notes().into_iter().filter(|note| note.contains("netfilter")).collect();
    assert_eq!(unset, [] as [&str; 0]);
    for family in FAMILIES {
        let wan = home.wan(family);
        let outside = home.outside(family);
        assert_eq!(outside.filtering(&udp(&home.laptop, family, 5000)), filtering, "{family:?}");
        let inside = udp(&home.laptop, family, 5001);
        assert_eq!(outside.mapping(&inside), mapping, "{family:?}");
        assert_eq!(seen_as(&inside, outside.first()).ip(), wan);
        home.converses_with(&home.servers[0], family)?;
    }
    Ok(())
}

#[netns_test]
fn ports_are_preserved_where_they_are_free(net: Net) -> TestResult {
    let home = Home::behind(&net, Nat::PORT_RESTRICTED)?;
    for family in FAMILIES {
        let outside = home.outside(family);
        let laptop = udp(&home.laptop, family, 5000);
        assert_eq!(seen_as(&laptop, outside.first()).port(), 5000);
        // In use, although the destination differs (RFC 4787 REQ-3).
        let desktop = udp(&home.desktop, family, 5000);
        let elsewhere = &outside.sockets[1][0];
        let seen = seen_as(&desktop, elsewhere);
        assert_ne!(seen.port(), 5000);
        // The answers arrive.
        assert_eq!(seen_as(&laptop, elsewhere).port(), 5000);
        elsewhere.send_to(b"to the desktop", seen)?;
        assert_eq!(crate::probe::receive(&desktop)?.0, b"to the desktop");
    }
    Ok(())
}

#[netns_test]
fn ports_are_not_preserved_where_that_is_off(net: Net) -> TestResult {
    let home = Home::behind(&net, Nat::PORT_RESTRICTED.port_preservation(false))?;
    for family in FAMILIES {
        let outside = home.outside(family);
        let preserved = (5000..5010).filter(|port| {
            seen_as(&udp(&home.laptop, family, *port), outside.first()).port() == *port
        });
        // One in a hundred thousand is, by chance.
        assert!(preserved.count() <= 1);
    }
    Ok(())
}

#[netns_test]
fn ports_come_from_the_range(net: Net) -> TestResult {
    let home = Home::build(&net)?;
    for nat in [Nat::FULL_CONE, Nat::PORT_RESTRICTED, Nat::SYMMETRIC] {
        home.translate(nat.ports(20_000, 20_999))?;
        for family in FAMILIES {
            let outside = home.outside(family);
            let mut seen = BTreeSet::new();
            for port in [5000, 5001, 5002, 20_005] {
                for node in [&home.laptop, &home.desktop] {
                    let port = seen_as(&udp(node, family, port), outside.first()).port();
                    assert!((20_000..21_000).contains(&port), "{port}");
                    seen.insert(port);
                }
            }
            if nat != Nat::SYMMETRIC {
                assert_eq!(seen.len(), 8, "each its own");
                assert!(seen.contains(&20_005), "free, and in the range");
            }
        }
    }
    Ok(())
}

#[netns_test]
fn two_nodes_with_one_port_get_different_endpoints(net: Net) -> TestResult {
    let home = Home::build(&net)?;
    for nat in [Nat::FULL_CONE, Nat::PORT_RESTRICTED, Nat::SYMMETRIC] {
        home.translate(nat)?;
        for family in FAMILIES {
            let outside = home.outside(family);
            let [a, b] = [&home.laptop, &home.desktop].map(|node| udp(node, family, 5000));
            let [seen_a, seen_b] = [&a, &b].map(|socket| seen_as(socket, outside.first()));
            assert_ne!(seen_a, seen_b);
            for (socket, seen) in [(&a, seen_a), (&b, seen_b)] {
                outside.first().send_to(seen.to_string().as_bytes(), seen)?;
                assert_eq!(crate::probe::receive(socket)?.0, seen.to_string().as_bytes());
            }
        }
    }
    Ok(())
}

#[netns_test]
fn nodes_meet_behind_a_nat_that_hairpins(net: Net) -> TestResult {
    let home = Home::behind(&net, Nat::FULL_CONE.hairpinning(true))?;
    for family in FAMILIES {
        let outside = home.outside(family);
        let [a, b] = [&home.laptop, &home.desktop].map(|node| udp(node, family, 5000));
        let [seen_a, seen_b] = [&a, &b].map(|socket| seen_as(socket, outside.first()));
        assert_eq!([seen_a.ip(), seen_b.ip()], [home.wan(family); 2]);
        // RFC 4787 REQ-9a: by its external endpoint, from its external endpoint.
        b.send_to(b"hello", seen_a)?;
        assert_eq!(crate::probe::receive(&a)?, (b"hello".to_vec(), seen_b), "{family:?}");
        a.send_to(b"hello to you", seen_b)?;
        assert_eq!(crate::probe::receive(&b)?, (b"hello to you".to_vec(), seen_a));
    }
    Ok(())
}

#[netns_test]
fn nodes_do_not_meet_behind_one_that_does_not(net: Net) -> TestResult {
    let home = Home::behind(&net, Nat::FULL_CONE)?;
    for family in FAMILIES {
        let outside = home.outside(family);
        let [a, b] = [&home.laptop, &home.desktop].map(|node| udp(node, family, 5000));
        let known = seen_as(&a, outside.first());
        assert_eq!(known.ip(), home.wan(family));
        assert!(!gets_in(&b, known, &a, (outside.first(), known)));
    }
    Ok(())
}

#[netns_test]
fn idle_mappings_of_maps_expire(net: Net) -> TestResult {
    expires(&net, Nat::FULL_CONE)
}

#[netns_test]
fn idle_mappings_of_connection_tracking_expire(net: Net) -> TestResult {
    expires(&net, Nat::PORT_RESTRICTED)
}

/// After a second, idle mappings end. A mapping by which packets leave stays (RFC 4787
/// REQ-6).
fn expires(net: &Net, nat: Nat) -> TestResult {
    const TIMEOUT: Duration = Duration::from_secs(1);
    /// The kernel's clock ticks a hundred times a second, or more often.
    const JIFFY: Duration = Duration::from_millis(10);
    let home = Home::behind(net, nat.udp_timeout(TIMEOUT))?;
    for family in FAMILIES {
        let outside = home.outside(family);
        let server = outside.first();
        let busy = udp(&home.laptop, family, 5000);
        let endpoint = seen_as(&busy, server);
        // Each check uses up one mapping, because an answer that passes refreshes it.
        let mut idle: Vec<_> = (0..800)
            .map(|_| {
                let socket = udp(&home.laptop, family, 0);
                let since = Instant::now();
                let seen = seen_as(&socket, server);
                socket.set_nonblocking(true).unwrap();
                (socket, seen, since)
            })
            .collect();
        let lived = eventually(PATIENCE, || {
            assert_eq!(seen_as(&busy, server), endpoint);
            let (socket, seen, since) = idle.pop()?;
            server.send_to(b"still there?", seen).unwrap();
            // A later packet has arrived, so this one was dropped.
            server.send_to(b"marker", endpoint).unwrap();
            assert_eq!(crate::probe::receive(&busy).unwrap().0, b"marker");
            socket.recv(&mut [0; 32]).is_err().then(|| since.elapsed())
        })?;
        assert!(lived >= TIMEOUT - JIFFY, "{lived:?}");
    }
    Ok(())
}
