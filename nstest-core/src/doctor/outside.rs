//! Trials on the machine: kinds of namespaces, limits, the uplink.

use std::fs;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};

use super::capability::{MANY_NODES, Need};
use super::distribution::install_pasta;
use super::inside;
use super::report::{CheckStatus, Problem};
use super::trial::{TrialResult, attempt, record};
use crate::error::ErrorCode;
use crate::netlink::{NetlinkFamily, Socket, link, refusal};
use crate::node::open_files::most_nodes;
use crate::preflight::Operation;
use crate::preflight::caller::Caller;
use crate::preflight::facts::{Container, Facts, Usage, of_nproc, of_pids_max};
use crate::preflight::probe::{KINDS, Probes, TrialOutcome};
use crate::preflight::remedy;
use crate::runner::{self, Options};
use crate::uplink::{self, INSTALL, Uplink};

/// With fewer left, tests that run at once would reach the limit.
const ENOUGH_PROCESSES: u64 = 64;
/// With fewer, the nodes of some tests would reach the limit.
const ENOUGH_NODES: u64 = 256;

/// What can be read about this machine.
pub(super) fn facts() -> Facts {
    Facts::of_this_machine()
}

/// The container runtime, as the report for programs has it.
pub(super) fn container(facts: &Facts) -> Option<&'static str> {
    facts.container.map(|container| match container {
        Container::Docker => "docker",
        Container::Podman => "podman",
        Container::Kubernetes => "kubernetes",
        Container::Other => "other",
    })
}

/// How many nodes the limits allow.
pub(super) fn nodes(facts: &Facts) -> Option<u64> {
    let files = most_open_files(facts)?;
    let namespaces = facts.namespace_limits.get("net").copied().unwrap_or(u64::MAX);
    Some(most_nodes(files).min(nodes_of(namespaces)).min(names_in(facts.file_size)))
}

/// The names of how many nodes fit into /etc/hosts, as those of `peers` do.
fn names_in(file_size: Option<u64>) -> u64 {
    const OTHERS: u64 = 64;
    const EACH: u64 = 48;
    file_size.unwrap_or(u64::MAX).saturating_sub(OTHERS) / EACH
}

/// Of the network namespaces, one is the test's own and one is the fabric's.
fn nodes_of(namespaces: u64) -> u64 {
    namespaces.saturating_sub(2)
}

/// The hard limit. Where a process may not ask for its limits, it cannot raise the soft one.
fn most_open_files(facts: &Facts) -> Option<u64> {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(facts.open_files.limit, |(_, hard)| Some(hard))
}

/// A number of things of this kind: "1 node".
fn count(number: u64, of: &str) -> String {
    format!("{number} {of}{}", if number == 1 { "" } else { "s" })
}

/// What a machine lacks that has room for so many nodes.
pub(super) const fn further_nodes(nodes: u64) -> Need {
    match nodes {
        0 | 1 => Need::Part("networks of more than one node"),
        2..10 => Need::Part("networks of more than a few nodes"),
        _ => MANY_NODES,
    }
}

/// Makes all trials.
pub(super) fn all() {
    let facts = facts();
    attempt("proc", || proc(&facts));
    kinds(&facts);
    attempt("open-files", || open_files(&facts));
    attempt("file-size", || file_size(&facts));
    attempt("processes", || processes(&facts));
    attempt("namespaces", || namespaces(&facts, &EVERY_KIND));
    attempt("node-namespaces", || namespaces(&facts, &OF_NODES));
}

