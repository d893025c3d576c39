//! The running test, for code that gets no parameter from it: `nstest::net()`.
//!
//! A body has a process of its own, so the running test is the one that this process plays.
//! Only in inline mode several tests may run in one process, each on a thread of libtest's.
//! So the test of the calling thread comes first.

use std::cell::RefCell;
use std::fs;
use std::ops::Deref;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use once_cell::sync::OnceCell;

use super::setup_failure;
use crate::context::TestContext;
use crate::error::{Error, ErrorCode, Result};
use crate::fixture::{FixtureContext, NetworkSpec};
use crate::layout::{NETNS, NETWORK_USED, NODE};
use crate::preflight;
use crate::run_config::{Findings, RunConfig};
use crate::runner::settings;
use crate::runner::test::{Options, Test};
use crate::sync::lock;
use crate::sys::init;
use crate::sysctl;
use crate::uplink;
use crate::world::Net;

static PLAYING: Mutex<Vec<Arc<Current>>> = Mutex::new(Vec::new());

thread_local! {
    static OWN: RefCell<Option<Arc<Current>>> = const { RefCell::new(None) };
}

/// What the process that plays a test is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The body, or in inline mode the parent.
    Body,
    /// A process that the body started from its own binary.
    Restarted,
}

/// A test that is running.
#[derive(Debug)]
pub(crate) struct Current {
    options: Options,
    role: Role,
    run_config: RunConfig,
    context: TestContext,
    /// What parameters and arguments ask for, until the network is built from it.
    spec: Mutex<NetworkSpec>,
    world: OnceCell<FixtureContext>,
    pretended: Mutex<Option<Findings>>,
}

impl Current {
    pub(super) fn of(
        test: &Test,
        role: Role,
        run_config: RunConfig,
        timeout: Option<Duration>,
    ) -> Result<Self> {
        let options = test.options;
        let context = TestContext::new(test.names().swap_remove(0), timeout);
        let mut spec = NetworkSpec::default();
        let parameters = &mut spec.parameters;
        parameters.anonymous = options.peers;
        parameters.subnets =
            options.subnets.iter().map(|text| text.parse()).collect::<Result<_>>()?;
        parameters.mtu = options.mtu;
        parameters.without_ipv6 = !options.ipv6;
        parameters.without_offloads = !options.offloads;
        parameters.without_root = !options.root;
        parameters.netns = options.netns.map(str::to_owned);
        if options.uplink {
            parameters.outside = match role {
                Role::Body => uplink::test_side::configure()?,
                Role::Restarted => uplink::test_side::networks()?,
            };
        }
        if !options.ipv6 && role == Role::Body {
            disable_ipv6()?;
        }
        Ok(Self {
            options,
            role,
            run_config,
            context,
            spec: Mutex::new(spec),
            world: OnceCell::new(),
            pretended: Mutex::default(),
        })
    }

    /// Has a parameter add what it needs to the network.
    pub(super) fn plan<T>(&self, plan: impl FnOnce(&mut NetworkSpec) -> Result<T>) -> Result<T> {
        // Not under the lock: the fixture may call `net()`, which is an error below.
        let mut spec = std::mem::take(&mut *self.spec());
        let planned = plan(&mut spec);
        *self.spec() = spec;
        if self.world.get().is_some() {
            return Err(Error::new(ErrorCode::Config, "plan the parameters of this test")
                .source("the `plan` of a fixture called `nstest::net()`, which built the network before all parameters were planned")
                .help("call it in the fixture's `setup`, or use the `FixtureContext` that `setup` is given"));
        }
        planned
    }

