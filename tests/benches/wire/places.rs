//! Two endpoints that exchange packets, and what connects them.

use std::fs::File;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::time::Duration;

use nix::sched::{CloneFlags, setns, unshare};
use nstest::{Net, Node};
use nstest_tests::programs::find;

use super::relay;

/// Where sockets are made.
pub(crate) enum Place {
    Namespace(File, IpAddr),
    Node(Node),
}

pub(crate) struct Pair {
    pub(crate) near: Place,
    pub(crate) far: Place,
    net: Option<Net>,
}

impl Place {
    fn new(ip: &str) -> Self {
        let own = || {
            unshare(CloneFlags::CLONE_NEWNET).expect("unshare");
            File::open("/proc/thread-self/ns/net").expect("open the namespace")
        };
        let file = std::thread::spawn(own).join().expect("a namespace");
        Place::Namespace(file, ip.parse().expect("an address"))
    }

    /// Runs something on a thread in it, or as a visitor.
    pub(crate) fn run<R: Send>(&self, body: impl FnOnce() -> R + Send) -> R {
        match self {
            Place::Node(node) => node.run(body),
            Place::Namespace(file, _) => std::thread::scope(|scope| {
                let inside = || {
                    setns(file, CloneFlags::CLONE_NEWNET).expect("setns");
                    body()
                };
                scope.spawn(inside).join().expect("it works")
            }),
        }
    }

    fn ip(&self) -> IpAddr {
        match self {
            Place::Node(node) => node.ip(),
            Place::Namespace(_, ip) => *ip,
        }
    }

    /// Runs ip(8).
    fn ip_command(&self, arguments: &str) {
        self.run(|| {
            let status = Command::new(find("ip")).args(arguments.split(' ')).status();
            assert!(status.expect("ip(8)").success(), "ip {arguments}");
        });
    }

    /// The name of its namespace, for ip(8).
    fn path(&self) -> String {
        use std::os::fd::AsRawFd;
        match self {
            Place::Namespace(file, _) => {
                format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd())
            }
            Place::Node(_) => unreachable!("not a place of ours"),
        }
    }

    fn up(&self) {
        self.ip_command(&format!("address add {}/24 dev eth0", self.ip()));
        self.ip_command("link set eth0 up");
    }
}

impl Pair {
    /// A veth pair.
    pub(crate) fn direct() -> Self {
        let (near, far) = (Place::new("10.9.0.1"), Place::new("10.9.0.2"));
        let path = far.path();
        near.ip_command(&format!("link add eth0 type veth peer name eth0 netns {path}"));
        near.up();
        far.up();
        Self { near, far, net: None }
    }

    /// Two, and the bare relay between them.
    pub(crate) fn relayed() -> Self {
        let (near, far) = (Place::new("10.9.0.1"), Place::new("10.9.0.2"));
        let middle = Place::new("10.9.0.3");
        for (port, place) in [("r0", &near), ("r1", &far)] {
            let path = place.path();
            middle.ip_command(&format!("link add {port} type veth peer name eth0 netns {path}"));
            middle.ip_command(&format!("link set {port} up"));
            place.up();
        }
        let ends = middle.run(|| ["r0", "r1"].map(relay::End::open));
        std::thread::spawn(move || relay::run(ends));
        Self { near, far, net: None }
    }

    /// Two nodes of a test.
    pub(crate) fn nstest() -> Self {
        let build = || {
            unshare(CloneFlags::CLONE_NEWNET).expect("unshare");
            nstest::__private::network_of(&["near", "far"]).expect("a network")
        };
        let net = std::thread::spawn(build).join().expect("a network");
        let lan = net.add_lan("between").build().expect("a LAN");
        let [near, far] = ["one", "two"].map(|name| {
            let node = net.add_node(name).join(&lan).build().expect("a node");
            Place::Node(node)
        });
        Self { near, far, net: Some(net) }
    }

    pub(crate) fn net(&self) -> &Net {
        self.net.as_ref().expect("a network of nstest's")
    }

    /// The link of the first node.
    pub(crate) fn link(&self) -> nstest::Link {
        match &self.near {
            Place::Node(node) => node.link(),
            Place::Namespace(..) => unreachable!("no link of nstest's"),
        }
    }

    pub(crate) fn udp(&self) -> (UdpSocket, UdpSocket) {
        let bound = |place: &Place| {
            let ip = place.ip();
            let socket = place.run(move || UdpSocket::bind((ip, 0)).expect("bind"));
            socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
            socket
        };
        let (near, far) = (bound(&self.near), bound(&self.far));
        let address = |socket: &UdpSocket| -> SocketAddr { socket.local_addr().expect("bound") };
        near.connect(address(&far)).expect("connect");
        far.connect(address(&near)).expect("connect");
        (near, far)
    }

    pub(crate) fn tcp(&self) -> (TcpStream, TcpStream) {
        let ip = self.far.ip();
        let listener = self.far.run(move || TcpListener::bind((ip, 0)).expect("bind"));
        let to = listener.local_addr().expect("bound");
        let near = self.near.run(move || TcpStream::connect(to).expect("connect"));
        let (far, _) = listener.accept().expect("accept");
        (near, far)
    }
}
