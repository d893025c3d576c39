//! A tunnel at a TUN device: packets of the device travel in UDP.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use nstest::{Condition, Node, Percent, TestResult, netns_test};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio_tun::Tun;

/// Your program: one end of a tunnel.
async fn tunnel(inner: Ipv4Addr, peer: SocketAddr) -> io::Result<()> {
    let device = Tun::builder()
        .name("tun0")
        .address(inner)
        .netmask(Ipv4Addr::new(255, 255, 255, 0))
        .mtu(1400)
        .up()
        .build()
        .map_err(io::Error::other)?
        .remove(0);
    let socket = UdpSocket::bind("0.0.0.0:5000").await?;
    let (mut leaves, mut comes) = ([0; 1500], [0; 1500]);
    loop {
        tokio::select! {
            length = device.recv(&mut leaves) => {
                // While the peer is not there, the packet is lost.
                let _ = socket.send_to(&leaves[..length?], peer).await;
            }
            length = socket.recv(&mut comes) => {
                device.send(&comes[..length?]).await?;
            }
        }
    }
}

fn start(node: &Node, inner: [u8; 4], peer: &Node) {
    let peer = (peer.ip(), 5000).into();
    node.spawn_async(async move { tunnel(inner.into(), peer).await.unwrap() });
}

#[netns_test]
#[ignore = "opens /dev/net/tun, which not all users may; .ci/run makes one for all"]
async fn data_arrives_through_a_tunnel_that_loses_packets(
    office: Node,
    branch: Node,
) -> TestResult {
    let inner = IpAddr::from([10, 8, 0, 1]);
    start(&office, [10, 8, 0, 1], &branch);
    start(&branch, [10, 8, 0, 2], &office);
    branch.wait_reachable_async(inner).await?;

    let listener = office.scope(TcpListener::bind((inner, 80))).await?;
    let serves = office.spawn_async(async move {
        let mut received = Vec::new();
        listener.accept().await?.0.read_to_end(&mut received).await?;
        Ok::<_, io::Error>(received)
    });
    let lossy = branch.link().condition(Condition::new().loss(Percent::new(2.0)))?;
    let sends = branch.spawn_async(async move {
        TcpStream::connect((inner, 80)).await?.write_all(&vec![7; 1 << 18]).await
    });
    sends.await??;
    assert_eq!(serves.await??, vec![7; 1 << 18]);
    assert!(lossy.affected() > 0);
    Ok(())
}
