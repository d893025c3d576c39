//! proptest: properties of a protocol over a network that loses packets.

use std::collections::BTreeSet;
use std::io;
use std::net::UdpSocket;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nstest::netns_test;
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

/// Your sender: sends each value until it is acknowledged.
fn send(socket: &UdpSocket, values: &[u8]) -> io::Result<()> {
    socket.set_read_timeout(Some(Duration::from_millis(20)))?;
    for (number, value) in (0..).zip(values) {
        let mut acknowledged = None;
        while acknowledged != Some(number) {
            socket.send(&[number, *value])?;
            let mut answer = [0];
            match socket.recv(&mut answer) {
                Ok(_) => acknowledged = Some(answer[0]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Your receiver: keeps each value that is new, and acknowledges all.
fn receive(socket: &UdpSocket, values: &Mutex<Vec<u8>>) -> io::Result<()> {
    let mut buffer = [0; 2];
    loop {
        let (_, from) = socket.recv_from(&mut buffer)?;
        let mut values = values.lock().unwrap();
        if usize::from(buffer[0]) == values.len() {
            values.push(buffer[1]);
        }
        socket.send_to(&buffer[..1], from)?;
    }
}

/// Sends the values to the node `peer1`, while the packets with these numbers are lost. Returns
/// what has arrived.
fn transfer(values: &[u8], lost: &BTreeSet<u8>) -> nstest::TestResult<Vec<u8>> {
    let (net, arrived) = (nstest::net(), Arc::default());
    let peer = net.node("peer1")?;
    let receiver = peer.run(|| UdpSocket::bind("0.0.0.0:0"))?;
    let sender = UdpSocket::bind("0.0.0.0:0")?;
    sender.connect((peer.ip(), receiver.local_addr()?.port()))?;
    let keeps = Arc::clone(&arrived);
    peer.spawn(move || receive(&receiver, &keeps));

    let drops = lost.iter().map(|number| format!("peer1 udp nth {number}: drop optional\n"));
    net.apply(&drops.collect::<String>().parse()?)?;
    send(&sender, values)?;
    net.end_faults()?;
    let arrived = arrived.lock().unwrap().clone();
    Ok(arrived)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[netns_test(peers = 1)]
    fn values_arrive_once_and_in_order(
        values in vec(any::<u8>(), 1..5),
        lost in btree_set(1..9u8, 0..4),
    ) {
        prop_assert_eq!(transfer(&values, &lost).unwrap(), values);
    }
}
