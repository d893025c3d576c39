//! `Node::rtnetlink`: tests that change the tables of a node themselves.

use std::net::{IpAddr, Ipv4Addr};

use futures::TryStreamExt;
use nstest::rtnetlink::packet_route::address::AddressAttribute;
use nstest::rtnetlink::packet_route::link::LinkAttribute;
use nstest::rtnetlink::packet_route::route::RouteMessage;
use nstest::rtnetlink::{Handle, RouteMessageBuilder};
use nstest::{Error, ErrorCode, Net, Node, TestResult, netns_test};

const NETWORK: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 0);

fn route_via(gateway: Ipv4Addr) -> RouteMessage {
    RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(NETWORK, 24).gateway(gateway).build()
}

async fn has(handle: &Handle, route: &RouteMessage) -> Result<bool, nstest::rtnetlink::Error> {
    let all = RouteMessageBuilder::<Ipv4Addr>::new().build();
    let routes: Vec<_> = handle.route().get(all).execute().try_collect().await?;
    Ok(routes.iter().any(|found| {
        found.header.destination_prefix_length == route.header.destination_prefix_length
            && route.attributes.iter().all(|wanted| found.attributes.contains(wanted))
    }))
}

#[netns_test]
async fn a_route_is_added_in_the_node_and_only_there(router: Node, net: Net) -> TestResult {
    let route = route_via(net.local().ipv4());
    let handle = router.rtnetlink()?;
    assert!(!has(&handle, &route).await?);
    handle.route().add(route.clone()).execute().await?;
    assert!(has(&handle, &route).await?);
    assert!(!has(&net.local().rtnetlink()?, &route).await?);
    handle.route().del(route.clone()).execute().await?;
    assert!(!has(&handle, &route).await?);
    Ok(())
}

#[netns_test(flavor = "multi_thread", worker_threads = 2)]
async fn an_added_address_answers(server: Node) -> TestResult {
    let handle = server.rtnetlink()?;
    let links: Vec<_> = handle.link().get().execute().try_collect().await?;
    let eth0 = links
        .iter()
        .find(|link| link.attributes.contains(&LinkAttribute::IfName("eth0".into())))
        .expect("the node's interface");
    let added = Ipv4Addr::new(10, 0, 2, 99);
    handle.address().add(eth0.header.index, added.into(), 24).execute().await?;
    server.run(|| std::net::TcpListener::bind((added, 7000)).map(drop))?;
    let addresses: Vec<_> = handle.address().get().execute().try_collect().await?;
    let local = AddressAttribute::Local(IpAddr::from(added));
    assert!(addresses.iter().any(|address| address.attributes.contains(&local)));
    Ok(())
}

#[netns_test]
async fn works_in_a_task_of_the_node(router: Node) -> TestResult {
    let node = router.clone();
    let task = router.spawn_async(async move {
        let links: Vec<_> = node.rtnetlink()?.link().get().execute().try_collect().await?;
        TestResult::Ok(links.len())
    });
    assert_eq!(task.await??, 2);
    Ok(())
}

#[netns_test]
fn without_a_runtime_it_is_an_error(router: Node) {
    let error: Error = router.rtnetlink().map(drop).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Netlink);
    expect_test::expect![[r#"
        nstest[netlink]: open an rtnetlink connection in node router
          cause: there is no reactor running, must be called from the context of a Tokio 1.x runtime
          help: call `rtnetlink()` in an `async fn` test, or inside of `block_on` of a tokio runtime with `enable_io`"#]].assert_eq(&format!("{error:?}"));
}
