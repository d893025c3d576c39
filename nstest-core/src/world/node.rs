//! The handle on a node.

use std::ffi::OsStr;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::lan::Lan;
use super::link::Link;
use super::network::SharedNetwork;
use crate::error::Result;
use crate::node::NodeExecutor;
use crate::node::command::Command;
use crate::node::spawn::JoinHandle;
#[cfg(feature = "tokio")]
use crate::node::task::Task;
use crate::node::visit::ScopedFuture;
use crate::topology::DefaultRoute;
use crate::topology::not_one_link;
use crate::topology::spec::{Join, NodeId};

/// A node: anything that has an address and can send and receive IP packets.
///
/// A cheap handle; the node lives until it is removed or the test ends.
#[derive(Clone)]
pub struct Node {
    net: SharedNetwork,
    id: NodeId,
    name: Arc<str>,
    executor: Arc<NodeExecutor>,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({})", self.name)
    }
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.net.is(&other.net)
    }
}

impl Eq for Node {}

/// Its name and its links. `addresses` has its addresses.
impl Node {
    pub(super) fn of(net: SharedNetwork, id: NodeId) -> Result<Self> {
        let (name, executor) = {
            let network = net.lock();
            let name = network.topology.spec().node(id)?.name().into();
            let executor = network.fabric.executor(id).map(Arc::clone);
            (name, executor.ok_or_else(|| network.topology.spec().node_gone(id))?)
        };
        Ok(Self { net, id, name, executor })
    }

    pub(crate) fn id(&self) -> NodeId {
        self.id
    }

    pub(super) fn net(&self) -> &SharedNetwork {
        &self.net
    }

    pub(super) fn executor(&self) -> &Arc<NodeExecutor> {
        &self.executor
    }

    /// Its name, by which every node resolves it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its only link.
    ///
    /// # Panics
    /// If it has none, or several: [`link_to`](Self::link_to) says which.
    #[must_use]
    #[track_caller]
    pub fn link(&self) -> Link {
        let slots = self.net.look(|spec| spec.slots(self.id)).unwrap_or_default();
        match slots.as_slice() {
            [slot] => Link::of(self.net.clone(), self.id, *slot)
                .unwrap_or_else(|error| panic!("{error:?}")),
            slots => panic!("{:?}", not_one_link(&self.name, slots.len())),
        }
    }

    /// Its link to a LAN.
    ///
    /// # Errors
    /// `not-found`, if it is not on that LAN.
    pub fn link_to(&self, lan: &Lan) -> Result<Link> {
        let slot = self.net.look(|spec| spec.slot_on(self.id, lan.id()))?;
        Link::of(self.net.clone(), self.id, slot)
    }
}

/// Code in the node.
impl Node {
    /// Runs a closure in the node's network, on the calling thread.
    ///
    /// Sockets and threads that it creates stay in the node. Only the network is the
    /// node's: files and hostname are the test's. `/proc/net` is the test's, too; read
    /// `/proc/thread-self/net`, or use [`spawn`](Self::spawn).
    ///
    /// # Panics
    /// If the closure returns a future: it would run elsewhere. See
    /// [`scope`](Self::scope).
    #[track_caller]
    pub fn run<R>(&self, body: impl FnOnce() -> R) -> R {
        self.executor.run(body)
    }

    /// Runs a future with its input and output in the node, on any runtime.
    ///
    /// What it spawns runs elsewhere: a client that keeps connections in tasks of
    /// its own belongs in [`spawn_async`](Self::spawn_async).
    pub fn scope<F: Future>(&self, future: F) -> ScopedFuture<F> {
        ScopedFuture::new(&self.executor, future)
    }

