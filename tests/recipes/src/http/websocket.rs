//! A WebSocket client behind a NAT, which connects again.

use futures::{SinkExt, StreamExt};
use nstest::{Nat, Net, TestResult, netns_test};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, accept_async, connect_async};

/// Your server: answers each number with the next one, and reports each connection.
async fn serve(connections: mpsc::UnboundedSender<()>) -> std::io::Result<()> {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    loop {
        let stream = listener.accept().await?.0;
        connections.send(()).unwrap();
        tokio::spawn(async move {
            let mut socket = accept_async(stream).await?;
            while let Some(Ok(Message::Text(number))) = socket.next().await {
                let next = number.parse::<u32>().unwrap() + 1;
                socket.send(next.to_string().into()).await?;
            }
            Ok::<_, Error>(())
        });
    }
}

/// Your client: asks for the number after its last one. If its connection has failed, it
/// connects again and repeats the question.
#[derive(Default)]
struct Counter {
    last: u32,
    socket: Option<WebSocketStream<MaybeTlsStream<TcpStream>>>,
}

impl Counter {
    async fn count(&mut self) -> Result<u32, Error> {
        let next = match self.ask().await {
            Err(_) if self.socket.take().is_some() => self.ask().await?,
            other => other?,
        };
        self.last = next;
        Ok(next)
    }

    async fn ask(&mut self) -> Result<u32, Error> {
        let socket = match &mut self.socket {
            Some(socket) => socket,
            None => self.socket.insert(connect_async("ws://server/").await?.0),
        };
        socket.send(self.last.to_string().into()).await?;
        let answer = socket.next().await.ok_or(Error::ConnectionClosed)??;
        Ok(answer.to_text()?.parse().expect("a number"))
    }
}

#[netns_test]
async fn a_client_connects_again_when_its_nat_has_forgotten_it(net: Net) -> TestResult {
    let internet = net.add_lan("internet").subnet("203.0.113.0/24").build()?;
    let home = net.add_lan("home").subnet("192.168.1.0/24").build()?;
    let router = net.add_router("router").lan(&home).wan(&internet).nat(Nat::PORT_RESTRICTED);
    let router = router.build()?;
    let laptop = net.add_node("laptop").join(&home).build()?;
    let server = net.add_node("server").join(&internet).build()?;
    let (reports, mut connections) = mpsc::unbounded_channel();
    server.spawn_async(serve(reports));
    server.wait_listening_async(80).await?;

    let counts = laptop.spawn_async(async move {
        let mut counter = Counter::default();
        assert_eq!((counter.count().await?, counter.count().await?), (1, 2));
        // Its packets come from another port now. The server does not know that connection, and
        // resets it.
        router.rebind().expect("the router is there");
        assert_eq!((counter.count().await?, counter.count().await?), (3, 4));
        Ok::<_, Error>(())
    });
    counts.await??;
    assert_eq!((connections.recv().await, connections.recv().await), (Some(()), Some(())));
    assert!(connections.try_recv().is_err());
    Ok(())
}
