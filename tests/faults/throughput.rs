//! The throughput of TCP over a link with a rate.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use nstest::{Condition, Net, Node, Rate, TestResult, netns_test};

use crate::stream::{both, in_time};

const OCTETS: usize = 1_500_000;

/// 12 Mbit at 20 Mbit/s, with 1448 bytes (IPv6: 1428) in each 1514 of a frame.
#[netns_test]
fn tcp_is_as_fast_as_the_link(server: Node, net: Net) -> TestResult {
    let condition = Condition::new().rate(Rate::mbit(20));
    for ip in both(&server) {
        let listener = server.run(|| TcpListener::bind((ip, 0)))?;
        let paced = server.link().condition(condition)?;
        in_time(|| {
            let mut client = net.local().run(|| TcpStream::connect(listener.local_addr()?))?;
            let (mut served, _) = listener.accept()?;
            let reader = std::thread::spawn(move || -> std::io::Result<usize> {
                let mut all = Vec::new();
                served.read_to_end(&mut all)?;
                Ok(all.len())
            });
            let start = Instant::now();
            client.write_all(&vec![7; OCTETS])?;
            client.shutdown(Shutdown::Write)?;
            assert_eq!(reader.join().expect("no panic")?, OCTETS);
            let took = start.elapsed();
            let payload = if ip.is_ipv4() { 1448.0 } else { 1428.0 };
            let ideal = Duration::from_secs_f64(OCTETS as f64 * 8.0 / 20e6 * 1514.0 / payload);
            println!("{ip}: {took:?} for {ideal:?}");
            assert!(took >= ideal, "{ip}: {took:?} for {ideal:?}");
            Ok(took < ideal.mul_f64(1.5) + Duration::from_millis(300))
        })?;
        paced.end()?;
    }
    Ok(())
}
