//! Multicast DNS (RFC 6762) across a LAN: a service is announced in one node and
//! found in another. A node on another LAN does not find it.

use std::net::IpAddr;
use std::time::Duration;

use mdns_sd::{ServiceDaemon, ServiceEvent, ServiceInfo};
use nstest::{Net, Node, TestResult, netns_test};

const KIND: &str = "_printer._tcp.local.";

/// Whether a service is found at this address. What is known of a service grows
/// with each answer, one for each address family.
fn finds(wanted: IpAddr, patience: Duration) -> bool {
    let daemon = ServiceDaemon::new().expect("start a daemon");
    let events = daemon.browse(KIND).expect("browse");
    let end = std::time::Instant::now() + patience;
    while let Ok(event) = events.recv_deadline(end) {
        if let ServiceEvent::ServiceResolved(service) = event {
            if service.get_addresses().contains(&wanted) {
                return true;
            }
        }
    }
    false
}

#[netns_test]
fn a_service_is_found_across_the_lan(printer: Node, laptop: Node, net: Net) -> TestResult {
    let elsewhere = net.add_lan("elsewhere").build()?;
    let stranger = net.add_node("stranger").join(&elsewhere).build()?;
    let addrs = printer.ips();
    let _daemon = printer
        .spawn(move || {
            let daemon = ServiceDaemon::new().expect("start a daemon");
            let properties: [(&str, &str); 0] = [];
            let service =
                ServiceInfo::new(KIND, "inkjet", "inkjet.local.", &addrs[..], 631, &properties[..]);
            daemon.register(service.expect("a service")).expect("register");
            daemon
        })
        .join()
        .expect("no panic");
    let ip = printer.ip();
    assert!(laptop.spawn(move || finds(ip, Duration::from_secs(30))).join().expect("no panic"));
    // No event shows that nothing will come, so this waits for a fixed time.
    assert!(!stranger.spawn(move || finds(ip, Duration::from_secs(1))).join().expect("no panic"));
    Ok(())
}
