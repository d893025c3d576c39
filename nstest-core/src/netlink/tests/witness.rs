//! What rtnetlink, which shares no socket code with nstest, reports about a network of ours.

use futures::TryStreamExt;
use rtnetlink::packet_route::address::AddressAttribute;
use rtnetlink::packet_route::link::LinkAttribute;

use super::networks::{Join, ipv4, ipv6, lan};
use crate::testing::isolated;

#[test]
fn rtnetlink_sees_what_we_built() {
    isolated(|| {
        let nodes = lan(2, Join::Hub).unwrap();
        let (names, ips) = nodes[0].ns.enter(look).unwrap();
        assert_eq!(names, ["lo", "eth0"]);
        assert!(ips.contains(&ipv4(0)) && ips.contains(&ipv6(0)), "{ips:?}");
    });
}

fn look() -> (Vec<String>, Vec<std::net::IpAddr>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(async {
        let (connection, handle, _) = rtnetlink::new_connection().unwrap();
        tokio::spawn(connection);
        let links: Vec<_> = handle.link().get().execute().try_collect().await.unwrap();
        let names = links.iter().flat_map(|link| &link.attributes);
        let names = names.filter_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name.clone()),
            _ => None,
        });
        let addresses = handle.address().get().execute();
        let addresses: Vec<_> = addresses.try_collect().await.unwrap();
        let ips = addresses.iter().flat_map(|address| &address.attributes);
        let ips = ips.filter_map(|attribute| match attribute {
            AddressAttribute::Address(ip) => Some(*ip),
            _ => None,
        });
        (names.collect(), ips.collect())
    })
}
