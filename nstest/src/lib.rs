//! Tests in a network of their own.
//!
//! [`#[netns_test]`](macro@netns_test) runs each test in a network namespace of
//! its own, in a process of its own: an isolated host with nothing but `lo`,
//! where every test can bind the same well-known port at the same time.
//!
//! Import the attributes by name. `use nstest::*` brings in [`test`](macro@test)
//! too, and the compiler then calls a plain `#[test]` ambiguous.
#![forbid(unsafe_code)]

#[cfg(feature = "dns")]
pub use nstest_core::Resolver;
#[cfg(feature = "dns")]
pub use nstest_core::dns;
pub use nstest_core::{
    Action, AddrMatch, Backend, Command, Condition, Direction, Error, ErrorCode, Fault,
    FaultEffect, FaultSchedule, FaultTarget, Firewall, Fixture, FixtureContext, FixtureParam,
    GilbertElliott, Injection, InjectionPoint, Jitter, JoinHandle, Lan, LanBuilder, Link,
    LinkDirection, MacAddr, Nat, Nat6, NatFiltering, NatMapping, Net, NetworkSpec, Node,
    NodeBuilder, Occurrence, PacketKind, Packets, Partition, Percent, Plan, PollOutcome, Probe,
    ProbeOutcome, Protocol, Rate, Result, Router, RouterBuilder, ScopedFuture, Subnet, TestContext,
    TestError, TestResult, Unreachable, enter, eventually, net,
};
#[cfg(feature = "tokio")]
pub use nstest_core::{Task, eventually_async};

// The examples below write `#[netns_test]` and mean `#[netns]`, by a hidden
// import. A doctest is compiled without `--test`, where the compiler drops a
// registered test unread: a type error in it would pass. `#[netns]` registers
// nothing, so that the examples are at least type-checked.

