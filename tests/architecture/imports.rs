//! Imports run one way.
//!
//! A *module* here is a file or a directory directly below a crate's `src`. The table
//! lists the modules of a crate in dependency order, each with the modules that it may
//! use. All of these are listed before it, so there can be no cycle. If a new module does
//! not fit anywhere, part of it belongs in another module.
//!
//! `lib.rs` may use every module. Inside the crate, an item that it re-exports is named by
//! its module: `crate::error::Error`, not `crate::Error`.

use std::collections::BTreeSet;
use std::path::Path;

use crate::source::code;
use crate::tree;

/// Files and directories that belong to tests.
const TESTS: [&str; 4] = ["tests", "tests.rs", "testing.rs", "snapshots"];

pub(crate) type Modules = &'static [(&'static str, &'static [&'static str])];

const CORE: Modules = &[
    // Values and system calls.
    ("error", &[]),
    ("addr", &["error"]),
    ("sync", &[]),
    ("panics", &[]),
    ("layout", &[]),
    ("own_pid", &[]),
    ("run_config", &[]),
    ("context", &[]),
    ("frame", &["addr"]),
    ("sys", &[]),
    ("capability", &["sys"]),
    ("ipc", &["run_config", "sys"]),
    ("sysctl", &["error", "sync", "sys"]),
    ("preflight", &["error", "capability", "sys"]),
    ("fault", &["error", "addr", "frame"]),
    // What is recorded of a test.
    ("evidence", &["layout", "addr", "frame", "sys", "fault"]),
    ("recorder", &["frame", "sys", "evidence"]),
    // Network namespaces, and the kernel's tables in them.
    ("netns", &["error", "layout", "own_pid", "preflight"]),
    ("netlink", &["error", "addr", "sys", "sysctl", "preflight", "netns"]),
    (
        "node",
        &[
            "error",
            "addr",
            "sync",
            "panics",
            "layout",
            "own_pid",
            "frame",
            "sys",
            "preflight",
            "netns",
            "netlink",
        ],
    ),
    (
        "wire",
        &["error", "addr", "sync", "panics", "sys", "frame", "preflight", "evidence", "recorder"],
    ),
    ("dns", &["error", "sync", "sysctl", "node"]),
    // A test's network: as data, in the kernel, and as handles.
    ("topology", &["error", "addr", "layout", "netlink"]),
    (
        "snapshot",
        &[
            "error", "sync", "layout", "own_pid", "sys", "evidence", "recorder", "netns",
            "netlink", "topology",
        ],
    ),
    (
        "fabric",
        &[
            "error",
            "addr",
            "sync",
            "layout",
            "frame",
            "sysctl",
            "preflight",
            "evidence",
            "recorder",
            "netns",
            "netlink",
            "node",
            "wire",
            "topology",
            "fault",
            "snapshot",
        ],
    ),
    (
        "world",
        &[
            "error",
            "addr",
            "sync",
            "run_config",
            "context",
            "frame",
            "evidence",
            "recorder",
            "node",
            "dns",
            "topology",
            "fault",
            "fabric",
        ],
    ),
    ("fixture", &["error", "context", "fabric", "topology", "world"]),
    ("step", &["evidence", "recorder", "snapshot"]),
    ("log_layer", &["evidence", "recorder", "snapshot"]),
    // One test, and its connection to the machine's network.
    ("uplink", &["error", "addr", "capability", "sys", "sysctl", "netns", "netlink", "topology"]),
    (
        "runner",
        &[
            "error",
            "sync",
            "panics",
            "layout",
            "run_config",
            "ipc",
            "context",
            "capability",
            "sys",
            "sysctl",
            "evidence",
            "recorder",
            "netns",
            "node",
            "fault",
            "topology",
            "snapshot",
            "world",
            "fixture",
            "preflight",
            "uplink",
        ],
    ),
    (
        "doctor",
        &[
            "error",
            "addr",
            "layout",
            "own_pid",
            "sys",
            "sysctl",
            "preflight",
            "netns",
            "netlink",
            "node",
            "fault",
            "wire",
            "uplink",
            "runner",
        ],
    ),
    // Replaces what talks to the kernel, on platforms without network namespaces.
    (
        "stub",
        &[
            "error", "frame", "evidence", "fault", "netns", "netlink", "node", "topology", "world",
            "fixture",
        ],
    ),
];

