//! A retry of an operation that must not be repeated.

use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nstest::{Node, TestResult, netns_test};

use crate::found::explore;

const PATIENCE: Duration = Duration::from_millis(700);

/// Counts orders of one byte each. With `remembers`, it recognises an order by its number,
/// and does not count it again.
fn serve(server: &Node, remembers: bool) -> io::Result<Arc<AtomicU32>> {
    let listener = server.run(|| TcpListener::bind("0.0.0.0:7000"))?;
    let count = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&count);
    server.spawn(move || {
        let mut seen = HashSet::new();
        for stream in listener.incoming() {
            let _ = stream.and_then(|mut stream| {
                let mut order = [0];
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.read_exact(&mut order)?;
                if seen.insert(order) || !remembers {
                    counted.fetch_add(1, Ordering::SeqCst);
                }
                stream.write_all(b"k")
            });
        }
    });
    Ok(count)
}

fn order(server: SocketAddr, number: u8) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&[number])?;
    stream.read_exact(&mut [0])
}

fn orders_once(server: &Node, remembers: bool) -> TestResult {
    let count = serve(server, remembers)?;
    let ordered = (0..3).any(|_| order((server.ip(), 7000).into(), 7).is_ok());
    let count = count.load(Ordering::SeqCst);
    assert!(count <= 1 && (!ordered || count == 1), "ordered once, counted {count} times");
    Ok(())
}

#[netns_test(explore(then reset, drop))]
#[ignore = "fixture of another test"]
fn counts_twice(server: Node) -> TestResult {
    orders_once(&server, false)
}

#[netns_test(explore(then cut, then blackhole, then reset, drop, duplicate, delay))]
fn an_order_with_a_number_survives(server: Node) -> TestResult {
    orders_once(&server, true)
}

/// The order arrives, and its answer does not: the reset follows the packet.
#[test]
fn an_order_that_is_counted_twice_is_found() {
    let found = explore("retries::counts_twice");
    let plan = "server ingress tcp port 7000 #1 data nth 1: then reset";
    assert_eq!(found.plans, [plan], "{}", found.text);
    found.repeats("retries::counts_twice", "ordered once, counted 2 times");
}