/// Makes a test of a function, and runs it in network namespaces of its own.
///
/// ```no_run
/// # use nstest::netns as netns_test;
/// use std::net::TcpListener;
///
/// #[netns_test]
/// fn binds_a_well_known_port() -> std::io::Result<()> {
///     TcpListener::bind("127.0.0.1:8080")?; // so does every other test, at the same time
///     Ok(())
/// }
/// ```
///
/// It takes the place of `#[test]`: the function appears in `cargo test` and in
/// `cargo nextest` under its usual name, filters and flags work as usual, and so
/// do `#[ignore]`, `#[should_panic]`, `#[cfg]`, `#[cfg_attr]` and lint
/// attributes, above or below it. The function may return what any test may
/// return: `()`, a [`Result`](std::result::Result), [`TestResult`],
/// [`ExitCode`](std::process::ExitCode), any [`Termination`](std::process::Termination).
///
/// # What a test sees
///
/// Its body runs in a process of its own, the test binary started again. A
/// static that another test wrote, a changed working directory, a leaked
/// thread or socket: none of it arrives, and none of it stays. In there is a
/// host with one interface, `lo`, up, with `127.0.0.1` and `::1`; no other
/// address can be reached, those of the machine included.
///
/// # Arguments
///
/// | argument | value | without it |
/// |---|---|---|
/// | `timeout` | how long the test may take, in `ns`, `us`, `ms`, `s`, `m` (or `min`), `h`: `"250ms"`, `"30s"`, `"1m 30s"`; or `"none"` | 60 s; 15 s for each run with `explore` |
/// | `root` | `false`: keep the uid of the caller, for programs that refuse to run as root | `true` |
/// | `peers` | how many more nodes than the parameters name there are, called `peer1`, `peer2`, …; `nstest::Net` finds them | none |
/// | `subnet` | the subnet of the network of the `Node` parameters and `peers`: `"10.9.0.0/24"`, `"fd09::/64"`, or both in a list: `["10.9.0.0/24", "fd09::/64"]` | 10.0.2.0/24 and fd00:2::/64 |
/// | `mtu` | the MTU of that network, in bytes | 1500 |
/// | `ipv6` | `false`: no IPv6 in the whole test, `::1` included | `true` |
/// | `uplink` | nothing: the word alone. A way to the machine's own network, see [below](#an-uplink) | none |
/// | `netns` | the name of a network namespace that exists (`ip netns add vns1`), for the test to run in; as root only | a new one |
/// | `seed` | a number below 2^64, from which everything random in the network follows; `NSTEST_SEED` goes before it | 1 |
/// | `explore` | a list of faults, `explore(drop, reset)`, to be injected at each point of the test, see [below](#exploration); `max = N` in it is how many runs there are at most | one run, without them |
/// | `flavor` | the tokio runtime of an `async fn`: `"current_thread"` or `"multi_thread"` | `"current_thread"` |
/// | `worker_threads` | how many threads a `"multi_thread"` runtime has, from 1 | as many as processors |
/// | `crate` | the path of this crate, where it is a re-export or renamed: `crate = my_testing::nstest` | `::nstest` |
///
/// # Parameters
///
/// A parameter is made by its type, which must be a [`Fixture`], and taken by
/// value. [`TestContext`] is one; a type of your own becomes one by implementing
/// the trait.
///
/// ```no_run
/// # use nstest::netns as netns_test;
/// use nstest::TestContext;
///
/// #[netns_test(timeout = "10s")]
/// fn knows_itself(context: TestContext) {
///     let _ = context;
/// }
/// ```
///
/// The name of a parameter is the name of what is made, less `r#`, `mut` and
/// `ref`: `mut server: Node` is the node `server`. A pattern that binds one name
/// gives that one; any other is `arg` and the position of the parameter, from 1.
/// Every parameter lives until the body has ended, also those called `_`.
/// `#[cfg]` on a parameter works. References, generics and `impl Trait` are
/// refused, since nothing could choose the type.
///
/// # Nodes
///
/// A parameter of the type [`Node`] is another host: one is linked to the test's
/// own directly, several share a LAN with it. [`Net`] is the whole network, where
/// more can be built; [`net()`](fn@net) gives it to helpers that have no parameter.
///
/// ```no_run
/// # use nstest::netns as netns_test;
/// use nstest::{Net, Node, TestResult};
///
/// #[netns_test(peers = 3, subnet = "10.9.0.0/24", mtu = 9000)]
/// fn everybody_is_there(first: Node, net: Net) -> TestResult {
///     assert_eq!(first.ip().to_string(), "10.9.0.2");
///     for node in net.nodes() {
///         node.wait_reachable(net.local().ip())?;
///     }
///     Ok(())
/// }
/// ```
///
/// # An uplink
///
/// With `uplink` the test's node has an interface that leads to the network of
/// the machine, and its default route, unless a router of the test's is that.
/// Names are looked up there, too, after those of the nodes. The machine's own
/// loopback stays closed, and nobody outside reaches the test. Ordinary users
/// need `pasta` (or `slirp4netns`) and a readable and writable `/dev/net/tun`;
/// root needs neither. A subnet of the test's that the machine has as well is an
/// error. The guide's page on uplinks says what touches the machine.
///
/// ```no_run
/// # use nstest::netns as netns_test;
/// #[netns_test(uplink, timeout = "2m")]
/// fn talks_to_the_staging_server() -> nstest::TestResult {
///     std::net::TcpStream::connect("staging.example.org:443")?;
///     Ok(())
/// }
/// ```
///
/// # Exploration
///
/// With `explore(…)` the test is run once as it is, the *census*, and then once for
/// each packet that the census has sent and each of the named faults, and has to pass
/// each time. The faults are `drop`, `duplicate` and `delay`, of that packet, and
/// `cut`, `blackhole` and `reset`, right after it. Each run is in namespaces and a
/// process of its own, with the test's `timeout`; two run at a time for each
/// processor (`NSTEST_JOBS`). The failure of an exploration shows the
/// first packet at which the test fails, and how, all others in a table, and the
/// line that repeats that run alone. With `max = N` there are at most so many runs,
/// chosen by the seed. It stands neither beside `#[should_panic]` nor `netns`. The
/// guide's page on exploration tells the rest.
///
/// ```no_run
/// # use nstest::netns as netns_test;
/// use nstest::{Node, TestResult};
/// # fn buy(_: &Node) -> TestResult { Ok(()) }
///
/// #[netns_test(explore(drop, reset, max = 200), timeout = "5s")]
/// fn pays_once(shop: Node) -> TestResult {
///     buy(&shop)
/// }
/// ```
///
/// # Asynchronous tests
///
/// An `async fn` runs on a tokio runtime that is built for it, with time and I/O
/// enabled (cargo feature `tokio`, on by default). There is no `#[tokio::test]`
/// beside it.
///
/// ```no_run
/// # use nstest::netns as netns_test;
/// #[netns_test(flavor = "multi_thread", worker_threads = 2)]
/// async fn asynchronous() -> nstest::TestResult {
///     let port: u16 = std::future::ready("8080").await.parse()?;
///     assert_eq!(port, 8080);
///     Ok(())
/// }
/// ```
///
/// # Tests that should panic
///
/// `#[should_panic(expected = "…")]` is about a panic of the body, and about
/// nothing else: a test that could not be set up, ran out of time, crashed or
/// left early fails as one that "did not panic as expected". As with `#[test]`,
/// such a function returns `()`.
///
/// ```no_run
/// # use nstest::netns as netns_test;
/// #[netns_test]
/// #[should_panic(expected = "in use")]
/// fn a_port_is_taken_once() {
///     let _first = std::net::TcpListener::bind("127.0.0.1:80").unwrap();
///     std::net::TcpListener::bind("127.0.0.1:80").expect("in use");
/// }
/// ```
///
/// # With rstest, test-case and the like
///
/// Such a macro makes several tests of one function, and registers them itself,
/// or leaves that to the test attribute below it. It stands *above*, and below
/// it stands
///
/// - for an `fn`: [`#[netns]`](macro@netns), which does not register,
/// - for an `async fn`: [`#[nstest::test]`](macro@test), whose last segment
///   `test` is how rstest and test-case know that it does.
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
/// Under rstest an `fn` may have any of the three. Where a test would be
/// registered never or twice, it is refused: by the compiler where that can be
/// seen, else when it is run, as with `#[test]` above `#[netns_test]`. rstest
/// leaves a parameter to us that is marked with rstest's own `#[ignore]`:
/// `#[ignore] context: TestContext`.
///
/// # Elsewhere
///
/// On other platforms than Linux, and under Miri, the test is compiled, and
/// shown as ignored with the reason. In a doctest the attribute verifies
/// nothing: the compiler drops a test from what is not a test binary before it
/// has looked at it.
pub use nstest_macros::netns_test;

