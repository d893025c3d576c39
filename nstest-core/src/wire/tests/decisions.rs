//! What a stage decides is what happens.

use std::io::ErrorKind;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::{Arc, Pair, bound, link_end_of, network, pair, pass, round_trip, sound, teach};
use crate::frame::{Affected, Direction, Emission, PacketEffect};
use crate::testing::isolated;

const MADE: Affected = Affected::by(None, PacketEffect::Made);

#[test]
fn what_is_delayed_comes_late_and_in_order() {
    isolated(|| {
        let Pair { net, local, ends, .. } = pair();
        let delay = Duration::from_millis(20);
        teach(&local, true, move |_, _, now, out| out.forward.push(now + delay));
        for _ in 0..10 {
            let took = round_trip(&ends);
            assert!(took >= 2 * delay, "{took:?}");
        }
        let mut buffer = [0; 4];
        for number in 0..100_u32 {
            ends.0.send(&number.to_ne_bytes()).unwrap();
        }
        for number in 0..100 {
            ends.1.recv(&mut buffer).unwrap();
            assert_eq!(u32::from_ne_bytes(buffer), number);
        }
        sound(&net);
    });
}

#[test]
fn what_is_dropped_does_not_come_from_the_moment_that_it_is_said() {
    isolated(|| {
        let Pair { net, local, ends, .. } = pair();
        let end = link_end_of(&local);
        let dropping = Arc::new(Mutex::new(false));
        let decides = Arc::clone(&dropping);
        teach(&local, true, move |direction, frame, now, out| {
            let drops = *decides.lock().unwrap() && direction == Direction::Egress;
            if !drops {
                pass(direction, frame, now, out);
            }
        });
        for _ in 0..50 {
            *dropping.lock().unwrap() = true;
            ends.0.send(b"lost").unwrap();
            // It is past the stage when something behind it comes back.
            net.shared().refresh(end).unwrap();
            ends.1.send(b"other way").unwrap();
            let mut buffer = [0; 16];
            assert_eq!(ends.0.recv(&mut buffer).unwrap(), 9);
            ends.1.set_nonblocking(true).unwrap();
            let error = ends.1.recv(&mut buffer).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            ends.1.set_nonblocking(false).unwrap();
            *dropping.lock().unwrap() = false;
            round_trip(&ends);
        }
        sound(&net);
    });
}

#[test]
fn copies_and_frames_of_the_stages_own_are_sent() {
    isolated(|| {
        let Pair { net, local, ends, .. } = pair();
        // Everything twice, and then once more as the stage's own, later.
        teach(&local, true, |direction, frame, now, out| {
            let at = now + Duration::from_millis(5);
            out.forward.extend([now, now]);
            out.emissions.push(Emission { at, direction, frame: frame.to_vec(), affected: MADE });
        });
        let start = Instant::now();
        ends.0.send(b"three").unwrap();
        let mut buffer = [0; 16];
        for _ in 0..3 {
            assert_eq!(ends.1.recv(&mut buffer).unwrap(), 5);
        }
        assert!(start.elapsed() >= Duration::from_millis(4), "{:?}", start.elapsed());
        ends.1.set_nonblocking(true).unwrap();
        assert!(ends.1.recv(&mut buffer).is_err());
        // In the other's name, to where it came from.
        teach(&local, true, |direction, frame, now, out| {
            let mut answer = frame.to_vec();
            answer[..6].copy_from_slice(&frame[6..12]);
            answer[6..12].copy_from_slice(&frame[..6]);
            let to = if frame[12..14] == [8, 0] { Some(14) } else { None };
            if let (Some(ip), Direction::Egress) = (to, direction) {
                // Addresses and ports change places: so the checksums stay right.
                answer[ip + 12..ip + 16].copy_from_slice(&frame[ip + 16..ip + 20]);
                answer[ip + 16..ip + 20].copy_from_slice(&frame[ip + 12..ip + 16]);
                answer[ip + 20..ip + 22].copy_from_slice(&frame[ip + 22..ip + 24]);
                answer[ip + 22..ip + 24].copy_from_slice(&frame[ip + 20..ip + 22]);
                let direction = direction.reverse();
                out.emissions.push(Emission { at: now, direction, frame: answer, affected: MADE });
            } else {
                out.forward.push(now);
            }
        });
        ends.0.send(b"echo").unwrap();
        assert_eq!(ends.0.recv(&mut buffer).unwrap(), 4);
        assert_eq!(&buffer[..4], b"echo");
        assert!(ends.1.recv(&mut buffer).is_err(), "it did not go further");
        sound(&net);
    });
}

#[test]
fn a_stage_that_panics_fails_the_test() {
    isolated(|| {
        let Pair { net, local, ends, .. } = pair();
        teach(&local, true, |direction, frame, now, out| {
            assert!(!frame.windows(4).any(|bytes| bytes == b"boom"), "I do not like this one");
            pass(direction, frame, now, out);
        });
        sound(&net);
        ends.0.send(b"boom").unwrap();
        round_trip(&ends); // and only that one is lost
        let failure = net.unseen_failure().unwrap();
        assert!(failure.contains("I do not like this one"), "{failure}");
    });
}

#[test]
fn a_frame_that_cannot_be_sent_fails_the_test() {
    isolated(|| {
        let net = network(&["peer"]);
        let (local, peer) = (net.local(), net.node("peer").unwrap());
        let far = bound(&peer, peer.ip());
        teach(&peer, true, |direction, frame, now, out| {
            let frame = [frame, &[0; 2000]].concat();
            out.emissions.push(Emission { at: now, direction, frame, affected: MADE });
            pass(direction, &[], now, out);
        });
        let near = bound(&local, local.ip());
        near.send_to(b"hello", far.local_addr().unwrap()).unwrap();
        assert_eq!(far.recv(&mut [0; 16]).unwrap(), 5);
        let failure = net.unseen_failure().unwrap();
        assert!(failure.contains("EMSGSIZE"), "{failure}");
    });
}

#[test]
fn what_finds_no_room_fails_the_test() {
    isolated(|| {
        let Pair { net, local, ends, .. } = pair();
        let held = Arc::new(Mutex::new(()));
        let gate = Arc::clone(&held);
        teach(&local, true, move |direction, frame, now, out| {
            drop(gate.lock().unwrap());
            pass(direction, frame, now, out);
        });
        sound(&net);
        let holding = held.lock().unwrap();
        for _ in 0..6_000 {
            ends.0.send(b"too much").unwrap();
        }
        let failure = net.unseen_failure().unwrap();
        assert!(
            failure.contains("frames were lost because the queue of the wire was full"),
            "{failure}"
        );
        drop(holding);
    });
}
