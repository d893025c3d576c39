//! Streams of numbered datagrams between two nodes, and the times of their arrival.

use std::io::ErrorKind;
use std::net::{IpAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};
use nstest::{Injection, Node, TestResult};

/// A deadline that a loaded machine meets, too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The number of datagrams that fit into the buffer of a socket.
const AT_ONCE: u32 = 100;

/// The addresses of a node, one of each IP version.
pub(crate) fn both(node: &Node) -> [IpAddr; 2] {
    [node.ipv4().into(), node.ipv6().into()]
}

/// A datagram that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// The number of datagrams that were sent before it.
    pub(crate) number: u32,
    /// The time since it was sent.
    pub(crate) took: Duration,
    /// The time since the stream was opened.
    pub(crate) at: Duration,
}

/// A stream of datagrams from one node to another, on sockets of its own.
pub(crate) struct Stream {
    socket: UdpSocket,
    octets: usize,
    sent: u32,
    start: Instant,
    arrivals: Arc<Mutex<Vec<Arrival>>>,
    over: Arc<AtomicBool>,
    receiver: Option<JoinHandle<()>>,
}

impl Stream {
    /// Opens a stream from one node to an address of another. Each datagram carries this
    /// many bytes, and at least 12.
    pub(crate) fn open(from: &Node, to: &Node, ip: IpAddr, octets: usize) -> std::io::Result<Self> {
        let sink = to.run(|| UdpSocket::bind((ip, 0)))?;
        Self::between(from, sink, octets)
    }

    /// As [`open`](Self::open), for bursts: the receiver has the largest buffer that the
    /// machine allows (`net.core.rmem_max`).
    pub(crate) fn for_bursts(
        from: &Node,
        to: &Node,
        ip: IpAddr,
        octets: usize,
    ) -> std::io::Result<Self> {
        let sink = to.run(|| UdpSocket::bind((ip, 0)))?;
        setsockopt(&sink, sockopt::RcvBuf, &(4 << 20))?;
        Self::between(from, sink, octets)
    }

    fn between(from: &Node, sink: UdpSocket, octets: usize) -> std::io::Result<Self> {
        let ip = sink.local_addr()?.ip();
        let any = if ip.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = from.run(|| UdpSocket::bind(any))?;
        from.run(|| socket.connect(sink.local_addr()?))?;
        let (start, arrivals) = (Instant::now(), Arc::<Mutex<Vec<Arrival>>>::default());
        let over = Arc::<AtomicBool>::default();
        let (seen, stop) = (Arc::clone(&arrivals), Arc::clone(&over));
        // The receiver checks at this interval whether the stream was dropped.
        sink.set_read_timeout(Some(Duration::from_millis(20)))?;
        let receiver = std::thread::spawn(move || {
            let mut buffer = [0; 2048];
            while !stop.load(Ordering::Relaxed) {
                match sink.recv(&mut buffer) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                    Err(error) => panic!("the receiver: {error}"),
                }
                let at = start.elapsed();
                let number = u32::from_be_bytes(buffer[..4].try_into().expect("four octets"));
                let sent = u64::from_be_bytes(buffer[4..12].try_into().expect("eight octets"));
                let took = at.saturating_sub(Duration::from_nanos(sent));
                seen.lock().expect("no panic").push(Arrival { number, took, at });
            }
        });
        let receiver = Some(receiver);
        Ok(Self { socket, octets: octets.max(12), sent: 0, start, arrivals, over, receiver })
    }

    /// Lets [`send`](Self::send) fail where it would wait.
    pub(crate) fn set_nonblocking(&self) -> std::io::Result<()> {
        self.socket.set_nonblocking(true)
    }

    /// Sends a datagram.
    pub(crate) fn send(&mut self) -> std::io::Result<()> {
        let mut datagram = vec![0; self.octets];
        datagram[..4].copy_from_slice(&self.sent.to_be_bytes());
        let now = u64::try_from(self.start.elapsed().as_nanos()).expect("a short test");
        datagram[4..12].copy_from_slice(&now.to_be_bytes());
        self.socket.send(&datagram)?;
        self.sent += 1;
        Ok(())
    }

    /// Sends a number of datagrams. After a few of them, it waits for `accounted`, which gets
    /// the numbers of those sent and of those arrived.
    pub(crate) fn send_many(
        &mut self,
        count: u32,
        accounted: impl Fn(u32, u32) -> bool,
    ) -> TestResult {
        let end = self.sent + count;
        while self.sent < end {
            for _ in 0..AT_ONCE.min(end - self.sent) {
                self.send()?;
            }
            nstest::eventually(PATIENCE, || accounted(self.sent, self.arrived()))?;
        }
        Ok(())
    }

    /// Like [`send_many`](Self::send_many), for a fault that affects only lost datagrams.
    pub(crate) fn send_lossy(&mut self, count: u32, lossy: &Injection) -> TestResult {
        let before = lossy.affected();
        let gone = self.sent - self.arrived();
        self.send_many(count, |sent, arrived| {
            u64::from(sent) == u64::from(gone + arrived) + lossy.affected() - before
        })
    }

    /// The number of datagrams that arrived.
    pub(crate) fn arrived(&self) -> u32 {
        u32::try_from(self.arrivals.lock().expect("no panic").len()).expect("fewer")
    }

    /// Waits until this many have arrived.
    pub(crate) fn wait(&self, count: u32) -> TestResult {
        Ok(nstest::eventually(PATIENCE, || match self.arrived() {
            arrived if arrived >= count => Ok(()),
            arrived => Err(format!("{arrived} of {count} arrived")),
        })?)
    }

    /// The datagrams that arrived since the last call.
    pub(crate) fn take(&self) -> Vec<Arrival> {
        std::mem::take(&mut self.arrivals.lock().expect("no panic"))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(receiver) = self.receiver.take() {
            let ended = receiver.join();
            assert!(ended.is_ok() || std::thread::panicking());
        }
    }
}

/// Repeats a measurement until it is in time, up to [`PATIENCE`].
///
/// A loaded machine can make any single measurement late, but not all of them. If the
/// library is late, all of them are. What load cannot break, `measure` asserts each time.
#[track_caller]
pub(crate) fn in_time(mut measure: impl FnMut() -> TestResult<bool>) -> TestResult {
    let start = Instant::now();
    while !measure()? {
        assert!(start.elapsed() < PATIENCE, "no measurement was in time");
    }
    Ok(())
}
