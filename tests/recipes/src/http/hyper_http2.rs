//! An HTTP/2 connection that is dead, and looks alive.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2::SendRequest;
use hyper::service::service_fn;
use hyper::{Request, Response, client, server};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use nstest::{Node, TestResult, netns_test};
use tokio::net::{TcpListener, TcpStream};

/// Your server: says hello.
async fn serve() -> io::Result<()> {
    let listener = TcpListener::bind("[::]:80").await?;
    let hello = |_: Request<Incoming>| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("hello"))))
    };
    loop {
        let stream = TokioIo::new(listener.accept().await?.0);
        let http2 = server::conn::http2::Builder::new(TokioExecutor::new());
        tokio::spawn(http2.serve_connection(stream, service_fn(hello)));
    }
}

/// Your client: a connection for all requests. A PING frame every half second must be answered
/// within another second.
async fn connect() -> TestResult<SendRequest<Empty<Bytes>>> {
    let stream = TokioIo::new(TcpStream::connect("server:80").await?);
    let (requests, connection) = client::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_millis(500))
        .keep_alive_timeout(Duration::from_secs(1))
        .handshake(stream)
        .await?;
    tokio::spawn(connection);
    Ok(requests)
}

async fn get(connection: &mut SendRequest<Empty<Bytes>>) -> hyper::Result<Bytes> {
    let request = Request::get("http://server/").body(Empty::new()).expect("a request");
    Ok(connection.send_request(request).await?.collect().await?.to_bytes())
}

#[netns_test]
async fn a_ping_finds_out_that_a_connection_is_dead(server: Node) -> TestResult {
    server.spawn_async(serve());
    server.wait_listening_async(80).await?;
    let mut connection = connect().await?;
    assert_eq!(get(&mut connection).await?, "hello");

    // No packet says that the server is gone: TCP would repeat the request for 15 minutes.
    server.link().down()?;
    assert!(get(&mut connection).await.unwrap_err().is_timeout());
    assert!(connection.is_closed());

    server.link().up()?;
    assert_eq!(get(&mut connect().await?).await?, "hello");
    Ok(())
}
