use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// Asks a server for its stock.
pub fn stock(server: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(server)?;
    stream.write_all(b"stock?\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use nstest::{Node, TestResult, netns_test};
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    /// Starts a server on a node. It answers once.
    fn serve(node: &Node) -> TestResult {
        let listener = node.run(|| TcpListener::bind("0.0.0.0:7000"))?;
        node.spawn(move || {
            let (mut stream, _) = listener.accept()?;
            BufReader::new(&stream).read_line(&mut String::new())?;
            stream.write_all(b"42\n")
        });
        Ok(())
    }

    #[netns_test]
    fn the_server_answers(server: Node) -> TestResult {
        serve(&server)?;
        assert_eq!(super::stock(server.addr(7000))?, "42\n");
        Ok(())
    }

    #[netns_test(timeout = "5s")]
    #[ignore = "it fails: docs/picture/make runs it"]
    fn a_lost_server_is_an_error(server: Node) -> TestResult {
        serve(&server)?;
        server.link().drop_packets(nstest::Packets::tcp().from(server.ip()))?;
        assert!(super::stock(server.addr(7000)).is_err());
        Ok(())
    }
}
