//! NATs that change or are flushed while connections exist.

use nstest::{Nat, Nat6, NatFiltering, NatMapping, Net, TestResult, netns_test};

use crate::probe::{FAMILIES, Home, assert_reset, connect, exchange, gets_in, ip, seen_as, udp};

#[netns_test]
fn conversations_go_on_and_new_ones_are_translated_anew(net: Net) -> TestResult {
    let home = Home::behind(&net, Nat::FULL_CONE)?;
    let server = &home.servers[0];
    let mut old = Vec::new();
    for family in FAMILIES {
        let at = (ip(server, family), 80);
        old.push((family, connect(&home.laptop, server, at, at)?));
    }
    home.router.set_nat(Nat::SYMMETRIC)?;
    home.router.set_nat6(Nat6::Nat(Nat::SYMMETRIC))?;
    for (family, (near, far, seen)) in &mut old {
        assert_eq!(seen.ip(), home.wan(*family));
        exchange(near, far)?;
        let outside = home.outside(*family);
        let mapping = outside.mapping(&udp(&home.laptop, *family, 5000));
        assert_eq!(mapping, NatMapping::AddressAndPortDependent);
        let filtering = outside.filtering(&udp(&home.laptop, *family, 5001));
        assert_eq!(filtering, NatFiltering::AddressAndPortDependent);
    }
    home.router.set_nat(None)?;
    home.router.set_nat6(Nat6::Routed)?;
    for (family, (near, ..)) in &mut old {
        // Without the NAT, the server sees another source address.
        assert_reset(near);
        let outside = home.outside(*family);
        let inside = udp(&home.laptop, *family, 5002);
        assert_eq!(seen_as(&inside, outside.first()), inside.local_addr()?);
    }
    Ok(())
}

#[netns_test]
fn a_nat_that_is_flushed_has_no_mappings(net: Net) -> TestResult {
    let home = Home::behind(&net, Nat::FULL_CONE.port_preservation(false))?;
    for family in FAMILIES {
        let outside = home.outside(family);
        let inside = udp(&home.laptop, family, 5000);
        let before = seen_as(&inside, outside.first());
        assert_eq!(seen_as(&inside, &outside.sockets[1][0]), before);

        home.router.flush_nat()?;
        let other = udp(&home.laptop, family, 5001);
        let known = seen_as(&other, outside.first());
        outside.first().send_to(b"to no socket", before)?;
        assert!(!gets_in(&outside.sockets[0][1], before, &other, (outside.first(), known)));
        inside.set_nonblocking(true)?;
        assert!(inside.recv(&mut [0; 16]).is_err(), "the way in is forgotten");
        // The port is the same by chance once in 64 thousand runs.
        assert_ne!(seen_as(&inside, outside.first()), before);
    }
    Ok(())
}

#[netns_test]
fn a_connection_does_not_survive_a_new_port(net: Net) -> TestResult {
    let home = Home::behind(&net, Nat::SYMMETRIC)?;
    for family in FAMILIES {
        let at = (ip(&home.servers[0], family), 80);
        let (mut near, mut far, _) = connect(&home.laptop, &home.servers[0], at, at)?;
        exchange(&mut near, &mut far)?;
        home.router.flush_nat()?;
        // The server has no connection with that port, and answers with a reset.
        assert_reset(&mut near);
    }
    Ok(())
}

/// Every kind of NAT, including one with so few ports that some would be the same by chance.
const KINDS: [Nat; 7] = [
    Nat::FULL_CONE,
    Nat::RESTRICTED_CONE,
    Nat::PORT_RESTRICTED,
    Nat::SYMMETRIC,
    Nat::CARRIER_GRADE,
    Nat::FULL_CONE.ports(20_000, 20_003),
    Nat::SYMMETRIC.ports(20_000, 20_007),
];

#[netns_test(timeout = "120s")]
fn a_rebinding_changes_every_port(net: Net) -> TestResult {
    let home = Home::build(&net)?;
    for (nat, port) in KINDS.into_iter().zip(4000..) {
        home.translate(nat)?;
        for family in FAMILIES {
            let outside = home.outside(family);
            let sockets = [udp(&home.laptop, family, port), udp(&home.desktop, family, port)];
            let seen = || -> Vec<_> {
                sockets.iter().map(|socket| seen_as(socket, outside.first())).collect()
            };
            let mut before = seen();
            for _ in 0..5 {
                home.router.rebind()?;
                let after = seen();
                for (socket, (before, after)) in before.iter().zip(&after).enumerate() {
                    assert_eq!(before.ip(), after.ip());
                    assert_ne!(before, after, "{nat}, socket {socket}");
                }
                before = after;
            }
            assert_eq!(before, seen(), "{nat}: the mapping stays");
        }
    }
    Ok(())
}

#[netns_test]
fn the_old_ports_are_closed_and_mappings_behave_as_before(net: Net) -> TestResult {
    let home = Home::behind(&net, Nat::FULL_CONE)?;
    for family in FAMILIES {
        let outside = home.outside(family);
        let inside = udp(&home.laptop, family, 5000);
        let before = seen_as(&inside, outside.first());
        home.router.rebind()?;
        let after = seen_as(&inside, outside.first());
        assert_ne!(before, after);
        assert!(!gets_in(&outside.sockets[0][1], before, &inside, (outside.first(), after)));
        assert_eq!(outside.mapping(&inside), NatMapping::EndpointIndependent);
    }
    Ok(())
}

#[netns_test]
fn a_rebinding_breaks_connections_and_moves_new_ones(net: Net) -> TestResult {
    let home = Home::behind(&net, Nat::PORT_RESTRICTED)?;
    for family in FAMILIES {
        let at = (ip(&home.servers[0], family), 80);
        let (mut near, mut far, seen) = connect(&home.laptop, &home.servers[0], at, at)?;
        exchange(&mut near, &mut far)?;
        home.router.flush_nat()?;
        exchange(&mut near, &mut far)?; // by the same port
        home.router.rebind()?;
        assert_reset(&mut near);
        assert_eq!(seen.ip(), home.wan(family));
    }
    Ok(())
}

#[netns_test]
fn a_router_that_translates_nothing_cannot_rebind(net: Net) -> TestResult {
    let home = Home::build(&net)?;
    let error = home.router.rebind().unwrap_err();
    assert_eq!(error.code(), nstest::ErrorCode::Nat);
    Ok(())
}
