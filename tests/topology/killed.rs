//! Connections that are killed while they are established.

use std::io::{ErrorKind, Read};
use std::net::{IpAddr, TcpListener, TcpStream};

use nstest::{ErrorCode, Net, Node, TestResult, netns_test};

#[netns_test]
fn both_ends_learn_of_it(server: Node, net: Net) -> TestResult {
    let addrs: [IpAddr; 2] = [server.ip(), server.ipv6().into()];
    for addr in addrs {
        let listener = server.run(|| TcpListener::bind((addr, 80)))?;
        let mut client = TcpStream::connect((addr, 80))?;
        let (mut served, _) = listener.accept()?;
        assert_eq!(server.kill_connections(80)?, 1);
        let own = served.read(&mut [0]).unwrap_err();
        assert_eq!(own.kind(), ErrorKind::ConnectionAborted);
        let others = client.read(&mut [0]).unwrap_err();
        assert_eq!(others.kind(), ErrorKind::ConnectionReset);
        // The listener is not a connection.
        drop((client, served));
        TcpStream::connect((addr, 80))?;
        let error = server.kill_connections(81).unwrap_err();
        assert_eq!(error.code(), ErrorCode::NotFound);
    }
    assert!(net.local().kill_connections(443).is_err());
    Ok(())
}
