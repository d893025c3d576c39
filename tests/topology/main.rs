//! Networks as a test author writes them.
#![deny(unsafe_code)]

mod accounts;
mod addresses;
mod arguments;
mod builder;
mod changes;
mod command;
mod command_async;
mod firewall;
mod forwarding;
mod growth;
mod icmp;
mod inside;
mod joined;
mod killed;
mod link;
mod multicast;
mod names;
mod nat;
mod offloads;
mod open_files;
mod probe;
mod probing;
mod readdressed;
mod refusals;
mod restoring;
mod routing;
mod rtnetlink;
mod seed;
mod settings;
mod shell;
mod stacks;
mod taken;
mod undoing;
mod unjoined;
mod unplugged;
mod waiting;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use nstest::{Net, Node, TestResult, netns_test};
use nstest_tests::programs::find;

#[netns_test]
fn pair(server: Node) -> TestResult {
    for ip in [server.ip(), server.ipv6().into()] {
        let listener = server.run(|| TcpListener::bind((ip, 7000)))?;
        let mut client = TcpStream::connect((ip, 7000))?;
        client.write_all(b"x")?;
        let (mut stream, from) = listener.accept()?;
        stream.read_exact(&mut [0])?;
        println!("{from}");
    }
    Ok(())
}

#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip and ping; run ./check test")]
fn lan(a: Node, b: Node, c: Node, net: Net) -> TestResult {
    println!("{net:?} {:?}", net.notes());
    a.wait_reachable(b.ip())?;
    c.wait_reachable(net.local().ipv6())?;
    let out = b.command(find("ping")).args(["-c1", "a"]).output()?;
    print!("{}", String::from_utf8_lossy(&out.stdout));
    let out = b
        .command("sh")
        .args(["-c", "hostname; ls /sys/class/net; ip a; cat /etc/hosts; ip netns list; ip route"])
        .output()?;
    print!("{}", String::from_utf8_lossy(&out.stdout));
    a.link().down()?;
    assert!(
        b.run(|| TcpStream::connect_timeout(
            &(a.ip(), 1).into(),
            std::time::Duration::from_millis(100)
        ))
        .is_err()
    );
    a.link().up()?;
    b.wait_reachable(a.ip())?;
    Ok(())
}

#[derive(nstest::Fixture)]
struct Cluster<T> {
    alice: Node,
    r#mod: T,
    rest: Rest,
}

#[derive(nstest::Fixture)]
struct Rest(Node);

#[netns_test]
fn derived(cluster: Cluster<Node>, last: Rest) -> TestResult {
    let names = [&cluster.alice, &cluster.r#mod, &cluster.rest.0, &last.0].map(Node::name);
    assert_eq!(names, ["alice", "mod", "rest", "last"]);
    cluster.alice.wait_reachable(last.0.ip())?;
    Ok(())
}