    /// Starts a thread that lives in the node. It may outlive the test function, as a server
    /// does.
    ///
    /// A panic of it fails the test, unless it is [joined](JoinHandle::join). That includes
    /// what the thread has still to do when the test function returns `Ok`: the test then
    /// waits until the threads and tasks of the nodes have ended, or until every thread and
    /// process of the test sleeps. So a server that has a request to check fails the test, and
    /// one that sleeps in `accept` costs two looks at the test's threads in `/proc`. What waits
    /// for time to pass is not waited for: a `sleep`, or a packet that a condition delays. After
    /// a second of processor time, as with a server that never sleeps, the test ends with a
    /// note.
    ///
    /// ```no_run
    /// # fn test(server: nstest::Node) -> nstest::TestResult {
    /// use std::io::{Read, Write};
    /// use std::net::{TcpListener, TcpStream};
    ///
    /// let listener = server.run(|| TcpListener::bind("0.0.0.0:7000"))?;
    /// server.spawn(move || {
    ///     let mut said = String::new();
    ///     listener.accept().unwrap().0.read_to_string(&mut said).unwrap();
    ///     assert_eq!(said, "hello"); // fails the test, although nothing joins the thread
    /// });
    /// TcpStream::connect((server.ip(), 7000))?.write_all(b"goodbye")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Threads that it starts with [`std::thread::spawn`] are its own to join: as in any test,
    /// their panics are printed, and decide nothing.
    ///
    /// # Panics
    /// If the thread cannot be started.
    #[track_caller]
    pub fn spawn<T: Send + 'static>(
        &self,
        body: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        self.executor.spawn(body).unwrap_or_else(|error| panic!("{error:?}"))
    }

    /// Starts a task on a tokio runtime with threads in the node. It may outlive the test
    /// function, as a server does.
    ///
    /// A panic of it fails the test, unless it is awaited. When the test function returns
    /// `Ok`, what is still running is waited for, as by [`spawn`](Self::spawn). A panic of a
    /// task that it starts with `tokio::spawn` is in the `JoinError` of that task.
    ///
    /// # Panics
    /// If the runtime cannot be started.
    #[cfg(feature = "tokio")]
    #[track_caller]
    pub fn spawn_async<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.executor.spawn_async(future).unwrap_or_else(|error| panic!("{error:?}"))
    }

    /// Opens a connection of the crate [`rtnetlink`] in the node's network, for tests that
    /// change interfaces, addresses, routes or neighbours themselves.
    ///
    /// The task that serves the connection runs on the caller's tokio runtime, until the last
    /// clone of the handle is dropped. Needs the cargo feature `rtnetlink`.
    ///
    /// The crate is re-exported as `nstest::rtnetlink`, so a test needs no dependency on it. Its
    /// lists are streams. To read them, add the dependency `futures = "0.3"` and import
    /// `futures::TryStreamExt`. Code that opens connections itself, also with another version of
    /// rtnetlink, runs in the node by [`scope`](Self::scope), [`run`](Self::run) or
    /// [`spawn_async`](Self::spawn_async).
    ///
    /// ```no_run
    /// use std::net::Ipv4Addr;
    /// use futures::TryStreamExt;
    /// use nstest::rtnetlink::RouteMessageBuilder;
    /// use nstest::rtnetlink::packet_route::route::RouteAttribute;
    /// use nstest::{Node, TestResult, netns_test};
    ///
    /// # {
    /// # use nstest::netns as netns_test;
    /// #[netns_test]
    /// async fn adds_an_address_and_a_route(router: Node) -> TestResult {
    ///     let handle = router.rtnetlink()?;
    ///     let link = handle.link().get().match_name("eth0").execute().try_next().await?;
    ///     let index = link.expect("each node has it").header.index;
    ///     handle.address().add(index, Ipv4Addr::new(10, 0, 2, 99).into(), 24).execute().await?;
    ///
    ///     let network = Ipv4Addr::new(192, 0, 2, 0);
    ///     let route = RouteMessageBuilder::<Ipv4Addr>::new()
    ///         .destination_prefix(network, 24)
    ///         .gateway(Ipv4Addr::new(10, 0, 2, 1))
    ///         .build();
    ///     handle.route().add(route).execute().await?;
    ///
    ///     let all = RouteMessageBuilder::<Ipv4Addr>::new().build();
    ///     let routes: Vec<_> = handle.route().get(all).execute().try_collect().await?;
    ///     let destination = RouteAttribute::Destination(network.into());
    ///     assert!(routes.iter().any(|route| route.attributes.contains(&destination)));
    ///     Ok(())
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// `netlink`, if the caller is not in a tokio runtime, or the socket cannot be opened.
    ///
    /// # Panics
    /// If the runtime was built without `enable_io`. Every runtime of nstest has it.
    #[cfg(all(feature = "rtnetlink", target_os = "linux"))]
    #[track_caller]
    pub fn rtnetlink(&self) -> Result<rtnetlink::Handle> {
        self.executor.rtnetlink()
    }

    /// Prepares a program that will run in the node.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        Command::new(Arc::clone(&self.executor), program)
    }
}

