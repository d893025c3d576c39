//! Code whose meaning differs between editions, compiled in editions 2018 and 2021.
#![cfg(test)]
#![deny(warnings)]

#[nstest::netns_test]
fn synchronous(_context: nstest::TestContext) -> Result<(), std::num::ParseIntError> {
    let async_ = "1".parse::<u8>()?;
    assert_eq!(async_, 1);
    Ok(())
}

#[nstest::netns_test(timeout = "5s")]
async fn asynchronous(context: nstest::TestContext, _: nstest::TestContext) -> nstest::TestResult {
    let _ = (&context, std::future::ready(1).await);
    "1".parse::<u8>()?;
    Ok(())
}

#[nstest::netns_test]
#[should_panic(expected = "format")]
fn panics() {
    panic!("format {}", 1);
}
