//! A mistake in the arguments neither hides nor causes errors in the body.
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