/// Changes while the test runs.
impl Node {
    /// Kills the node's established TCP connections, all of them or those with
    /// this port at either end, and returns how many: programs in the node see
    /// ECONNABORTED, the other ends an RST (sock_diag(7), SOCK_DESTROY).
    ///
    /// # Errors
    /// `not-found`, if none is established: a listener is no connection, and one that an end has
    /// closed is not established. Where the kernel lacks CONFIG_INET_DIAG_DESTROY, what it says.
    pub fn kill_connections(&self, port: impl Into<Option<u16>>) -> Result<usize> {
        self.executor.kill_connections(port.into())
    }

    /// Adds an interface on a LAN to the node, with a free address of the LAN. Its name is the
    /// first of `eth0` and on that no interface has, also none that a program has made.
    ///
    /// A router serves the LAN, or has its WAN there: [`Router`](crate::Router).
    ///
    /// # Errors
    /// `in-use`, if it is on that LAN; `subnet-full`; `config` and `nat`, for a router's
    /// second WAN, and a second LAN that its prefix translation does not allow.
    pub fn join(&self, lan: &Lan) -> Result<Link> {
        let slot = self.net.edit(|spec| spec.join(self.id, &Join::of(lan.id())))?;
        Link::of(self.net.clone(), self.id, slot)
    }

    /// Removes the node's interface on a LAN. The node gets the same address when it joins
    /// again.
    ///
    /// # Errors
    /// `not-found`, if it is not on that LAN.
    pub fn leave(&self, lan: &Lan) -> Result<()> {
        self.net.edit(|spec| spec.leave(self.id, lan.id()))
    }

    /// Moves the node from one LAN to another: the interface stays, the addresses change.
    ///
    /// # Errors
    /// `not-found`, if it is not on the first; `in-use`, if it is on the second.
    pub fn roam(&self, from: &Lan, to: &Lan) -> Result<()> {
        self.net.edit(|spec| spec.roam(self.id, from.id(), &Join::of(to.id())))
    }

    /// Gives the node another address on a LAN, in place of that of the same IP version.
    ///
    /// What nstest derives from addresses follows: names in `/etc/hosts`, the resolvers in
    /// `/etc/resolv.conf`, partitions, port forwardings (a router forgets its connections then,
    /// as by [`flush_nat`](crate::Router::flush_nat)). Other nodes resolve the old address
    /// again when they use it (ARP, ND), so that a node that gets it is reached at once. What
    /// the test has given as an address stays as it is: DNS answers, `from` and `to` of
    /// [`Packets`](crate::Packets).
    ///
    /// # Errors
    /// `address`, if it is not in the LAN's subnets, or another node has it.
    pub fn set_address(&self, lan: &Lan, addr: IpAddr) -> Result<()> {
        self.net.edit(|spec| spec.readdress(self.id, lan.id(), &[addr]))
    }

