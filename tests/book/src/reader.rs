//! Stand-ins for the reader's own code, which blocks use without importing it.

use nstest::{Node, TestResult};

/// A client of the reader's own.
pub(crate) mod my_client {
    use std::io;
    use std::net::{IpAddr, TcpStream};

    pub(crate) fn fetch(server: IpAddr) -> io::Result<()> {
        TcpStream::connect((server, 80)).map(drop)
    }

    pub(crate) fn connect(name: &str) -> io::Result<TcpStream> {
        TcpStream::connect((name, 80))
    }
}

/// A network stack of the reader's own.
pub(crate) mod my_stack {
    use std::io;
    use std::net::Ipv4Addr;

    pub(crate) struct PacketSocket;

    impl PacketSocket {
        pub(crate) fn open(_interface: &str) -> io::Result<Self> {
            Ok(Self)
        }
    }

    pub(crate) fn serve_echo(_socket: PacketSocket, _address: Ipv4Addr, _port: u16) {}
}

/// A shop of the reader's own: takes an order, and counts it.
pub(crate) fn order(_server: &Node, _number: u32) -> TestResult {
    Ok(())
}

pub(crate) fn counted(_server: &Node) -> u32 {
    1
}
