//! What the blocks use without importing it, and stand-ins for the reader's own code.

pub(crate) use std::io::{Read, Write};
pub(crate) use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
pub(crate) use std::time::Duration;

pub(crate) use nstest::{
    Action, Condition, Error, Fault, Fixture, FixtureContext, FixtureParam, GilbertElliott, Jitter,
    Lan, Nat, Nat6, NatFiltering, NatMapping, Net, NetworkSpec, Node, Occurrence, PacketKind,
    Packets, Percent, Plan, ProbeOutcome, Rate, Router, TestContext, TestResult, netns, netns_test,
};
pub(crate) use proptest::prelude::*;
pub(crate) use rusty_fork::rusty_fork_test;

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
