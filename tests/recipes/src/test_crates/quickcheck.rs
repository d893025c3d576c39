//! quickcheck: messages of any length, over links of any MTU.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

use nstest::{TestResult, netns};
use quickcheck::quickcheck;

/// Your sender: a message is its length and its bytes.
fn send(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    stream.write_all(&(message.len() as u32).to_be_bytes())?;
    stream.write_all(message)
}

/// Your receiver.
fn receive(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut message)?;
    Ok(message)
}

/// Sends these messages to the node `peer1`. Returns what has arrived.
fn transfer(messages: &[Vec<u8>], mtu: u32) -> TestResult<Vec<Vec<u8>>> {
    let peer = nstest::net().node("peer1")?;
    peer.link().set_mtu(mtu)?;
    let listener = peer.run(|| TcpListener::bind("0.0.0.0:0"))?;
    let address = (peer.ipv4(), listener.local_addr()?.port());
    let count = messages.len();
    let receives = peer.spawn(move || {
        let mut stream = listener.accept()?.0;
        (0..count).map(|_| receive(&mut stream)).collect::<io::Result<_>>()
    });
    let mut stream = TcpStream::connect(address)?;
    messages.iter().try_for_each(|message| send(&mut stream, message))?;
    Ok(receives.join().expect("no panic")?)
}

quickcheck! {
    #[netns(peers = 1)]
    fn messages_of_any_length_arrive(messages: Vec<Vec<u8>>, mtu: u16) -> bool {
        transfer(&messages, 1280 + u32::from(mtu % 221)).unwrap() == messages
    }
}
