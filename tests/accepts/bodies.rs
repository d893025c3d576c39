//! Bodies: inner attributes, early returns, divergence; attributes on the function.
use nstest::netns_test;

#[netns_test]
fn empty() {}

#[netns_test]
async fn empty_async() {}

#[netns_test]
fn inner_attribute() {
    #![allow(unused_variables)]
    let unused = 1;
}

#[netns_test]
async fn inner_attribute_async() {
    #![allow(unused_variables)]
    let unused = 1;
}

#[netns_test]
fn early_return() {
    if std::env::args().count() > 1000 {
        return;
    }
    assert_eq!(1 + 1, 2);
}

#[netns_test]
#[ignore = "diverges"]
fn panics() {
    panic!("as written");
}

#[netns_test]
#[ignore = "diverges"]
async fn panics_async() {
    panic!("as written");
}

#[netns_test]
#[ignore = "diverges"]
fn loops() {
    loop {
        std::thread::park();
    }
}

#[netns_test]
#[ignore = "diverges"]
async fn loops_async() {
    loop {
        tick().await;
    }
}

async fn tick() {
    std::future::ready(()).await;
}

#[netns_test]
fn an_item_in_the_body_hides_the_generated_static() {
    static TEST: u8 = 7;
    assert_eq!(TEST, 7);
}

/// A static with the name of the one in the generated code.
static TEST: u8 = 9;

#[netns_test]
fn an_item_of_the_module_is_not_hidden() {
    assert_eq!(TEST, 9);
}

/// Documented.
#[netns_test(timeout = "1m 30s", root = false, crate = ::nstest)]
#[cfg_attr(all(), allow(unused_mut))]
#[expect(clippy::unreadable_literal)]
fn attributes_on_the_function() {
    let mut long = 1234567;
    assert_eq!(long, 1_234_567);
    let _ = &raw const long;
}

#[netns_test(flavor = "multi_thread", worker_threads = 2, timeout = "none", crate = "nstest")]
async fn multi_thread() {
    tick().await;
}

#[should_panic(expected = "above")]
#[netns_test]
fn should_panic_above() {
    panic!("above");
}

#[netns_test]
#[should_panic = "below"]
async fn should_panic_below() {
    tick().await;
    panic!("below");
}

#[netns_test]
#[cfg_attr(all(), should_panic(expected = "cfg_attr"))]
#[cfg_attr(any(), ignore)]
fn should_panic_by_cfg_attr() {
    panic!("cfg_attr");
}

#[netns_test]
fn r#match() {}

#[netns_test]
fn größe() {}

#[netns_test]
#[test]
fn registered_once() {}

#[test]
#[nstest::netns(timeout = "5s")]
fn wrapped() {}