/// [`#[netns_test]`](macro@netns_test), for a function that something else registers.
///
/// It stands below a macro that makes tests of the function: rstest or
/// test-case on an `fn`, `#[test]` itself, `#[tokio::test]`. Arguments and
/// parameters are those of `#[netns_test]`. A function that nothing
/// registers is no test, and the compiler warns that nothing uses it.
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

/// [`#[netns_test]`](macro@netns_test) under a name by which other macros know it.
///
/// rstest and test-case take an attribute whose path ends in `test` for the one
/// that registers: write `#[nstest::test]` below them on an `async fn`.
///
/// ```no_run
/// # mod nstest { pub(crate) use ::nstest::netns as test; }
/// #[nstest::test]
/// async fn asynchronous() {
///     std::future::ready(()).await;
/// }
/// ```
pub use nstest_macros::test;

/// Makes a [`Fixture`](trait@Fixture) of a struct whose fields are fixtures.
///
/// The name of a field is the name of what it makes: a world that several tests
/// share is described, and its nodes are named, in one place.
///
/// ```no_run
/// # use nstest::netns as netns_test;
/// use nstest::{Fixture, Node, TestResult};
///
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
/// ```
///
/// A tuple struct may have one field, which has the name of the parameter.
/// `#[fixture(crate = path)]` says where this crate is, if it is not `::nstest`.
pub use nstest_macros::Fixture;

#[doc(hidden)]
pub use nstest_core::private as __private;
