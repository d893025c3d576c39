//! The arguments about faults.
use nstest::netns_test;

#[netns_test(seed = "7", seed = -1)]
fn no_number() {}

#[netns_test(seed = 18446744073709551616, sed = 1)]
fn too_large() {}

#[netns_test(seed, explore)]
fn words() {}

#[netns_test(seed(7), explore = "cut")]
fn other_forms() {}

#[netns_test(explore())]
fn nothing() {}

#[netns_test(explore(max = 3))]
fn nothing_but_a_limit() {}

#[netns_test(explore(drup, cut, delay = "1s", cut, max = 0, loss, max = 2, max = 3))]
fn several() {}

#[netns_test(explore(then, then drop, delay 40, duplicate 0, drop 3, then cut, then cut))]
fn values() {}

#[netns_test(explore(cut), explore(reset))]
fn twice() {}

#[netns_test(explore(7, "cut"))]
fn no_names() {}

#[netns_test(explore(cut), netns = "vns1")]
fn joined() {}

#[netns_test(explore(cut))]
#[should_panic]
fn should_panic() {
    panic!("always");
}

fn main() {}
