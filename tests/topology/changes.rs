//! NATs that change under conversations, and forget them.

use std::io::{ErrorKind, Read, Write};

use nstest::{Nat, Nat6, NatFiltering, NatMapping, Net, TestResult, netns_test};

use crate::probe::{FAMILIES, Home, connect, exchange, gets_in, ip, seen_as, udp};

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
        // Nobody translates any more, and the server hears of a stranger.
        near.write_all(b"still there?")?;
        assert_eq!(near.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
        let outside = home.outside(*family);
        let inside = udp(&home.laptop, *family, 5002);
        assert_eq!(seen_as(&inside, outside.first()), inside.local_addr()?);
    }
    Ok(())
}

#[netns_test]
fn a_nat_that_is_flushed_knows_nobody(net: Net) -> TestResult {
    let home = Home::behind(&net, Nat::FULL_CONE.port_preservation(false))?;
    for family in FAMILIES {
        let outside = home.outside(family);
        let inside = udp(&home.laptop, family, 5000);
        let before = seen_as(&inside, outside.first());
        assert_eq!(seen_as(&inside, &outside.sockets[1][0]), before);

        home.router.flush_nat()?;
        let other = udp(&home.laptop, family, 5001);
        let known = seen_as(&other, outside.first());
        outside.first().send_to(b"to nobody", before)?;
        assert!(!gets_in(&outside.sockets[0][1], before, &other, (outside.first(), known)));
        inside.set_nonblocking(true)?;
        assert!(inside.recv(&mut [0; 16]).is_err(), "the way in is forgotten");
        // By chance, the port is the same once in 64 thousand.
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
        // The server knows of no connection with that port, and says so.
        near.write_all(b"still there?")?;
        assert_eq!(near.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
    Ok(())
}
