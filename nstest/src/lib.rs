//! A test harness for network code on Linux.
//!
//! [`#[netns_test]`](macro@netns_test) runs each test in a process and a network
//! namespace of its own. The only interface there is `lo`, so that every test can bind
//! the same port at the same time. A test that needs peers has parameters: each
//! [`Node`] is another host, linked to the test's own.
//!
//! ```no_run
//! use nstest::{Condition, Node, TestResult, netns_test};
//! use std::net::{TcpListener, TcpStream};
//!
//! # {
//! # use nstest::netns as netns_test;
//! #[netns_test]
//! fn connects_over_a_slow_link(server: Node) -> TestResult {
//!     let listener = server.run(|| TcpListener::bind("0.0.0.0:7000"))?;
//!     server.link().condition(Condition::LTE)?;
//!     TcpStream::connect((server.ip(), 7000))?;
//!     drop(listener);
//!     Ok(())
//! }
//! # }
//! ```
//!
//! | for | see |
//! |---|---|
//! | a test | [`#[netns_test]`](macro@netns_test), [`TestResult`], [`TestContext`], [`enter`] |
//! | its network | [`Node`], [`Net`], [`Lan`], [`Router`], [`Nat`], [`Firewall`] |
//! | code and programs in a node | [`Node::run`], [`Node::spawn`], [`Command`] |
//! | waiting | [`eventually`], [`Node::probe`] |
//! | faults | [`Link`], [`Condition`], [`Packets`], [`Fault`], [`Plan`], [`Partition`], [`Injection`] |
//! | parameters of your own types | [`Fixture`](trait@Fixture) |
//!
//! Import the attributes by name. `use nstest::*` would also import
//! [`test`](macro@test), and the compiler would then call `#[test]` ambiguous.
#![forbid(unsafe_code)]

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;

#[cfg(feature = "dns")]
pub use nstest_core::Resolver;
#[cfg(feature = "dns")]
pub use nstest_core::dns;
#[cfg(feature = "tracing")]
pub use nstest_core::tracing_layer;
pub use nstest_core::{
    Action, AddrMatch, Backend, Command, Condition, DefaultRoute, Direction, Error, ErrorCode,
    Fault, FaultEffect, FaultSchedule, FaultTarget, Firewall, Fixture, FixtureContext,
    FixtureParam, GilbertElliott, Injection, InjectionPoint, Jitter, JoinHandle, Lan, LanBuilder,
    Link, LinkDirection, MacAddr, Nat, Nat6, NatFiltering, NatMapping, Net, NetworkSpec, Node,
    NodeBuilder, Occurrence, PacketKind, Packets, Partition, Percent, Plan, PollOutcome, Probe,
    ProbeOutcome, Protocol, Rate, Result, Router, RouterBuilder, ScopedFuture, Subnet, TestContext,
    TestError, TestResult, Unreachable, enter, eventually, net, step,
};
#[cfg(feature = "tokio")]
pub use nstest_core::{Task, eventually_async};

/// The crate rtnetlink, in the version of [`Node::rtnetlink`].
#[cfg(all(feature = "rtnetlink", target_os = "linux"))]
pub use nstest_core::rtnetlink;

// The examples import `netns_test`, and hidden lines replace it by `netns` in a block. A doctest
// is compiled without `--test`. The compiler then drops a registered test before it checks the
// types in it. `#[netns]` registers nothing, so that the examples are type-checked.

