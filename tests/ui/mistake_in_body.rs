//! A mistake in the arguments hides none in the body, and makes none.
#![deny(warnings)]

use std::time::Duration;

use nstest::netns_test;

#[netns_test(time_out = "30s")]
#[should_panic]
fn checked() {
    #![allow(unused_variables)]
    let unused = Duration::ZERO;
    let number: u8 = "text";
}

fn main() {}
