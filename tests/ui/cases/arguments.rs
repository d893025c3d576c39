//! All mistakes are reported together, and the function is still defined.
use nstest::netns_test;

#[netns_test(timout = "30s", retries = 3, timeout, root(false), flavor "x", 7, timeout = "1s", timeout = "2s",,)]
fn several() {
    called();
}

fn called() {}

#[netns_test(timeout = 30)]
fn timeout_number() {}

#[netns_test(timeout = "30")]
fn timeout_without_unit() {}

#[netns_test(timeout = "30 seconds")]
fn timeout_unknown_unit() {}

#[netns_test(timeout = "0s")]
fn timeout_zero() {}

#[netns_test(timeout = "")]
fn timeout_empty() {}

#[netns_test(timeout = )]
fn timeout_missing() {}

#[netns_test(root = "false")]
fn root_text() {}

#[netns_test(root)]
fn root_word() {}

#[netns_test(crate = "not a path", timeout = std::time::Duration::from_secs(1))]
fn no_path() {}

fn main() {
    several();
}
