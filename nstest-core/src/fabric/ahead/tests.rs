//! Whoever makes a node, it is the same.

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
fn nobody_helps_with_nothing() {
    for changes in [Changes::default(), changes(&[])] {
        assert_eq!(Ahead::of(&changes, &Arc::default()).helpers(), 0);
    }
}

/// All nodes of a plan, made by so many and the caller.
fn make(changes: &Changes, helpers: usize) -> BTreeMap<NodeId, Result<Made>> {
    let ahead = Ahead::of(changes, &Arc::default());
    let ids = ahead.orders.iter().map(|order| order.at.id);
    ahead.with_helpers(helpers, || ids.map(|id| (id, ahead.wait_for(id))).collect())
}

/// The names of nodes stay in the test's own mounts.
fn own_run() {
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
    mount(none, "/run", Some("tmpfs"), MsFlags::empty(), none).unwrap();
}

#[test]
fn whoever_makes_them_all_nodes_have_all_settings() {
    isolated(|| {
        own_run();
        let changes = changes(&["a", "b", "c", "d"]);
        for helpers in [0, 1, 3, 9] {
            let ahead = make(&changes, helpers);
            assert_eq!(ahead.len(), 5);
            let mut seen = BTreeSet::new();
            for order in orders(&changes) {
                let made = ahead[&order.at.id].as_ref().unwrap();
                assert!(made.unwritten.as_ref().is_some_and(Vec::is_empty), "{made:?}");
                let settings = order.settings.unwrap();
                assert!(settings.len() > 20);
                let namespace = made.member.executor.namespace();
                assert_eq!(namespace.name(), order.at.name);
                let here = || std::fs::read_link("/proc/thread-self/ns/net").unwrap();
                seen.insert(namespace.enter(here).unwrap());
                for Sysctl { key, value } in settings {
                    let path = key.strip_prefix("net.").unwrap().replace('.', "/");
                    let present = namespace.enter(|| sysctl::read(&path)).unwrap().unwrap();
                    assert_eq!(present, *value, "{key} in {} of {helpers}", order.at);
                }
            }
            assert_eq!(seen.len(), 5, "each is another namespace");
        }
    });
}

#[test]
fn a_refusal_waits_for_its_node() {
    isolated(|| {
        own_run();
        // One is the test's own.
        std::fs::write("/proc/sys/user/max_net_namespaces", "3").unwrap();
        let changes = changes(&["a", "b", "c", "d"]);
        let ahead = make(&changes, 2);
        assert_eq!(ahead.len(), 5);
        let refused: Vec<_> = ahead.values().filter_map(|made| made.as_ref().err()).collect();
        assert_eq!(refused.len(), 2, "{refused:?}");
        for error in refused {
            let text = format!("{error:?}");
            assert!(text.contains("create a network namespace for "), "{text}");
        }
    });
}

#[test]
fn what_is_not_asked_for_any_more_is_not_begun() {
    let changes = changes(&["a"]);
    let ahead = Ahead::of(&changes, &Arc::default());
    ahead.with_helpers(0, || ());
    assert_eq!(ahead.claim(), None);
}

#[test]
fn what_a_panic_left_is_open_again() {
    let changes = changes(&["a"]);
    let ahead = Ahead::of(&changes, &Arc::default());
    assert_eq!((ahead.claim(), ahead.claim()), (Some(0), Some(1)));
    drop(Claim { ahead: &ahead, nth: 1, becomes: Progress::Open });
    assert_eq!((ahead.claim(), ahead.claim()), (Some(1), None));
}
