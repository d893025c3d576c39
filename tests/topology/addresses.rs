//! The addresses of nodes, as tests ask for them.

use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};

use nstest::{ErrorCode, Fixture, Net, Node, TestResult, netns_test};

#[netns_test]
fn a_port_of_a_node_is_a_socket_address(server: Node, net: Net) -> TestResult {
    assert_eq!(server.addr(7000), SocketAddr::new(server.ip(), 7000));
    let _listener = server.run(|| TcpListener::bind(server.addr(7000)))?;
    TcpStream::connect(server.addr(7000))?;
    net.local().probe(server.addr(7000))?.assert(nstest::ProbeOutcome::Connected);
    Ok(())
}

#[netns_test]
fn a_node_stands_for_its_address(server: Node, net: Net) -> TestResult {
    net.local().wait_reachable(&server)?;
    assert_eq!(IpAddr::from(&server), server.ip());
    let lan = net.add_lan("lan").build()?;
    let router = net.add_router("router").lan(&lan).build()?;
    let node = net.add_node("node").join(&lan).route("203.0.113.0/24", &router).build()?;
    node.wait_reachable(&router)?;
    node.remove_route("203.0.113.0/24")?;
    Ok(())
}

#[netns_test]
fn a_node_has_an_address_on_each_lan(peer: Node, net: Net) -> TestResult {
    let [home, internet, ipv6] = [
        net.add_lan("home").subnet("192.168.1.0/24").build()?,
        net.add_lan("internet").subnet("203.0.113.0/24").subnet("2001:db8::/64").build()?,
        net.add_lan("ipv6").without_ipv4().build()?,
    ];
    let router = net.add_router("router").lan(&home).wan(&internet).build()?;
    assert_eq!(router.ip_on(&home)?, "192.168.1.254".parse::<IpAddr>()?);
    assert_eq!(router.ip_on(&internet)?, "203.0.113.1".parse::<IpAddr>()?);
    assert_eq!(
        router.ips_on(&internet)?,
        ["203.0.113.1", "2001:db8::1"].map(|ip| ip.parse::<IpAddr>().unwrap())
    );
    assert_eq!(router.ip_on(&ipv6).unwrap_err().code(), ErrorCode::NotFound);
    peer.join(&ipv6)?;
    let [ip] = peer.ips_on(&ipv6)?[..] else { panic!("one address") };
    assert_eq!(peer.ip_on(&ipv6)?, ip);
    assert!(ip.is_ipv6());
    Ok(())
}

#[derive(Fixture)]
struct Shard {
    leader: Node,
    followers: [Node; 2],
}

#[netns_test]
fn arrays_make_numbered_nodes(
    db: [Node; 3],
    _v2: [Node; 2],
    shard: Shard,
    [left, right]: [Node; 2],
    none: [Node; 0],
    net: Net,
) -> TestResult {
    assert_eq!(db.each_ref().map(Node::name), ["db1", "db2", "db3"]);
    assert_eq!(_v2.each_ref().map(Node::name), ["v2-1", "v2-2"]);
    assert_eq!(shard.leader.name(), "leader");
    assert_eq!(shard.followers.each_ref().map(Node::name), ["followers1", "followers2"]);
    assert_eq!([left.name(), right.name()], ["arg4-1", "arg4-2"]);
    assert!(none.is_empty());
    assert_eq!(net.nodes().len(), 10);
    db[0].wait_reachable(&right)?;
    Ok(())
}
