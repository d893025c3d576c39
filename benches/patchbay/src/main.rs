//! Two nodes on a LAN, from nothing to the first exchange over TCP: patchbay 0.7
//! and nstest, in turns in one run.
//!
//! `cargo run --release --manifest-path benches/patchbay/Cargo.toml [-- ROUNDS]`
//!
//! patchbay's LAN is a router without NAT or firewall and two devices behind it:
//! it has no LAN without a router. Both build it in namespaces of this program's
//! own, with IPv4 only and no faults. It prints the times and asserts nothing about them.

use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::time::Instant;

use anyhow::{Context, Result};
use nix::sched::{CloneFlags, unshare};
use patchbay::{Lab, RouterPreset};

fn main() -> Result<()> {
    nstest::enter()?;
    let rounds = match std::env::args().nth(1) {
        Some(rounds) => rounds.parse().context("ROUNDS is a number")?,
        None => 20,
    };
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        theirs.push(on_a_thread(patchbay)?);
        ours.push(on_a_thread(nstest)?);
    }
    for times in [&mut theirs, &mut ours] {
        times.sort_by(f64::total_cmp);
    }
    println!("two nodes on a LAN, {rounds} rounds, milliseconds{:>9}{:>10}", "p10", "median");
    let at = |times: &[f64], quantile: f64| times[(rounds as f64 * quantile) as usize];
    for (name, times) in [("patchbay 0.7", &theirs), ("nstest", &ours)] {
        println!("  {name:<40}{:>9.2}{:>10.2}", at(times, 0.1), at(times, 0.5));
    }
    let ratio = |quantile| at(&theirs, quantile) / at(&ours, quantile);
    println!("  ratio, goal 30{:>35.1}{:>10.1}", ratio(0.1), ratio(0.5));
    Ok(())
}

fn on_a_thread(way: fn() -> Result<f64>) -> Result<f64> {
    std::thread::spawn(way).join().expect("no panic")
}

fn nstest() -> Result<f64> {
    let start = Instant::now();
    unshare(CloneFlags::CLONE_NEWNET)?;
    let net = nstest::__private::network_of(&["peer"])?;
    let peer = net.node("peer")?;
    let ip = IpAddr::from(peer.ipv4());
    let listener = peer.run(|| TcpListener::bind((ip, 7000)))?;
    let near = TcpStream::connect((ip, 7000))?;
    exchange(near, listener.accept()?.0)?;
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

fn patchbay() -> Result<f64> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let start = Instant::now();
        let lab = Lab::builder().allow_real_root().build().await?;
        let lan = lab.add_router("lan").preset(RouterPreset::PublicV4).build().await?;
        let a = lab.add_device("a").iface("eth0", lan.id()).build().await?;
        let b = lab.add_device("b").iface("eth0", lan.id()).build().await?;
        let ip = b.ip().context("b has an address")?;
        let listener = b.run_sync(move || Ok(TcpListener::bind((ip, 7000))?))?;
        let near = a.run_sync(move || Ok(TcpStream::connect((ip, 7000))?))?;
        exchange(near, listener.accept()?.0)?;
        Ok(start.elapsed().as_secs_f64() * 1e3)
    })
}

/// One byte there and one back.
fn exchange(mut near: TcpStream, mut far: TcpStream) -> std::io::Result<()> {
    let mut byte = [7];
    near.write_all(&byte)?;
    far.read_exact(&mut byte)?;
    far.write_all(&byte)?;
    near.read_exact(&mut byte)
}
