//! The arguments of the attribute that shape the test's network, and the network
//! for code that has no parameter.

use std::fs;
use std::net::{IpAddr, TcpListener, TcpStream};

use nstest::{ErrorCode, Net, Node, TestResult, net, netns_test};
use nstest_tests::fixtures::{fails, fixture};

fn mtu_of(interface: &str) -> String {
    fs::read_to_string(format!("/sys/class/net/{interface}/mtu")).unwrap().trim().to_owned()
}

fn addrs(node: &Node) -> Vec<String> {
    node.ips().iter().map(IpAddr::to_string).collect()
}

#[netns_test(peers = 3)]
fn peers_without_parameters(net: Net) -> TestResult {
    let names: Vec<_> = net.nodes().iter().map(|node| node.name().to_owned()).collect();
    assert_eq!(names, ["peer1", "peer2", "peer3"]);
    for node in net.nodes() {
        node.wait_reachable(net.local().ip())?;
    }
    assert_eq!(net.node("peer3")?.ip().to_string(), "10.0.2.4");
    Ok(())
}

#[netns_test(peers = 1)]
fn peers_come_behind_parameters(net: Net, server: Node) -> TestResult {
    assert_eq!(server.ip().to_string(), "10.0.2.2");
    assert_eq!(net.node("peer1")?.ip().to_string(), "10.0.2.3");
    Ok(())
}

#[netns_test(subnet = "10.9.0.0/24")]
fn one_subnet_moves_one_family(server: Node) {
    assert_eq!(addrs(&server), ["10.9.0.2", "fd00:2::2"]);
}

#[netns_test(subnet = ["fd09::/64", "10.9.0.0/28"])]
fn two_subnets_move_both(server: Node, net: Net) {
    assert_eq!(addrs(&server), ["10.9.0.2", "fd09::2"]);
    assert_eq!(addrs(&net.local()), ["10.9.0.1", "fd09::1"]);
}

#[netns_test(mtu = 9000)]
fn mtu(_server: Node) {
    assert_eq!(mtu_of("eth0"), "9000");
}

#[netns_test(mtu = 576, ipv6 = false)]
fn without_ipv6(server: Node) -> TestResult {
    assert_eq!(addrs(&server), ["10.0.2.2"]);
    assert_eq!(mtu_of("eth0"), "576");
    TcpListener::bind("[::1]:0").unwrap_err();
    server.run(|| TcpListener::bind("[::1]:0")).unwrap_err();
    let listener = server.run(|| TcpListener::bind("0.0.0.0:80"))?;
    TcpStream::connect((server.ip(), 80))?;
    drop(listener);
    Ok(())
}

#[netns_test(ipv6 = false)]
fn without_ipv6_and_without_a_network() {
    TcpListener::bind("127.0.0.1:0").unwrap();
    TcpListener::bind("[::1]:0").unwrap_err();
}

/// A helper function that several tests could share.
fn add_server(name: &str) -> nstest::Result<Node> {
    let lan = net().lan("peers")?;
    net().add_node(name).join(&lan).build()
}

#[netns_test]
fn the_ambient_network_is_the_parameters(a: Node, _b: Node) -> TestResult {
    let server = add_server("server")?;
    a.wait_reachable(server.ip())?;
    assert_eq!(net().nodes().len(), 3);
    assert_eq!(net().node("a")?, a);
    Ok(())
}

#[netns_test]
fn the_ambient_network_is_made_when_asked_for() -> TestResult {
    assert!(net().nodes().is_empty());
    assert_eq!(net().local().try_ip().unwrap_err().code(), ErrorCode::NoAddress);
    let lan = net().add_lan("lan").build()?;
    net().local().join(&lan)?;
    let server = net().add_node("server").join(&lan).build()?;
    server.wait_reachable(net().local().ip())?;
    Ok(())
}

#[netns_test(peers = 2)]
fn the_ambient_network_on_other_threads() {
    let nodes = std::thread::spawn(|| net().nodes()).join().unwrap();
    assert_eq!(nodes, net().nodes());
    let from_within = nodes[0].spawn(|| net().nodes().len()).join().unwrap();
    assert_eq!(from_within, 2);
}

#[netns_test(peers = 1)]
async fn the_ambient_network_in_tasks() {
    let name = tokio::spawn(async { net().nodes()[0].name().to_owned() }).await.unwrap();
    assert_eq!(name, "peer1");
}

#[test]
#[should_panic(expected = "`nstest::net()` outside of a test")]
fn the_ambient_network_outside_of_a_test() {
    let _ = net();
}

mod failing {
    use nstest::{Fixture, FixtureContext, FixtureParam, NetworkSpec};

    use super::*;

    #[netns_test(peers = 3)]
    #[ignore = "fixture of another test"]
    fn peers_unused() {}

    #[netns_test(subnet = "10.9.0.0/24")]
    #[ignore = "fixture of another test"]
    fn subnet_unused() {}

    #[netns_test(mtu = 1400)]
    #[ignore = "fixture of another test"]
    fn mtu_of_nothing(_net: Net) {}

    #[netns_test(subnet = "127.0.0.0/8")]
    #[ignore = "fixture of another test"]
    fn subnet_of_loopback(_server: Node) {}

    #[netns_test(mtu = 1400)]
    #[ignore = "fixture of another test"]
    #[should_panic]
    fn no_panic_of_the_tests() {
        let _ = net();
    }

    struct Hasty;

    impl Fixture for Hasty {
        type Plan = ();

        fn plan(_: &mut NetworkSpec, _: FixtureParam<'_>) -> nstest::Result<()> {
            let _ = net();
            Ok(())
        }

        fn setup((): (), _: &FixtureContext) -> nstest::Result<Self> {
            Ok(Self)
        }
    }

    #[netns_test]
    #[ignore = "fixture of another test"]
    fn planned_too_late(_hasty: Hasty, _server: Node) {}
}

#[test]
fn what_has_no_effect_fails() {
    let unused = "nothing in it asked for its network";
    let check = |name: &str, wanted: &[&str]| {
        fails(fixture(&format!("arguments::failing::{name}")), wanted);
    };
    check("peers_unused", &["nstest[config]: give the test `peers = 3`", unused]);
    check("subnet_unused", &["nstest[config]: give the test `subnet = \"10.9.0.0/24\"`", unused]);
    check(
        "mtu_of_nothing",
        &["nstest[config]: give the test's network `mtu = 1400`", "no `peers`"],
    );
    check("subnet_of_loopback", &["nstest[subnet]", "127.0.0.0/8"]);
    check("no_panic_of_the_tests", &["nstest[config]", "did not panic as expected"]);
    check("planned_too_late", &["nstest[config]", "before all parameters were planned"]);
}