/// Makes a function a test that runs in network namespaces of its own.
///
/// ```no_run
/// use nstest::netns_test;
/// use std::net::TcpListener;
///
/// # {
/// # use nstest::netns as netns_test;
/// #[netns_test]
/// fn binds_a_well_known_port() -> std::io::Result<()> {
///     TcpListener::bind("127.0.0.1:8080")?; // other tests do the same at the same time
///     Ok(())
/// }
/// # }
/// ```
///
/// It replaces `#[test]`. The test appears in `cargo test` and `cargo nextest` under its
/// usual name, and filters and flags work as usual. `#[ignore]`, `#[should_panic]`,
/// `#[cfg]`, `#[cfg_attr]` and lint attributes work, above or below it. The function may
/// return what a `#[test]` may return: `()`, a [`Result`](std::result::Result),
/// [`TestResult`], [`ExitCode`](std::process::ExitCode), any
/// [`Termination`](std::process::Termination).
///
/// # What a test sees
///
/// The body runs in a new process of the test binary. It shares no statics, working
/// directory, threads or sockets with other tests, and leaves none behind. Its network
/// has one interface, `lo`, which is up, with `127.0.0.1` and `::1`. No other address
/// can be reached, not even those of the machine.
///
/// # Arguments
///
/// | argument | value | default |
/// |---|---|---|
/// | `timeout` | the time limit of the test, in `ns`, `us`, `ms`, `s`, `m` (or `min`), `h`: `"250ms"`, `"30s"`, `"1m 30s"`; or `"none"` | 60 s; with `explore`, 15 s for each run |
/// | `root` | `false`: keep the uid of the caller, for programs that refuse to run as root | `true` |
/// | `peers` | the number of nodes in addition to the `Node` parameters, called `peer1`, `peer2`, …; get them from [`Net`] | none |
/// | `subnet` | the subnet of the network of the `Node` parameters and `peers`: `"10.9.0.0/24"`, `"fd09::/64"`, or a list of both: `["10.9.0.0/24", "fd09::/64"]` | 10.0.2.0/24 and fd00:2::/64 |
/// | `mtu` | the MTU of that network, in bytes | 1500 |
/// | `ipv6` | `false`: no IPv6 in the whole test, not even `::1` | `true` |
/// | `offloads` | `false`: no segmentation and checksum offload, for network stacks on packet sockets: see [`Node::set_offloads`] | `true` |
/// | `uplink` | no value. Connects the test to the network of the machine, see [below](#an-uplink) | none |
/// | `netns` | the name of an existing network namespace (`ip netns add vns1`) in which the test runs; as root only | a new one |
/// | `seed` | a number below 2^64 that determines everything random in the network; the variable `NSTEST_SEED` overrides it | 1 |
/// | `explore` | a list of faults, `explore(drop, reset)`, to inject at each point of the test, see [below](#exploration); `max = N` in the list limits the number of runs | one run, no faults |
/// | `flavor` | the tokio runtime of an `async fn`: `"current_thread"` or `"multi_thread"` | `"current_thread"` |
/// | `worker_threads` | the number of threads of a `"multi_thread"` runtime, from 1 | one for each processor |
/// | `crate` | the path of this crate, if it is re-exported or renamed: `crate = my_testing::nstest` | `::nstest` |
///
/// # Parameters
///
/// The type of a parameter determines how it is made: it must be a
/// [`Fixture`](trait@Fixture). Fixtures of nstest are [`Node`], [`Net`],
/// [`TestContext`], and arrays of fixtures such as `[Node; 3]`. Implement the trait for
/// types of your own.
///
/// ```no_run
/// use nstest::{TestContext, netns_test};
///
/// # {
/// # use nstest::netns as netns_test;
/// #[netns_test(timeout = "10s")]
/// fn has_time_left(context: TestContext) {
///     assert!(context.remaining().is_some());
/// }
/// # }
/// ```
///
/// The name of the parameter is the name of the node: `mut server: Node` is the node
/// `server`. `r#`, `mut` and `ref` are not part of the name. A pattern that binds exactly
/// one name has that name. Any other pattern is called `arg` and its position, from 1.
/// All parameters live until the body has ended, also one called `_`. A parameter may
/// have a `#[cfg]`. References, generics and `impl Trait` are refused: a parameter needs a
/// concrete type.
///
/// # Nodes
///
/// A parameter of type [`Node`] is another host. One node is linked to the test's own
/// node directly. Several nodes share a LAN with it. [`Net`] is the whole network, and
/// can add more to it. Functions without a parameter get it from [`net()`](fn@net).
///
/// ```no_run
/// use nstest::{Net, Node, TestResult, netns_test};
///
/// # {
/// # use nstest::netns as netns_test;
/// #[netns_test(peers = 3, subnet = "10.9.0.0/24", mtu = 9000)]
/// fn all_nodes_are_reachable(first: Node, net: Net) -> TestResult {
///     assert_eq!(first.ip().to_string(), "10.9.0.2");
///     for node in net.nodes() {
///         node.wait_reachable(net.local().ip())?;
///     }
///     Ok(())
/// }
/// # }
/// ```
///
/// An array makes several nodes, which are called as the parameter with a number:
///
/// ```no_run
/// use nstest::{Node, TestResult, netns_test};
///
/// # {
/// # use nstest::netns as netns_test;
/// #[netns_test]
/// fn a_cluster_and_its_client(db: [Node; 3], client: Node) -> TestResult {
///     assert_eq!(db[0].name(), "db1");
///     client.wait_reachable(&db[2])?;
///     Ok(())
/// }
/// # }
/// ```
///
/// # An uplink
///
/// With `uplink`, the test's node has an interface to the network of the machine, and a
/// default route through it, unless a router of the test provides that route. Names are
/// resolved there too, after the names of the nodes. The machine's loopback cannot be
/// reached from the test, and the test cannot be reached from outside. Ordinary users
/// need `pasta` or `slirp4netns`, and read and write access to `/dev/net/tun`. Root needs
/// neither. A subnet that both the test and the machine use is an error. The guide's page
/// on uplinks says what the test changes on the machine.
///
/// ```no_run
/// use nstest::netns_test;
///
/// # {
/// # use nstest::netns as netns_test;
/// #[netns_test(uplink, timeout = "2m")]
/// fn talks_to_the_staging_server() -> nstest::TestResult {
///     std::net::TcpStream::connect("staging.example.org:443")?;
///     Ok(())
/// }
/// # }
/// ```
///
/// # Exploration
///
/// With `explore(…)`, the test first runs without faults: this run is the *census*. Then
/// it runs once for each injection point and each fault in the list. The points are the SYNs,
/// the answers to them, data segments, FINs and UDP datagrams of the census. The test must
/// pass in all of these runs. `drop`, `reset`, `blackhole` and `cut` lose that packet. With
/// `then`, as in `then reset`, the packet arrives, and the fault follows. `duplicate`,
/// `delay` and `corrupt` affect only that packet.
///
/// Each run has its own process, namespaces and `timeout`. Two runs per processor are
/// active at a time (`NSTEST_JOBS`). On failure, nstest prints the first packet at which
/// the test fails, a table of the others, and a command that repeats that run alone.
/// `max = N` limits the number of runs; the seed selects them. `explore` cannot be
/// combined with `#[should_panic]` or `netns`. The guide has a page on exploration.
///
/// ```no_run
/// use nstest::{Node, TestResult, netns_test};
///
/// # {
/// # use nstest::netns as netns_test;
/// # fn buy(_: &Node) -> TestResult { Ok(()) }
/// #[netns_test(explore(drop, then reset, max = 200), timeout = "5s")]
/// fn pays_once(shop: Node) -> TestResult {
///     buy(&shop)
/// }
/// # }
/// ```
///
/// # Asynchronous tests
///
/// An `async fn` runs on a new tokio runtime with time and I/O enabled (cargo feature
/// `tokio`, on by default). It needs no `#[tokio::test]`.
///
/// ```no_run
/// use nstest::netns_test;
///
/// # {
/// # use nstest::netns as netns_test;
/// #[netns_test(flavor = "multi_thread", worker_threads = 2)]
/// async fn asynchronous() -> nstest::TestResult {
///     let port: u16 = std::future::ready("8080").await.parse()?;
///     assert_eq!(port, 8080);
///     Ok(())
/// }
/// # }
/// ```
///
/// # Tests that should panic
///
/// With `#[should_panic(expected = "…")]`, the test passes only if its body panics. If
/// the network could not be made, or the test timed out, crashed or exited early, it
/// fails and reports "did not panic as expected". As with `#[test]`, such a function
/// returns `()`.
///
/// ```no_run
/// use nstest::netns_test;
///
/// # {
/// # use nstest::netns as netns_test;
/// #[netns_test]
/// #[should_panic(expected = "in use")]
/// fn a_port_is_bound_once() {
///     let _first = std::net::TcpListener::bind("127.0.0.1:80").unwrap();
///     std::net::TcpListener::bind("127.0.0.1:80").expect("in use");
/// }
/// # }
/// ```
///
/// # With rstest, test-case and similar macros
///
/// Such a macro generates several tests from one function. It either registers them
/// itself or leaves that to a test attribute below it. Write it *above* the attribute of
/// nstest, which is
///
/// - for an `fn`: [`#[netns]`](macro@netns), which does not register,
/// - for an `async fn`: [`#[nstest::test]`](macro@test). rstest and test-case recognise
///   it as a test attribute by its last segment, `test`.
///
/// ```ignore
/// use nstest::netns;
/// use rstest::rstest;
///
/// #[rstest]
/// #[case(80)]
/// #[case(443)]
/// #[netns]
/// fn binds(#[case] port: u16) {
///     std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
/// }
/// ```
///
/// With rstest, an `fn` may have any of the three attributes. A test that would be
/// registered twice or never is refused: at compile time if the macro can see it,
/// otherwise when it runs, as with `#[test]` above `#[netns_test]`. If a parameter is a
/// fixture of nstest, mark it with rstest's `#[ignore]`: `#[ignore] context: TestContext`.
///
/// What an attribute *above* adds to the function runs in the test's own process, around
/// the body: loggers, for example. What an attribute *below* adds runs in the test binary,
/// around the whole test, and then in the test's own process, too. So a lock that keeps
/// other tests waiting (`#[serial]`) belongs below. Files are locked in the test binary
/// only (`#[file_serial]`). The guide's page on other test macros has a table.
///
/// # Other platforms
///
/// On platforms other than Linux, and under Miri, the test compiles and is reported as
/// ignored, with the reason. In a doctest the attribute has no effect, because the
/// compiler drops tests from anything that is not a test binary.
pub use nstest_macros::netns_test;

