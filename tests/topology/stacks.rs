//! A network stack of its own in a node: smoltcp, at a packet socket.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::mpsc;

use nstest::{MacAddr, Net, Node, TestResult, netns_test};
use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::phy::{Medium, RawSocket, wait};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, IpCidr};

use crate::shell::shows;

const PORT: u16 = 7;

/// Runs an echo server with these addresses.
fn serve(node: &Node, ip: Ipv4Addr, mac: MacAddr) {
    let (listens, listening) = mpsc::channel();
    node.spawn(move || {
        let mut device = RawSocket::new("eth0", Medium::Ethernet).unwrap();
        let config = Config::new(EthernetAddress(mac.octets()).into());
        let mut interface = Interface::new(config, &mut device, Instant::now());
        interface.update_ip_addrs(|all| all.push(IpCidr::new(ip.into(), 24)).unwrap());
        let buffer = || SocketBuffer::new(vec![0; 1 << 16]);
        let mut sockets = SocketSet::new(vec![]);
        // One that closes does not listen yet.
        for _ in 0..8 {
            let mut socket = Socket::new(buffer(), buffer());
            socket.listen(PORT).unwrap();
            sockets.add(socket);
        }
        listens.send(()).unwrap();
        loop {
            let now = Instant::now();
            interface.poll(now, &mut device, &mut sockets);
            for (_, socket) in sockets.iter_mut() {
                let smoltcp::socket::Socket::Tcp(socket) = socket;
                echo(socket);
            }
            let delay = interface.poll_delay(now, &sockets);
            wait(device.as_raw_fd(), delay).unwrap();
        }
    });
    listening.recv().unwrap();
}

fn echo(socket: &mut Socket<'_>) {
    if !socket.is_open() {
        socket.listen(PORT).unwrap();
    }
    while socket.can_recv() && socket.can_send() {
        let room = socket.send_capacity() - socket.send_queue();
        let taken = |data: &mut [u8]| {
            let length = data.len().min(room);
            (length, data[..length].to_vec())
        };
        let data = socket.recv(taken).unwrap();
        assert_eq!(socket.send_slice(&data).unwrap(), data.len());
    }
    if socket.state() == State::CloseWait {
        socket.close();
    }
}

/// Three connections, each with more than fits into a window.
fn exchange(ip: Ipv4Addr) -> TestResult {
    for byte in [1, 2, 3] {
        let mut stream = TcpStream::connect((ip, PORT))?;
        for _ in 0..20 {
            let sent = [byte; 20_000];
            let mut got = [0; 20_000];
            stream.write_all(&sent)?;
            stream.read_exact(&mut got)?;
            assert_eq!(got, sent);
        }
    }
    Ok(())
}

/// The kernel has the node's address, and ignores packets to that of the stack.
#[netns_test]
fn with_an_address_of_its_own(peer: Node) -> TestResult {
    peer.set_offloads(false)?;
    let ip = Ipv4Addr::new(10, 0, 2, 200);
    serve(&peer, ip, "02:00:00:00:00:07".parse()?);
    exchange(ip)
}

/// The kernel has no address, so that it answers nothing.
#[netns_test]
#[cfg_attr(not(feature = "programs"), ignore = "needs ip; run ./check test")]
fn with_the_address_of_its_node(net: Net, peer: Node, _other: Node) -> TestResult {
    peer.set_offloads(false)?;
    let mac = shows(&peer, "cat /sys/class/net/eth0/address");
    assert_eq!(shows(&peer, "ip address flush dev eth0"), "");
    serve(&peer, peer.ipv4(), mac.trim().parse()?);
    exchange(peer.ipv4())?;
    // Names still lead to the stack.
    let mut stream = TcpStream::connect((peer.name(), PORT))?;
    stream.write_all(b"x")?;
    stream.read_exact(&mut [0])?;
    assert!(net.notes().is_empty(), "{:?}", net.notes());
    Ok(())
}
