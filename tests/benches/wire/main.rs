//! Compares the wire with the cheapest relay in userspace, and with no relay.
//!
//! `cargo bench -p nstest-tests --bench wire [-- --rounds N]`
//!
//! The variants alternate. Datagrams are sent with a window, so that no receiver's buffer
//! overflows and the rate is that without loss. Times and ratios are printed, not asserted.
//! `docs/src/design/wire.md` has figures and explains them.

mod places;
mod relay;

use std::io::{Read, Write};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nstest::{Condition, Packets};
use nstest_tests::rounds::{is_benchmark, quantile_of, rounds};
use places::Pair;

/// Datagrams that make 1500-byte packets.
const DATAGRAM: usize = 1472;

/// As many as the stock receive buffer holds.
const WINDOW: u32 = 64;

fn main() -> nstest::Result<()> {
    nstest::enter()?;
    let rounds = rounds(10, 1);
    let time = Duration::from_millis(if is_benchmark() { 500 } else { 50 });

    let veth = Pair::direct();
    let bare = Pair::relayed();
    let fabric = Pair::nstest();
    let whole = Pair::nstest();
    let cut = Pair::nstest();
    let delayed = Pair::nstest();
    // What lets everything pass needs no segments; what could take one packet does.
    let perfect = whole.link().condition(Condition::new()).expect("a wire");
    let third = cut.link().fault().expect("a link").packets(Packets::tcp().port(9)).nth(3);
    let picky = cut.net().inject(third.optional()).expect("a wire");
    let slow = Condition::new().delay(Duration::from_micros(100));
    let slow = delayed.link().condition(slow).expect("a wire");
    for injection in [&perfect, &picky, &slow] {
        println!("{injection}: {:?}", injection.backends());
    }
    let ways = [
        ("direct veth pair", &veth),
        ("bare relay", &bare),
        ("fabric, no wire", &fabric),
        ("wire, superframes complete", &whole),
        ("wire, cut to segments", &cut),
        ("wire, 0.1 ms of delay", &delayed),
    ];
    let mut packets = vec![Vec::new(); ways.len()];
    let mut trips = vec![Vec::new(); ways.len()];
    let mut bulk = vec![Vec::new(); ways.len()];
    for _ in 0..rounds {
        for (nth, (_, pair)) in ways.iter().enumerate() {
            packets[nth].push(rate(pair, time) / 1e3);
            trips[nth].extend(round_trips(pair, if is_benchmark() { 1000 } else { 20 }));
            bulk[nth].push(throughput(pair, time) / 1e9);
        }
    }
    println!("{:<28}{:>12}{:>8}", "1500-byte packets/s", "thousands", "best");
    for ((name, _), own) in ways.iter().zip(&packets) {
        let at = |quantile| quantile_of(own, quantile);
        println!(
            "  {name:<26}{:>12.1}{:>8.1}   × {:.2} of the bare relay",
            at(0.5),
            at(1.0),
            at(0.5) / quantile_of(&packets[1], 0.5)
        );
    }
    println!("{:<28}{:>12}{:>8}", "round trip, µs", "p10", "median");
    for ((name, _), own) in ways.iter().zip(&trips) {
        let at = |quantile| quantile_of(own, quantile);
        let added = at(0.1) - quantile_of(&trips[2], 0.1);
        println!("  {name:<26}{:>12.1}{:>8.1}   {added:+.1} to the fabric", at(0.1), at(0.5));
    }
    println!("{:<28}{:>12}{:>8}", "TCP, Gbit/s", "median", "best");
    for ((name, _), own) in ways.iter().zip(&bulk) {
        let at = |quantile| quantile_of(own, quantile);
        let ratio = at(0.5) / quantile_of(&bulk[0], 0.5);
        println!("  {name:<26}{:>12.2}{:>8.2}   × {ratio:.2} of veth", at(0.5), at(1.0));
    }
    idle(if is_benchmark() { Duration::from_secs(2) } else { Duration::from_millis(50) });
    for pair in [&whole, &cut, &delayed] {
        let lost = nstest::__private::unseen_failure(pair.net());
        println!("{}", lost.unwrap_or_else(|| "nothing lost".to_owned()));
    }
    Ok(())
}

/// Datagrams a second.
fn rate(pair: &Pair, time: Duration) -> f64 {
    let (near, far) = pair.udp();
    let arrived = AtomicU32::new(0);
    std::thread::scope(|scope| {
        let receiver = scope.spawn(|| {
            let mut buffer = [0; DATAGRAM];
            while far.recv(&mut buffer).expect("nothing is lost") == DATAGRAM {
                arrived.fetch_add(1, Ordering::Release);
            }
        });
        let (start, mut sent) = (Instant::now(), 0_u32);
        while start.elapsed() < time {
            while sent - arrived.load(Ordering::Acquire) >= WINDOW {
                assert!(start.elapsed() < 20 * time, "something is lost");
                std::thread::yield_now();
            }
            near.send(&[7; DATAGRAM]).expect("send");
            sent += 1;
        }
        near.send(&[0]).expect("send");
        receiver.join().expect("it receives");
        f64::from(sent) / start.elapsed().as_secs_f64()
    })
}

/// One datagram there and back, in microseconds.
fn round_trips(pair: &Pair, times: usize) -> Vec<f64> {
    let (near, far) = pair.udp();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut buffer = [0; 8];
            while far.recv(&mut buffer).expect("recv") == 4 {
                far.send(&buffer[..4]).expect("send");
            }
        });
        let once = |_| {
            let start = Instant::now();
            near.send(&[1; 4]).expect("send");
            near.recv(&mut [0; 8]).expect("recv");
            start.elapsed().as_secs_f64() * 1e6
        };
        let all: Vec<f64> = (0..times + 20).map(once).skip(20).collect();
        near.send(&[0]).expect("send");
        all
    })
}

/// Bits a second, with as much offloaded as there is.
fn throughput(pair: &Pair, time: Duration) -> f64 {
    let (mut near, mut far) = pair.tcp();
    let received = AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut buffer = vec![0; 256 << 10];
            loop {
                match far.read(&mut buffer).expect("read") {
                    0 => return,
                    length => received.fetch_add(length as u64, Ordering::Relaxed),
                };
            }
        });
        let chunk = vec![7; 256 << 10];
        let start = Instant::now();
        while start.elapsed() < time {
            near.write_all(&chunk).expect("write");
        }
        let rate = received.load(Ordering::Relaxed) as f64 * 8.0 / start.elapsed().as_secs_f64();
        near.shutdown(std::net::Shutdown::Write).expect("shutdown");
        rate
    })
}

/// The processor time of wire threads while nothing happens.
fn idle(time: Duration) {
    // Nothing is sent to this one: a pause with an end, and without a clock.
    let silence = std::net::UdpSocket::bind("127.0.0.1:0").expect("bind");
    silence.set_read_timeout(Some(time)).expect("a timeout");
    let before = thread_time();
    silence.recv(&mut [0; 1]).expect_err("a timeout");
    let used = thread_time() - before;
    println!("idle: {used:.3} ms of processor time in {:.1} s", time.as_secs_f64());
}

/// Milliseconds that threads of the wire have run.
fn thread_time() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("proc is mounted").flatten();
    let read = |path: std::path::PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    let threads = tasks.filter(|task| read(task.path().join("comm")) == "nstest wire\n");
    threads
        .filter_map(|task| {
            let text = read(task.path().join("schedstat"));
            text.split(' ').next()?.parse::<f64>().ok()
        })
        .sum::<f64>()
        / 1e6
}
