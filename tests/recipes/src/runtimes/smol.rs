//! smol, and an answer that is late.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use nstest::{Node, TestResult, netns_test};
use smol::Timer;
use smol::future::or;
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};

/// Your server: says hello to each client.
async fn serve() -> io::Result<()> {
    let listener = TcpListener::bind("0.0.0.0:80").await?;
    loop {
        listener.accept().await?.0.write_all(b"hello").await?;
    }
}

/// Your client: waits for half a second.
async fn fetch(server: SocketAddr) -> io::Result<String> {
    let fetch = async {
        let mut text = String::new();
        TcpStream::connect(server).await?.read_to_string(&mut text).await?;
        Ok(text)
    };
    let gives_up = async {
        Timer::after(Duration::from_millis(500)).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    or(fetch, gives_up).await
}

#[netns_test]
fn a_client_does_not_wait_for_ever(server: Node) -> TestResult {
    server.spawn(|| smol::block_on(serve()).unwrap());
    server.wait_listening(80)?;
    let address = (server.ip(), 80).into();
    assert_eq!(smol::block_on(fetch(address))?, "hello");

    server.link().down()?;
    let error = smol::block_on(fetch(address)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    server.link().up()?;
    assert_eq!(smol::block_on(fetch(address))?, "hello");
    Ok(())
}