const MACROS: Modules = &[
    ("diag", &[]),
    ("duration", &[]),
    ("args", &["diag", "duration"]),
    ("attributes", &[]),
    ("model", &["diag", "attributes"]),
    ("entry", &[]),
    ("conflicts", &["diag", "args", "attributes", "model", "entry"]),
    ("expand", &["diag", "args", "attributes", "model", "entry", "conflicts"]),
    ("derive", &["diag"]),
];

const FACADE: Modules = &[("cli", &[]), ("bin", &[])];

pub(crate) const TABLE: [(&str, Modules); 3] =
    [("nstest-core", CORE), ("nstest-macros", MACROS), ("nstest", FACADE)];

#[test]
fn the_table_has_no_cycle() {
    let mut broken = Vec::new();
    for (package, modules) in TABLE {
        for (index, (module, allowed)) in modules.iter().enumerate() {
            for other in *allowed {
                if !modules[..index].iter().any(|(below, _)| below == other) {
                    broken.push(format!(
                        "{package}: `{module}` may use `{other}`, which is not listed before it"
                    ));
                }
            }
        }
    }
    tree::none("a module uses only modules that are listed before it", &broken);
}

#[test]
fn imports_run_one_way() {
    let mut broken = Vec::new();
    for (package, modules) in TABLE {
        let source = format!("{package}/src");
        for file in tree::files(&source, "rs") {
            let module = module_of(&file, &source);
            let only_tested =
                file.components().any(|c| TESTS.iter().any(|name| c.as_os_str() == *name));
            if module == "lib" || only_tested {
                continue;
            }
            let Some((_, allowed)) = modules.iter().find(|(name, _)| *name == module) else {
                broken.push(format!("{}: module `{module}` is not in the table", file.display()));
                continue;
            };
            for other in named(&code(&tree::read(&file))) {
                if other != module && !allowed.contains(&other.as_str()) {
                    broken.push(format!("{}: crate::{other}", file.display()));
                }
            }
        }
    }
    tree::none("imports that the table does not allow (tests/architecture/imports.rs)", &broken);
}

/// The first component below `src`, without `.rs`.
fn module_of(file: &Path, source: &str) -> String {
    let below = file.strip_prefix(source).expect("it was found there");
    let first = below.iter().next().expect("a file has a name").to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// Every `x` in `crate::x` and in `crate::{x, x::y}`.
fn named(code: &str) -> BTreeSet<String> {
    let mut modules = BTreeSet::new();
    for (at, path) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c == '$' || c == '_' || c.is_alphanumeric()) {
            continue;
        }
        let rest = &code[at + path.len()..];
        match rest.strip_prefix('{') {
            Some(group) => modules.extend(top_level(group).iter().map(|item| first_word(item))),
            None => {
                modules.insert(first_word(rest));
            }
        }
    }
    modules
}

/// The items of a brace group, up to its end.
fn top_level(group: &str) -> Vec<String> {
    let (mut items, mut depth) = (vec![String::new()], 0);
    for c in group.chars() {
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => items.push(String::new()),
            _ => {
                depth += i32::from(c == '{') - i32::from(c == '}');
                items.last_mut().expect("there is always one").push(c);
            }
        }
    }
    items.retain(|item| !item.trim().is_empty());
    items
}

fn first_word(text: &str) -> String {
    text.trim_start().chars().take_while(|c| *c == '_' || c.is_alphanumeric()).collect()
}

#[test]
fn paths_are_found_in_every_form() {
    let found = named("use crate::a::{x}; crate::{b, c::{d, e}, f::g,}; $crate::no; pub(crate) h");
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), ["a", "b", "c", "f"]);
}
