#[cfg(unix)]
#[allow(dead_code)]
async fn mistaken(&self, node: &Node) {
    #![allow(unused)]
    node.ping().await;
}
::core::compile_error! {
    "`timeout` takes a duration with a unit, or \"none\", in quotes; write `timeout = \"30s\"`"
}
::core::compile_error! {
    "unknown argument `retries`; the arguments are `timeout`, `root`, `peers`, `subnet`, `mtu`, `ipv6`, `offloads`, `uplink`, `netns`, `seed`, `explore`, `flavor`, `worker_threads`, `crate`"
}
::core::compile_error! {
    "`#[tokio::test]` would run the test a second time, outside its network; remove it: `#[netns_test]` runs an `async fn` on tokio, with the arguments `flavor` and `worker_threads`; or, for its other arguments, write it above `#[netns]`"
}
::core::compile_error! {
    "a test cannot have `self`; move the function out of the `impl` block"
}
::core::compile_error! {
    "a fixture is passed by value; write `Node`, and borrow it in the body"
}
