//! A node is the same, whichever thread creates it.

use std::collections::{BTreeMap, BTreeSet};

use nix::mount::{MsFlags, mount};

use super::*;
use crate::sysctl;
use crate::testing::isolated;
use crate::topology::Topology;
use crate::topology::spec::{Parameters, Spec};

#[test]
fn the_runnable_are_read_and_nonsense_is_none() {
    assert_eq!(runnable("0.84 0.75 0.40 3/412 9120\n"), Some(3));
    for text in ["", "0.84 0.75 0.40", "0.84 0.75 0.40 3 9120", "a b c d/e f"] {
        assert_eq!(runnable(text), None, "{text}");
    }
}

fn changes(nodes: &[&str]) -> Changes {
    let nodes = nodes.iter().map(|name| String::from(*name)).collect();
    let parameters = Parameters { nodes, ..Parameters::default() };
    Topology::first(Spec::of_parameters(&parameters).unwrap()).unwrap().changes
}

#[test]
fn there_are_no_helpers_without_nodes() {
    for changes in [Changes::default(), changes(&[])] {
        assert_eq!(NodeFactory::of(&changes, &Arc::default()).helpers(), 0);
    }
}

/// All nodes of the changes, created by `helpers` threads and the caller.
fn make(changes: &Changes, helpers: usize) -> BTreeMap<NodeId, Result<Made>> {
    let factory = NodeFactory::of(changes, &Arc::default());
    let ids = factory.new_nodes.iter().map(|new| new.at.id);
    factory.with_helpers(helpers, || ids.map(|id| (id, factory.wait_for(id))).collect())
}

/// The names of nodes stay in the test's own mounts.
fn own_run() {
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
    mount(none, "/run", Some("tmpfs"), MsFlags::empty(), none).unwrap();
}

#[test]
fn all_nodes_have_all_settings_with_any_number_of_helpers() {
    isolated(|| {
        own_run();
        let changes = changes(&["a", "b", "c", "d"]);
        for helpers in [0, 1, 3, 9] {
            let all = make(&changes, helpers);
            assert_eq!(all.len(), 5);
            let mut seen = BTreeSet::new();
            for new in new_nodes(&changes) {
                let made = all[&new.at.id].as_ref().unwrap();
                assert!(made.unwritten.as_ref().is_some_and(Vec::is_empty), "{made:?}");
                let settings = new.settings.unwrap();
                assert!(settings.len() > 20);
                let namespace = made.member.executor.namespace();
                assert_eq!(namespace.name(), new.at.name);
                let here = || std::fs::read_link("/proc/thread-self/ns/net").unwrap();
                seen.insert(namespace.enter(here).unwrap());
                for Sysctl { key, value } in settings {
                    let path = key.strip_prefix("net.").unwrap().replace('.', "/");
                    let present = namespace.enter(|| sysctl::read(&path)).unwrap().unwrap();
                    assert_eq!(present, *value, "{key} in {} with {helpers} helpers", new.at);
                }
            }
            assert_eq!(seen.len(), 5, "each is another namespace");
        }
    });
}

#[test]
fn a_refusal_is_returned_for_its_node() {
    isolated(|| {
        own_run();
        // One is the test's own.
        std::fs::write("/proc/sys/user/max_net_namespaces", "3").unwrap();
        let changes = changes(&["a", "b", "c", "d"]);
        let made = make(&changes, 2);
        assert_eq!(made.len(), 5);
        let refused: Vec<_> = made.values().filter_map(|made| made.as_ref().err()).collect();
        assert_eq!(refused.len(), 2, "{refused:?}");
        for error in refused {
            let text = format!("{error:?}");
            assert!(text.contains("create a network namespace for "), "{text}");
        }
    });
}

#[test]
fn nodes_are_not_begun_after_the_changes() {
    let changes = changes(&["a"]);
    let factory = NodeFactory::of(&changes, &Arc::default());
    factory.with_helpers(0, || ());
    assert_eq!(factory.claim(), None);
}

#[test]
fn a_node_that_panicked_is_open_again() {
    let changes = changes(&["a"]);
    let factory = NodeFactory::of(&changes, &Arc::default());
    assert_eq!((factory.claim(), factory.claim()), (Some(0), Some(1)));
    drop(Claim { factory: &factory, nth: 1, becomes: Progress::Open });
    assert_eq!((factory.claim(), factory.claim()), (Some(1), None));
}