    fn spec(&self) -> MutexGuard<'_, NetworkSpec> {
        lock(&self.spec)
    }

    /// The world; the first call builds it.
    pub(super) fn world(&self) -> Result<&FixtureContext> {
        self.world.get_or_try_init(|| self.build().map_err(preflight::with_remedy))
    }

    fn build(&self) -> Result<FixtureContext> {
        let spec = self.spec().clone();
        self.check_consistent(&spec)?;
        let context = self.context.clone();
        let built = Path::new(NETNS).join(NODE);
        let world = match self.role {
            Role::Body => FixtureContext::build(&spec, context)?,
            // The name leads nowhere when the process that built the network has ended.
            Role::Restarted if built.exists() => {
                return FixtureContext::attach(&spec, context);
            }
            Role::Restarted => {
                // It fails if the test has removed the directory.
                let _ = fs::write(NETWORK_USED, "");
                FixtureContext::build_again(&spec, context)?
            }
        };
        world.net().prepare(&self.run_config)?;
        Ok(world)
    }

    /// # Errors
    /// If an argument is about the network of the test's nodes, and there are none.
    fn check_consistent(&self, spec: &NetworkSpec) -> Result<()> {
        let parameters = &spec.parameters;
        let alone = parameters.nodes.is_empty() && parameters.anonymous == 0;
        match self.about_peers() {
            Some(argument) if alone => Err(Error::new(
                ErrorCode::Config,
                format!("give the test's network `{argument}`"),
            )
            .source("the test has no `Node` parameter and no `peers`, so there is no such network")
            .help(
                "add one of them; or configure a LAN: `net.add_lan(\"lan\").subnet(\"…\").mtu(…)`",
            )),
            _ => Ok(()),
        }
    }

    /// Waits until the threads and tasks of the nodes have ended or sleep.
    pub(super) fn await_quiescence(&self) {
        if let Some(world) = self.world.get() {
            world.net().await_quiescence(init::handover().is_some());
        }
    }

    /// What failed in the network without the test function noticing it.
    pub(super) fn unseen_failure(&self) -> Option<String> {
        self.world.get().and_then(|world| world.net().unseen_failure())
    }

    /// What happened in the network.
    pub(super) fn findings(&self) -> Findings {
        let pretended = lock(&self.pretended).take();
        let found = || self.world.get().map(|world| world.net().findings());
        pretended.or_else(found).unwrap_or_default()
    }

    /// Ends the network, shortly before the process ends.
    pub(super) fn end(&self) {
        if let Some(world) = self.world.get() {
            world.net().end();
        }
    }

    pub(super) fn run_config(&self) -> &RunConfig {
        &self.run_config
    }

    /// # Errors
    /// If an argument or a plan is about the network, and the test never asked for it: the
    /// test would pass without testing anything.
    pub(super) fn check_used(&self) -> Result<()> {
        let pretends = lock(&self.pretended).is_some();
        // A process that the test started from its own binary may have used it.
        let elsewhere = self.role == Role::Restarted || Path::new(NETWORK_USED).exists();
        if self.world.get().is_some() || pretends || elsewhere {
            return Ok(());
        }
        if let Some(plan) = &self.run_config.plan {
            return Err(Error::new(ErrorCode::Config, format!("apply the plan `{plan}`"))
                .source("the plan was not applied, since nothing in the test asked for its network")
                .help(format!("name the test that the plan is for (`cargo test -- --exact NAME`), or unset {}", settings::PLAN)));
        }
        let unused = match self.options.peers {
            0 => self.about_peers().or_else(|| self.about_all_nodes()),
            peers => Some(format!("peers = {peers}")),
        };
        let Some(argument) = unused else { return Ok(()) };
        Err(Error::new(ErrorCode::Config, format!("give the test `{argument}`"))
            .source("nothing in it asked for its network")
            .help(
                "take a parameter `net: Net`, or call `nstest::net()`; or leave the argument out",
            ))
    }

    fn about_peers(&self) -> Option<String> {
        match (self.options.subnets, self.options.mtu) {
            ([subnet, ..], _) => Some(format!("subnet = \"{subnet}\"")),
            ([], Some(mtu)) => Some(format!("mtu = {mtu}")),
            ([], None) => None,
        }
    }

    fn about_all_nodes(&self) -> Option<String> {
        (!self.options.offloads).then(|| "offloads = false".to_owned())
    }
}

