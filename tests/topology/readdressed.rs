//! Changes of a router's address on the WAN. Mappings to the old address end.

use nstest::{Nat, Net, TestResult, netns_test};

use crate::probe::{FAMILIES, Family, Home, ip_on, seen_as, udp};

const NATS: [Nat; 3] = [Nat::FULL_CONE, Nat::PORT_RESTRICTED, Nat::SYMMETRIC];

#[netns_test]
fn a_new_address_is_seen_by_old_and_new_peers(net: Net) -> TestResult {
    let home = Home::build(&net)?;
    for (nat, host) in NATS.into_iter().zip(200..) {
        home.translate(nat)?;
        for family in FAMILIES {
            let outside = home.outside(family);
            let inside = udp(&home.laptop, family, 0);
            let before = home.wan(family);
            assert_eq!(seen_as(&inside, outside.first()).ip(), before);
            let addr = match family {
                Family::V4 => format!("203.0.113.{host}"),
                Family::V6 => format!("2001:db8::{host}"),
            };
            home.router.set_address(&home.internet, addr.parse()?)?;
            let wan = home.wan(family);
            assert_ne!(wan, before);
            for (name, peer) in [("old", outside.first()), ("new", &outside.sockets[1][1])] {
                let seen = seen_as(&inside, peer).ip();
                assert_eq!(seen, wan, "{nat} as seen by the {name} peer");
            }
            home.converses_with(&home.servers[1], family)?;
        }
    }
    Ok(())
}

/// An address of the other IP version, or of the LAN, changes nothing for a conversation.
#[netns_test]
fn other_addresses_leave_conversations_alone(net: Net) -> TestResult {
    let home = Home::behind(&net, Nat::SYMMETRIC)?;
    let outside = home.outside(Family::V4);
    let inside = udp(&home.laptop, Family::V4, 0);
    let endpoint = seen_as(&inside, outside.first());
    let lan = net.lan("home")?;
    home.router.set_address(&lan, "192.168.1.253".parse()?)?;
    assert_eq!(seen_as(&inside, outside.first()), endpoint);
    Ok(())
}

#[netns_test]
fn a_router_that_roams_is_seen_by_its_new_address(net: Net) -> TestResult {
    let home = Home::behind(&net, Nat::FULL_CONE)?;
    let elsewhere =
        net.add_lan("elsewhere").subnet("198.51.100.0/24").subnet("2001:db8:1::/64").build()?;
    let there = net.add_node("there").join(&elsewhere).build()?;
    net.add_router("core").lan(&home.internet).lan(&elsewhere).build()?;
    let inside = FAMILIES.map(|family| udp(&home.laptop, family, 0));
    let outside = FAMILIES.map(|family| home.outside(family));
    for (inside, outside) in inside.iter().zip(&outside) {
        seen_as(inside, outside.first());
    }
    home.router.roam(&home.internet, &elsewhere)?;
    for ((family, inside), outside) in FAMILIES.into_iter().zip(&inside).zip(&outside) {
        let wan = ip_on(&home.router, &elsewhere, family);
        assert_eq!(seen_as(inside, &udp(&there, family, 0)).ip(), wan);
        assert_eq!(seen_as(inside, outside.first()).ip(), wan);
    }
    Ok(())
}
