//! TCP at full speed: with superframes, and with frames as on a physical link.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::{Arc, Node, Taught, link_end_at, network, sound, teach};
use crate::frame::{Direction, Outlet};
use crate::testing::isolated;

/// What a stage has seen.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    frames: usize,
    longest: usize,
    wrong_checksums: usize,
}

/// Ones' complement sum (RFC 1071) of even-aligned pieces.
fn sum(pieces: &[&[u8]]) -> u16 {
    let mut sum: u64 = 0;
    for piece in pieces {
        for pair in piece.chunks(2) {
            sum += u64::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
        }
    }
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    sum as u16
}

/// Whether the checksum of a TCP segment in a frame is right; others are not asked.
fn is_right(frame: &[u8]) -> bool {
    let packet = &frame[14..];
    let (addresses, segment) = match (frame[12], frame[13]) {
        (8, 0) if packet[9] == 6 => {
            let length = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
            (&packet[12..20], &packet[20..length])
        }
        (0x86, 0xdd) if packet[6] == 6 => {
            let length = usize::from(u16::from_be_bytes([packet[4], packet[5]]));
            (&packet[8..40], &packet[40..40 + length])
        }
        _ => return true,
    };
    let length = (segment.len() as u16).to_be_bytes();
    sum(&[addresses, &[0, 6], &length, segment]) == 0xffff
}

/// Of the bytes that are sent: no multiple of what frames hold.
const PERIOD: usize = 251;

fn transfer(near: &Node, far: &Node, ip: IpAddr, bytes: usize) {
    let listener = far.run(|| TcpListener::bind((ip, 0)).unwrap());
    let to = listener.local_addr().unwrap();
    let mut stream = near.run(|| TcpStream::connect(to).unwrap());
    let pattern: Vec<u8> = (0..PERIOD * 400).map(|i| (i % PERIOD) as u8).collect();
    let expected = pattern.clone();
    let received = std::thread::spawn(move || {
        let (mut end, _) = listener.accept().unwrap();
        let (mut buffer, mut count) = (vec![0; 1 << 16], 0);
        loop {
            let length = end.read(&mut buffer).unwrap();
            let right = &expected[count % PERIOD..][..length];
            assert!(buffer[..length] == *right, "wrong bytes behind {count}");
            count += length;
            if length == 0 {
                return count;
            }
        }
    });
    let start = Instant::now();
    for chunk in std::iter::repeat_n(&pattern, bytes / pattern.len()) {
        stream.write_all(chunk).unwrap();
    }
    drop(stream);
    let count = received.join().unwrap();
    let rate = count as f64 * 8.0 / start.elapsed().as_secs_f64() / 1e9;
    println!("{ip}: {rate:.2} Gbit/s");
    assert_eq!(count, bytes / pattern.len() * pattern.len());
}

fn counting(seen: &Arc<Mutex<Seen>>) -> impl FnMut(Direction, &[u8], Instant, &mut Outlet) + use<> {
    let seen = Arc::clone(seen);
    move |_, frame, now, out| {
        let mut seen = seen.lock().unwrap();
        seen.frames += 1;
        seen.longest = seen.longest.max(frame.len());
        if frame.len() <= 1514 {
            seen.wrong_checksums += usize::from(!is_right(frame));
        }
        out.forward.push(now);
    }
}

#[test]
fn with_segments_frames_are_as_on_a_cable() {
    isolated(|| {
        let net = network(&["peer"]);
        let (local, peer) = (net.local(), net.node("peer").unwrap());
        let seen = Arc::default();
        teach(&peer, true, counting(&seen));
        for ip in [peer.ipv4().into(), peer.ipv6().into()] {
            transfer(&local, &peer, ip, 20_000_000);
        }
        let seen = *seen.lock().unwrap();
        assert!(seen.frames > 25_000 && seen.longest == 1514, "{seen:?}");
        assert_eq!(seen.wrong_checksums, 0, "{seen:?}");
        sound(&net);
    });
}

#[test]
fn without_segments_superframes_go_whole() {
    isolated(|| {
        let net = network(&["peer"]);
        let (local, peer) = (net.local(), net.node("peer").unwrap());
        let seen = Arc::default();
        teach(&peer, false, counting(&seen));
        for ip in [peer.ipv4().into(), peer.ipv6().into()] {
            transfer(&local, &peer, ip, 200_000_000);
        }
        let now = *seen.lock().unwrap();
        assert!(now.longest > 32_000, "{now:?}");
        // The stage is exchanged, in the midst of nothing.
        teach(&peer, true, counting(&seen));
        *seen.lock().unwrap() = Seen::default();
        transfer(&local, &peer, peer.ip(), 20_000_000);
        let now = *seen.lock().unwrap();
        assert!(now.longest == 1514 && now.wrong_checksums == 0, "{now:?}");
        teach(&peer, false, counting(&seen));
        transfer(&local, &peer, peer.ip(), 20_000_000);
        assert!(seen.lock().unwrap().longest > 32_000, "{seen:?}");
        sound(&net);
    });
}

#[test]
fn superframes_can_wait() {
    isolated(|| {
        let net = network(&["peer"]);
        let (local, peer) = (net.local(), net.node("peer").unwrap());
        let delay = Duration::from_millis(1);
        teach(&peer, false, move |_, _, now, out| out.forward.push(now + delay));
        transfer(&local, &peer, peer.ip(), 100_000_000);
        sound(&net);
    });
}

#[test]
fn frames_longer_than_ethernets_own_are_whole() {
    isolated(|| {
        let net = network(&["peer"]);
        let jumbo = net.add_lan("jumbo").mtu(9000).build().unwrap();
        let (local, peer) = (net.local(), net.node("peer").unwrap());
        local.join(&jumbo).unwrap();
        let link = peer.join(&jumbo).unwrap();
        // A slot of 64 KiB for each frame: so there are few of them.
        let window = || std::fs::write("/proc/sys/net/ipv4/tcp_rmem", "4096 131072 1048576");
        peer.run(window).unwrap();
        let seen = Arc::default();
        let stage = Taught { segments: true, pass: counting(&seen) };
        net.shared().splice(link_end_at(&link, &peer), Arc::new(Mutex::new(stage))).unwrap();
        let ip = *peer.ips().iter().rfind(|ip| ip.is_ipv4()).unwrap();
        transfer(&local, &peer, ip, 50_000_000);
        let seen = *seen.lock().unwrap();
        assert!(seen.longest == 9014 && seen.wrong_checksums == 0, "{seen:?}");
        sound(&net);
    });
}