/// [`#[netns_test]`](macro@netns_test) for a function that another macro registers as a
/// test.
///
/// Write it below a macro that registers the function: rstest or test-case on an `fn`,
/// `#[test]`, `#[tokio::test]`, any other `#[x::test]`. Arguments and parameters are those of
/// `#[netns_test]`. A function that nothing registers does not run, and the compiler warns that it
/// is unused.
///
/// ```no_run
/// use nstest::netns;
///
/// #[test]
/// #[netns(timeout = "5s")]
/// fn binds() {
///     std::net::TcpListener::bind("127.0.0.1:8080").unwrap();
/// }
/// ```
pub use nstest_macros::netns;

/// [`#[netns_test]`](macro@netns_test) under a name that other macros recognise.
///
/// rstest and test-case recognise a test attribute by a path that ends in `test`. Write
/// `#[nstest::test]` below them on an `async fn`.
///
/// ```no_run
/// # mod nstest { pub(crate) use ::nstest::netns as test; }
/// #[nstest::test]
/// async fn asynchronous() {
///     std::future::ready(()).await;
/// }
/// ```
pub use nstest_macros::test;

/// Implements [`Fixture`](trait@Fixture) for a struct whose fields are fixtures.
///
/// The name of a field is the name of its node. Several tests can use the same network,
/// which is described in one place.
///
/// ```no_run
/// use nstest::{Fixture, Node, TestResult, netns_test};
///
/// # {
/// # use nstest::netns as netns_test;
/// #[derive(Fixture)]
/// struct Cluster {
///     alice: Node,
///     bob: Node,
///     carol: Node,
/// }
///
/// #[netns_test]
/// fn elects_a_leader(cluster: Cluster) -> TestResult {
///     cluster.alice.wait_reachable(cluster.bob.ip())?;
///     cluster.bob.wait_reachable(cluster.carol.ip())?;
///     Ok(())
/// }
/// # }
/// ```
///
/// A tuple struct can have one field, which takes the name of the parameter.
/// `#[fixture(crate = path)]` is the path of this crate, if it is not `::nstest`.
pub use nstest_macros::Fixture;

// For the code that the macros generate.
#[doc(hidden)]
pub use nstest_core::private as __private;
