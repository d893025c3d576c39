//! Networks that fall apart.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use nstest::{Net, Node, Reached, TestResult, netns_test};

#[netns_test]
fn a_minority_is_apart(a: Node, b: Node, c: Node, net: Net) -> TestResult {
    let talk = |from: &Node, to: &Node| -> nstest::Result<bool> {
        let found = from.reach_with((to.ip(), 80), &[], Duration::from_millis(100))?;
        Ok(found.reached() == Reached::Connected)
    };
    let _listeners: Vec<TcpListener> = [&a, &b, &c]
        .iter()
        .map(|node| node.run(|| TcpListener::bind("0.0.0.0:80")))
        .collect::<Result<_, _>>()?;
    let apart = net.partition(&[&[&a], &[&b, &c]])?;
    for (x, y) in [(&a, &b), (&c, &a), (&b, &c), (&c, &b)] {
        println!("{}", x.reach_with((y.ip(), 80), &[], Duration::from_millis(1000))?);
    }
    assert!(!talk(&a, &b)? && !talk(&c, &a)? && talk(&b, &c)? && talk(&c, &b)?);
    assert!(talk(&net.local(), &a)? && talk(&net.local(), &c)?, "it is in no group");
    assert!(apart.touched() > 0);
    net.heal()?;
    assert!(talk(&a, &b)? && talk(&c, &a)?);
    let _ = TcpStream::connect((a.ip(), 80))?;
    Ok(())
}