/// Done at the start, since a test may never ask for its network.
fn disable_ipv6() -> Result<()> {
    let absent = !Path::new("/proc/sys/net/ipv6").exists();
    let keys = ["ipv6/conf/all/disable_ipv6", "ipv6/conf/default/disable_ipv6"];
    if absent { Ok(()) } else { keys.into_iter().try_for_each(|key| sysctl::write(key, "1")) }
}

/// Makes a test the running one, on this thread, until dropped.
#[derive(Debug)]
pub(super) struct Entered(Arc<Current>);

impl Entered {
    pub(super) fn enter(current: Current) -> Self {
        let current = Arc::new(current);
        lock(&PLAYING).push(Arc::clone(&current));
        OWN.set(Some(Arc::clone(&current)));
        Self(current)
    }

    /// The test, which can be used after this is dropped.
    pub(super) fn shared(&self) -> Arc<Current> {
        Arc::clone(&self.0)
    }
}

impl Deref for Entered {
    type Target = Current;

    fn deref(&self) -> &Current {
        &self.0
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        lock(&PLAYING).retain(|current| !Arc::ptr_eq(current, &self.0));
        // It fails while the thread is being destroyed; then the variable is, too.
        let _ = OWN.try_with(RefCell::take);
    }
}

/// Gives a `main` that has entered namespaces a network, until the process ends. The first call of
/// `net()` builds it.
pub(crate) fn play_main(name: &'static str, role: Role, run_config: RunConfig) -> Result<()> {
    let mut playing = lock(&PLAYING);
    if playing.is_empty() {
        let main = Test::new("", name, Options::DEFAULT);
        // Not on this thread as its own: nothing would print the error of `setup_failure`.
        playing.push(Arc::new(Current::of(&main, role, run_config, None)?));
    }
    Ok(())
}

/// Has the running test report these findings instead of its network's; for tests of the
/// runner. Call it on the thread of the test function.
pub fn pretend(findings: impl FnOnce(&RunConfig) -> Findings) {
    if let Some(current) = OWN.with_borrow(Clone::clone) {
        let findings = findings(&current.run_config);
        *lock(&current.pretended) = Some(findings);
    }
}

/// The network of the running test, for helper functions, and for tests whose parameters
/// belong to another macro (test-case, proptest).
///
/// In a test with fixtures, it is the same as a parameter `net: Net`. Without them, the
/// first call builds the network: the test's own node, without a link, and the `peers = N`
/// of the attribute. It may be called on any thread of the test.
///
/// In a `main` that has called [`enter`](crate::enter), it is the network of that process.
///
/// ```no_run
/// /// Adds a node for a server to the network of any test.
/// fn server(name: &str) -> nstest::Result<nstest::Node> {
///     let net = nstest::net();
///     net.add_node(name).join(&net.lan("servers")?).build()
/// }
/// ```
///
/// # Panics
/// Outside of a `#[netns_test]` and of such a `main`, and where the network cannot be built.
#[must_use]
#[track_caller]
pub fn net() -> Net {
    let current = OWN.with_borrow(Clone::clone).or_else(|| {
        let playing = lock(&PLAYING);
        match playing.as_slice() {
            [current] => Some(Arc::clone(current)),
            [] => None,
            _ => panic!(
                "`nstest::net()` on a thread that a test started: in inline mode several tests \
                 run in this process, and it is not known which one started the \
                 thread; run them with `--test-threads=1`, or pass the `Net` to the thread"
            ),
        }
    });
    let Some(current) = current else {
        panic!(
            "`nstest::net()` outside of a test: there is a network only in the body of a \
             function with `#[netns_test]` (or `#[netns]`, `#[nstest::test]`), and in a `main` \
             that has called `nstest::enter()`"
        );
    };
    match current.world() {
        Ok(world) => world.net().clone(),
        // Not a panic, which `#[should_panic]` would take for the test's.
        Err(error) if OWN.with_borrow(Option::is_some) => setup_failure::unwind(&error),
        Err(error) => panic!("the network cannot be built: {error:?}"),
    }
}
