//! QUIC connections are identified by connection IDs, so they survive a change of addresses
//! (RFC 9000 §9).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use nstest::{Condition, Lan, Nat, Nat6, Net, Node, Percent, Router, TestResult, netns_test};

use super::pair::Pair;

fn both(node: &Node) -> [IpAddr; 2] {
    [node.ipv4().into(), node.ipv6().into()]
}

#[netns_test]
async fn a_new_address_is_only_another_path(net: Net) -> TestResult {
    let lan = net.add_lan("lan").subnet("192.168.1.0/24").subnet("fd00:1::/64").build()?;
    let client = net.add_node("client").join(&lan).build()?;
    let servers = ["v4", "v6"].map(|name| net.add_node(name).join(&lan).build());
    let news: [IpAddr; 2] = ["192.168.1.77".parse()?, "fd00:1::77".parse()?];
    for ((server, family), new) in servers.into_iter().zip(0..).zip(news) {
        let server = server?;
        let pair = Pair::connect(&client, &server, both(&server)[family]).await?;
        let (mut stream, old) = (pair.stream().await?, pair.seen());
        assert_eq!(old.ip(), both(&client)[family]);
        client.set_address(&lan, new)?;
        stream.exchange(b"from elsewhere").await?;
        assert_eq!(pair.seen(), SocketAddr::new(new, old.port()));
        pair.transfer(1 << 20).await?;
    }
    Ok(())
}

/// The path to the new address is validated (RFC 9000 §8.2), even if packets of the validation
/// are lost. Then quinn waits for three probe timeouts of an unknown path, a second each, and
/// tries again.
#[netns_test]
async fn a_new_address_is_validated_over_a_lossy_path(net: Net) -> TestResult {
    let lan = net.add_lan("lan").subnet("192.168.1.0/24").subnet("fd00:1::/64").build()?;
    let client = net.add_node("client").join(&lan).build()?;
    let server = net.add_node("server").join(&lan).build()?;
    let pair = Pair::connect(&client, &server, server.ipv4().into()).await?;
    let mut stream = pair.stream().await?;
    let lossy = server.link().condition(lossy())?;
    for last in 77..79 {
        let new: IpAddr = [192, 168, 1, last].into();
        client.set_address(&lan, new)?;
        stream.exchange(b"from elsewhere").await?;
        assert_eq!(pair.seen().ip(), new);
        pair.transfer(1 << 17).await?;
    }
    assert!(lossy.affected() > 0);
    Ok(())
}

/// One packet in 20 is lost, and some are reordered.
fn lossy() -> Condition {
    let condition = Condition::new().loss(Percent::new(5.0));
    condition.delay(Duration::from_millis(2)).reorder(Percent::new(10.0))
}

/// A laptop at home, behind a NAT, with a server and a mobile network outside.
struct World {
    home: Lan,
    mobile: Lan,
    router: Router,
    laptop: Node,
    server: Node,
}

impl World {
    fn build(net: &Net) -> nstest::Result<Self> {
        let internet =
            net.add_lan("internet").subnet("203.0.113.0/24").subnet("2001:db8::/64").build()?;
        let home = net.add_lan("home").subnet("192.168.1.0/24").subnet("fd00:1::/64").build()?;
        let mobile = net.add_lan("mobile").subnet("100.64.0.0/24").subnet("fd00:2::/64").build()?;
        let nat = Nat::CARRIER_GRADE;
        let routes = |name, lan| {
            let router = net.add_router(name).lan(lan).wan(&internet);
            router.nat(nat).nat6(Nat6::Nat(nat)).build()
        };
        let router = routes("router", &home)?;
        routes("mast", &mobile)?;
        let laptop = net.add_node("laptop").join(&home).build()?;
        let server = net.add_node("server").join(&internet).build()?;
        Ok(Self { home, mobile, router, laptop, server })
    }
}

#[netns_test]
async fn a_connection_roams_to_another_network_and_back(net: Net) -> TestResult {
    let world = World::build(&net)?;
    for addr in both(&world.server) {
        let server = world.server.clone();
        let pair = Pair::connect(&world.laptop, &server, addr).await?;
        let (mut stream, at_home) = (pair.stream().await?, pair.seen());
        world.laptop.roam(&world.home, &world.mobile)?;
        stream.exchange(b"from the street").await?;
        let outside = pair.seen();
        assert_ne!(outside.ip(), at_home.ip());
        pair.transfer(1 << 20).await?;
        world.laptop.roam(&world.mobile, &world.home)?;
        stream.exchange(b"from home").await?;
        assert_eq!(pair.seen().ip(), at_home.ip());
    }
    Ok(())
}

#[netns_test]
async fn a_nat_that_forgets_a_mapping_is_only_another_port(net: Net) -> TestResult {
    let world = World::build(&net)?;
    let pair = Pair::connect(&world.laptop, &world.server, world.server.ip()).await?;
    let (mut stream, before) = (pair.stream().await?, pair.seen());
    world.router.flush_nat()?;
    stream.exchange(b"from another port").await?;
    let after = pair.seen();
    assert_eq!(after.ip(), before.ip());
    assert_ne!(after.port(), before.port());
    pair.transfer(1 << 20).await?;
    Ok(())
}

#[netns_test]
async fn a_connection_roams_over_a_lossy_path(net: Net) -> TestResult {
    let world = World::build(&net)?;
    let pair = Pair::connect(&world.laptop, &world.server, world.server.ip()).await?;
    let (mut stream, at_home) = (pair.stream().await?, pair.seen());
    let lossy = world.server.link().condition(lossy())?;
    world.laptop.roam(&world.home, &world.mobile)?;
    stream.exchange(b"from the street").await?;
    assert_ne!(pair.seen().ip(), at_home.ip());
    pair.transfer(1 << 17).await?;
    assert!(lossy.affected() > 0);
    Ok(())
}