    /// Adds a route. The destination is a [`Subnet`](crate::Subnet) or a text such as
    /// `"203.0.113.0/24"`, the gateway an address or a node.
    ///
    /// ```no_run
    /// # fn test(client: nstest::Node, gateway: nstest::Node) -> nstest::TestResult {
    /// client.add_route("203.0.113.0/24", &gateway)?;
    /// client.add_route("2001:db8::/32", gateway.ipv6())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `subnet`, if the text is none; `route`, if the gateway is not on a network of the
    /// node.
    ///
    /// # Panics
    /// If the gateway is a node on no network.
    #[track_caller]
    pub fn add_route(&self, destination: impl ToString, gateway: impl Into<IpAddr>) -> Result<()> {
        let (destination, gateway) = (destination.to_string().parse()?, gateway.into());
        self.net.edit(|spec| spec.add_route(self.id, destination, gateway))
    }

    /// Removes a route that was added.
    ///
    /// # Errors
    /// `subnet`, if the text is none; `not-found`, if no such route was added.
    pub fn remove_route(&self, destination: impl ToString) -> Result<()> {
        let destination = destination.to_string().parse()?;
        self.net.edit(|spec| spec.remove_route(self.id, destination))
    }

    /// Sets where packets go that no other route matches.
    ///
    /// # Errors
    /// `route`, if [`DefaultRoute::Blackhole`] is set for a node that is on no network.
    pub fn set_default_route(&self, route: DefaultRoute) -> Result<()> {
        self.net.edit(|spec| spec.set_default(self.id, route.into()))
    }

    /// Puts the node's network back to what the test asked of nstest, after a program has
    /// changed it: `ip link set eth0 down` and `up`, for example, loses IPv6 addresses and
    /// routes, as on any host.
    ///
    /// - Its interfaces are there, up, and have their names, MAC addresses and MTUs. One that
    ///   was deleted, or moved to another namespace, is made again, with its link's faults.
    /// - These interfaces have their addresses and permanent neighbours, and no others. Queueing
    ///   disciplines and filters (tc(8)) of programs are removed. They leave a bridge.
    /// - The main routing table has the node's routes, and no others through these interfaces.
    ///   The tables `local` and `default`, the rules (ip-rule(8)) and `lo` are as if new.
    /// - The sysctls that nstest writes have their values; so have a router's nftables rules.
    ///   Its mappings and connections stay.
    ///
    /// What else a program has made stays: its own interfaces, with the routes through them,
    /// other nftables tables, other sysctls (`arp_ignore`), proxy neighbours, XDP programs,
    /// offloads. Links that are [`down`](Link::down) stay so. So with [`Router`](crate::Router)s.
    ///
    /// ```no_run
    /// # fn test(server: nstest::Node) -> nstest::TestResult {
    /// server.command("ip").args(["link", "set", "eth0", "down"]).output()?;
    /// // … what the server does without its interface …
    /// server.restore()?;
    /// server.wait_reachable(server.ipv6())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `name-taken`, if a program has given the name of such an interface to another; `in-use`,
    /// if a `passthru` macvlan takes its frames; `config` in a test that joined a namespace.
    pub fn restore(&self) -> Result<()> {
        self.net.restore(self.id)
    }

    /// Removes the node and its links.
    ///
    /// Threads, tasks and programs in it go on, and a clone of the handle can start more
    /// ([`run`](Self::run), [`spawn`](Self::spawn), [`command`](Self::command)). They have no
    /// network but `lo`. Its name resolves no more. All else that a clone is used for is an
    /// error, `not-found`.
    ///
    /// # Errors
    /// `in-use`, if something depends on it.
    pub fn remove(self) -> Result<()> {
        self.net.edit(|spec| spec.remove_node(self.id))
    }
}

impl Lan {
    /// The nodes on it, in the order of their creation.
    #[must_use]
    pub fn nodes(&self) -> Vec<Node> {
        let ids = self.net().look(|spec| spec.on_segment(self.id()));
        ids.into_iter().filter_map(|id| Node::of(self.net().clone(), id).ok()).collect()
    }
}
