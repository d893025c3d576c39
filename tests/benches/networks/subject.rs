//! The tests that the benchmark runs back to back: each is a process in namespaces
//! of its own, as every `#[netns_test]`, and makes a network, the test's own node
//! included, in one of the ways that the benchmark compares.

use nstest::{Node, netns_test};
use nstest_tests::floor::{self, Wire};

fn by_floor(wire: &Wire) {
    floor::exchange(&[floor::ipv4(1), floor::ipv6(1)], |ip| wire.listen(ip));
}

fn by_nstest(peer: &Node) {
    floor::exchange(&peer.ips(), |ip| {
        peer.run(|| std::net::TcpListener::bind((ip, 7000))).expect("bind")
    });
}

macro_rules! tests {
    ($($name:ident)*) => { $(
        mod $name {
            use super::*;

            #[netns_test]
            #[ignore = "fixture of a benchmark"]
            fn direct() {
                by_floor(&Wire::pair_from_here());
            }

            #[netns_test]
            #[ignore = "fixture of a benchmark"]
            fn bridge() {
                by_floor(&Wire::bridge_from_here(3));
            }

            #[netns_test]
            #[ignore = "fixture of a benchmark"]
            fn pair(peer: Node) {
                by_nstest(&peer);
            }

            #[netns_test]
            #[ignore = "fixture of a benchmark"]
            fn lan(peer: Node, _other: Node) {
                by_nstest(&peer);
            }
        }
    )* };
}

tests!(n01 n02 n03 n04 n05 n06 n07 n08 n09 n10 n11 n12 n13 n14 n15 n16 n17 n18 n19 n20 n21 n22 n23 n24 n25);
