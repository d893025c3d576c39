//! Services that are announced by multicast DNS, with mdns-sd.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use mdns_sd::{ServiceDaemon, ServiceEvent, ServiceInfo};
use nstest::{Net, Node, TestResult, netns_test};

const KIND: &str = "_printer._tcp.local.";

/// Your code: announces a printer at these addresses, as long as the value exists.
fn announce(addresses: &[IpAddr]) -> mdns_sd::Result<ServiceDaemon> {
    let daemon = ServiceDaemon::new()?;
    let none: [(&str, &str); 0] = [];
    let printer = ServiceInfo::new(KIND, "inkjet", "inkjet.local.", addresses, 631, &none[..])?;
    daemon.register(printer)?;
    Ok(daemon)
}

/// Your code: the addresses of the first printer that it finds.
fn find(patience: Duration) -> mdns_sd::Result<Option<Vec<IpAddr>>> {
    let events = ServiceDaemon::new()?.browse(KIND)?;
    let deadline = Instant::now() + patience;
    while let Ok(event) = events.recv_deadline(deadline) {
        if let ServiceEvent::ServiceResolved(printer) = event {
            return Ok(Some(printer.get_addresses().iter().copied().collect()));
        }
    }
    Ok(None)
}

#[netns_test]
fn a_printer_is_found_in_its_lan_although_packets_are_lost(
    printer: Node,
    laptop: Node,
    net: Net,
) -> TestResult {
    let street = net.add_lan("street").build()?;
    let stranger = net.add_node("stranger").join(&street).build()?;
    let addresses = printer.ips();
    // A thread of the node: mdns-sd reads the node's list of interfaces.
    let known = addresses.clone();
    let _daemon = printer.spawn(move || announce(&known)).join().expect("no panic")?;

    let lost = net.inject("laptop ingress udp dport 5353 first 2: drop".parse()?)?;
    let found = laptop.spawn(|| find(Duration::from_secs(30))).join().expect("no panic")?;
    let found = found.expect("a printer");
    assert!(!found.is_empty() && found.iter().all(|address| addresses.contains(address)));
    assert_eq!(lost.affected(), 2);

    let found = stranger.spawn(|| find(Duration::from_secs(1))).join().expect("no panic")?;
    assert_eq!(found, None, "multicast does not leave a LAN");
    Ok(())
}
