//! Entering and leaving namespaces; their settings and names.

use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sys::statfs::{NSFS_MAGIC, statfs};

use super::networks::TestNode;
use crate::layout::NETNS;
use crate::netns::Namespace;
use crate::sysctl;
use crate::testing::isolated;

#[test]
fn settings_are_those_of_the_namespace_that_the_thread_is_in() {
    isolated(|| {
        let ours = Namespace::current("ours").unwrap();
        let (theirs, ()) = Namespace::create("theirs", || Ok(())).unwrap();
        let forwarding = || sysctl::read("ipv4/ip_forward").unwrap();
        sysctl::write("ipv4/ip_forward", "0").unwrap();
        theirs.enter(|| sysctl::write("ipv4/ip_forward", "1")).unwrap().unwrap();
        assert_eq!(forwarding(), "0");
        assert_eq!(theirs.enter(forwarding).unwrap(), "1");
        // Nested visits, and a visit that ends with a panic.
        let nested = theirs.enter(|| (ours.enter(forwarding).unwrap(), forwarding()));
        assert_eq!(nested.unwrap(), ("0".to_owned(), "1".to_owned()));
        let panicked = std::panic::catch_unwind(|| theirs.enter(|| panic!("deliberately")));
        assert!(panicked.is_err());
        assert_eq!(forwarding(), "0");

        // A read-only setting that already has the value is no error.
        let available = sysctl::read("ipv4/tcp_available_congestion_control").unwrap();
        let unwritten = sysctl::write_all([
            ("ipv4/ip_forward", "0"),
            ("ipv4/no_such_setting", "1"),
            ("ipv4/ip_default_ttl", "no number"),
            ("ipv4/tcp_available_congestion_control", &*available),
        ])
        .unwrap();
        let keys: Vec<_> = unwritten.iter().map(|u| (&*u.key, &*u.value)).collect();
        assert_eq!(keys, [("ipv4/no_such_setting", "1"), ("ipv4/ip_default_ttl", "no number")]);
        assert_eq!(unwritten[0].cause.raw_os_error(), Some(nix::libc::ENOENT));
        let error = sysctl::write("ipv4/no_such_setting", "1").unwrap_err();
        assert_eq!(error.to_string(), "set the sysctl net.ipv4.no_such_setting to \"1\"");
    });
}

#[test]
fn every_one_of_many_namespaces_gets_its_settings() {
    isolated(|| {
        // Enough for some detached instances of proc.
        let ttls = 64..192;
        let create = |ttl: i32| {
            let write = || sysctl::write_all([("ipv4/ip_default_ttl", &*ttl.to_string())]);
            Namespace::create(format!("n{ttl}"), write).unwrap()
        };
        let all: Vec<_> = ttls.clone().map(create).collect();
        for ((namespace, unwritten), ttl) in all.iter().zip(ttls) {
            assert!(unwritten.is_empty(), "{unwritten:?}");
            let present = namespace.enter(|| sysctl::read("ipv4/ip_default_ttl").unwrap());
            assert_eq!(present.unwrap(), ttl.to_string());
        }
        let opened = std::fs::read_dir("/proc/self/fd").unwrap();
        let paths = opened.filter_map(|fd| std::fs::read_link(fd.unwrap().path()).ok());
        let instances = paths.filter(|path| path.ends_with("sys/net")).count();
        assert!(instances <= 1, "{instances} instances of proc are open");
    });
}

#[test]
fn named_namespaces_are_opened_by_name() {
    isolated(|| {
        let none = None::<&str>;
        mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), none).unwrap();
        std::fs::create_dir(NETNS).unwrap();
        let node = TestNode::node("server").unwrap();
        let name = node.ns.publish(Path::new(NETNS)).unwrap();
        // `ip netns list` shows the names in this directory.
        let listed: Vec<_> = std::fs::read_dir(NETNS).unwrap().map(|e| e.unwrap().path()).collect();
        assert_eq!(listed, [Path::new(NETNS).join("server")]);
        assert_eq!(statfs(&listed[0]).unwrap().filesystem_type(), NSFS_MAGIC);
        assert!(node.ns.publish(Path::new(NETNS)).is_err(), "the name is taken");
        let opened = Namespace::open("server").unwrap();
        opened.enter(|| sysctl::write("ipv4/ip_default_ttl", "77")).unwrap().unwrap();
        let ttl = node.ns.enter(|| sysctl::read("ipv4/ip_default_ttl").unwrap());
        assert_eq!((opened.name(), &*ttl.unwrap()), ("server", "77"));
        drop(name);
        let error = Namespace::open("server").unwrap_err();
        assert_eq!(error.to_string(), "open the network namespace /run/netns/server");
    });
}