fn proc(facts: &Facts) -> TrialResult {
    if !facts.proc_mounted {
        return Err(no_proc());
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let of_proc = mounts.lines().rfind(|line| line.split(' ').nth(4) == Some("/proc"));
    let hidepid = of_proc
        .and_then(|line| line.rsplit([',', ' ']).find(|option| option.starts_with("hidepid=")));
    Ok(hidepid
        .map(|option| format!("{option}: other users' processes are hidden; nstest needs none")))
}

/// The problem if nothing is mounted on /proc.
pub(super) fn no_proc() -> Problem {
    let cause = "no procfs that shows this process is mounted on /proc";
    Problem::new(ErrorCode::NoProc, "read /proc/self", cause, "sudo mount -t proc proc /proc")
}

/// The problem if the children of this process are in another PID namespace than it. The first trial
/// would be the init there, in which everything else works.
pub(super) fn no_init(facts: &Facts) -> Option<Problem> {
    let step = "create the test's namespaces";
    let problem = || Problem::of_refusal(step, "clone", Errno::EINVAL, Operation::Clone);
    facts.children_apart.then(problem)
}

/// The problem if no user namespace can be made, as in a chroot. It comes before a missing /proc:
/// where that is mounted, nothing else works.
pub(super) fn no_namespace() -> Option<Problem> {
    let probes = Probes::run(nix::unistd::geteuid().as_raw());
    let TrialOutcome::Refused(errno) = probes.user else { return None };
    let step = "create the test's namespaces";
    Some(Problem::of_refusal(step, "clone", errno, Operation::Clone))
}

/// Each kind of namespace alone. Why one is refused, the world's own refusal explains.
fn kinds(facts: &Facts) {
    let probes = Probes::run(nix::unistd::geteuid().as_raw());
    outcome("user-namespace", probes.user);
    for ((kind, _), of_kind) in KINDS.iter().zip(probes.kinds) {
        let name = match *kind {
            "pid" => "pid-namespace",
            "mnt" => "mount-namespace",
            "uts" => "uts-namespace",
            "ipc" => "ipc-namespace",
            _ => "network-namespace",
        };
        outcome(name, of_kind);
    }
    let filter = match facts.seccomp_filter {
        Some(true) => "this process has a filter",
        Some(false) => "none",
        None => "unknown",
    };
    let calls = format!("clone {}, mount {}", probes.clone_filter, probes.mount_filter);
    record("seccomp", CheckStatus::Unneeded, &format!("{filter}; {calls}"), None);
}

fn outcome(name: &str, outcome: TrialOutcome) {
    let (status, detail) = match outcome {
        TrialOutcome::Allowed => (CheckStatus::Works, String::new()),
        TrialOutcome::Refused(errno) => (CheckStatus::Missing, format!("clone: {errno:?}")),
        TrialOutcome::Killed(signal) => {
            (CheckStatus::Missing, format!("clone: {}", remedy::signal_name(signal)))
        }
        TrialOutcome::Untried => (CheckStatus::Untried, String::new()),
    };
    record(name, status, &detail, None);
}

fn open_files(facts: &Facts) -> TrialResult {
    let Some(limit) = most_open_files(facts) else {
        return Ok(Some("the limit is unknown".to_owned()));
    };
    let nodes = most_nodes(limit);
    if nodes >= ENOUGH_NODES {
        return Ok(Some(format!("{limit} for networks: up to {} nodes", nodes.min(MOST))));
    }
    Err(Problem::new(
        ErrorCode::OpenFiles,
        "open files",
        format!(
            "this process may have {limit} open files (RLIMIT_NOFILE): enough for {}",
            count(nodes, "node")
        ),
        remedy::open_files(facts),
    ))
}

fn file_size(facts: &Facts) -> TrialResult {
    let Some(limit) = facts.file_size else { return Ok(None) };
    let nodes = names_in(Some(limit));
    if nodes >= ENOUGH_NODES {
        return Ok(Some(count(limit, "byte")));
    }
    Err(Problem::new(
        ErrorCode::ResourceLimit,
        "write files",
        format!(
            "the size of files is limited to {} (RLIMIT_FSIZE): the test's /etc/hosts has room for {}",
            count(limit, "byte"),
            count(nodes, "node")
        ),
        remedy::file_size(facts.caller),
    ))
}

/// The most nodes of a test.
const MOST: u64 = 65_535;

fn processes(facts: &Facts) -> TrialResult {
    let (user, cgroup) = left(facts);
    let problem = |code, holder: &str, limit: String, used: Option<u64>, fix: String| {
        let used = used.unwrap_or_default();
        let exist = if used == 1 { "exists" } else { "exist" };
        let cause = format!("{holder} {limit}, and {used} {exist}");
        Problem::new(code, "start processes and threads", cause, fix)
    };
    if is_few(user) {
        let Usage { limit, used } = facts.processes;
        let (holder, fix) = ("this user may have", remedy::processes(facts));
        return Err(problem(ErrorCode::Nproc, holder, of_nproc(limit), used, fix));
    }
    if is_few(cgroup) {
        let Usage { limit, used } = facts.cgroup_pids;
        let (holder, fix) = ("the cgroup of this process may have", remedy::pids(facts));
        let limit = of_pids_max(limit.unwrap_or_default());
        return Err(problem(ErrorCode::PidsLimit, holder, limit, used, fix));
    }
    Ok(user.into_iter().chain(cgroup).min().map(|left| format!("{left} more")))
}

/// How many more processes this user, and this cgroup, may have.
fn left(facts: &Facts) -> (Option<u64>, Option<u64>) {
    let of = |usage: Usage| Some(usage.limit?.saturating_sub(usage.used.unwrap_or(0)));
    // The limit does not apply to root of the machine.
    let is_root = facts.uid == Some(0) && !facts.nested();
    ((!is_root).then(|| of(facts.processes)).flatten(), of(facts.cgroup_pids))
}

fn is_few(left: Option<u64>) -> bool {
    left.is_some_and(|left| left < ENOUGH_PROCESSES)
}

/// Whether a limit may have no room for trials that are made at once.
pub(super) fn is_limited(facts: &Facts) -> bool {
    let (user, cgroup) = left(facts);
    let namespaces = facts.namespace_limits.values().min();
    is_few(user) || is_few(cgroup) || namespaces.is_some_and(|limit| *limit < ENOUGH_NODES)
}

/// Of each of these, a test has one.
const EVERY_KIND: [&str; 6] = ["user", "pid", "mnt", "uts", "ipc", "net"];

/// Of these, a node has one: of the last two if something runs in it.
const OF_NODES: [&str; 3] = ["net", "mnt", "uts"];

fn namespaces(facts: &Facts, kinds: &[&str]) -> TrialResult {
    let limits = kinds.iter().filter_map(|kind| Some((*kind, *facts.namespace_limits.get(kind)?)));
    let Some((kind, limit)) = limits.min_by_key(|(_, limit)| *limit) else { return Ok(None) };
    if limit == 0 || limit >= ENOUGH_NODES {
        // A limit of 0 is what the world's refusal names.
        let set = limit < i32::MAX as u64;
        return Ok(set.then(|| format!("{limit} for each user")));
    }
    let code = match kind {
        "user" => ErrorCode::UsernsLimit,
        "net" => ErrorCode::NetnsLimit,
        _ => ErrorCode::NamespaceLimit,
    };
    let tests = count(limit, "test");
    let enough = match (kind, nodes_of(limit)) {
        ("net", 0) => format!("{tests} at a time without nodes"),
        ("net", nodes) => {
            format!("{tests} at a time without nodes, or one with {}", count(nodes, "node"))
        }
        ("mnt" | "uts", _) => {
            format!("{tests} at a time; a node in which something runs takes another one")
        }
        _ => format!("{tests} at a time"),
    };
    let name = format!("user.max_{kind}_namespaces");
    let cause = format!(
        "this machine allows a user {} of this kind ({name}): enough for {enough}",
        count(limit, "namespace")
    );
    Err(Problem::new(code, "make namespaces", cause, remedy::sysctl(&name, "28633", facts)))
}

/// Makes an uplink if a program serves it. One by the kernel would change the machine's network,
/// so only the right to do that is tried. The test with the uplink is a second process, which
/// begins here as well.
pub(super) fn uplink() {
    attempt("uplink", || {
        if !runner::is_body() && by_kernel()? {
            return may_configure();
        }
        inside::enter(UPLINK, Options { uplink: true, ..Options::DEFAULT })?;
        let description = fs::read_to_string(uplink::DESCRIPTION).unwrap_or_default();
        Ok(description.lines().next().map(str::to_owned))
    });
}

/// Whether the kernel would make an uplink, without a program.
fn by_kernel() -> Result<bool, Problem> {
    let uplink = Uplink::prepare(true, true).map_err(|error| {
        let problem = Problem::of(&error, "");
        let fix = if problem.fix == INSTALL { install_pasta() } else { problem.fix };
        Problem { fix, ..problem }
    })?;
    Ok(uplink.is_routed())
}

/// Takes the place of a test's path.
const UPLINK: &str = "doctor(), uplink";

/// Root of a user namespace may have all capabilities, and none for the machine's network.
fn may_configure() -> TrialResult {
    const NO_INTERFACE: u32 = i32::MAX as u32;
    let mut socket = Socket::open(NetlinkFamily::Route, "the machine")
        .map_err(|error| Problem::of(&error, ""))?;
    let request = link::set(NO_INTERFACE).up().request();
    if socket.request(&request).is_err_and(|error| refusal(&error) == Some(Errno::EPERM)) {
        return Err(Problem::new(
            ErrorCode::Uplink,
            "give the test an uplink to the machine's network",
            "this process is root of a user namespace, and the machine's network belongs to another \
             one",
            format!(
                "run {} as root of the machine, or as an ordinary user with pasta: {}",
                Caller::Command.name(),
                install_pasta()
            ),
        ));
    }
    Ok(Some("by the kernel (NAT)".to_owned()))
}
