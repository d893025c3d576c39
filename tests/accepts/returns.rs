//! Return types, `?` and early `return`.
use std::process::{ExitCode, Termination};

use nstest::{TestResult, netns_test};

#[netns_test]
fn any_error() -> TestResult {
    let port: u16 = "80".parse()?;
    if port == 81 {
        return Ok(());
    }
    std::net::IpAddr::from([127, 0, 0, 1]).to_string().parse::<std::net::IpAddr>()?;
    Ok(())
}

#[netns_test]
async fn any_error_async() -> TestResult {
    let port: u16 = "80".parse()?;
    if port == 81 {
        return Ok(());
    }
    std::future::ready("1").await.parse::<u8>()?;
    Ok(())
}

#[netns_test]
fn boxed() -> Result<(), Box<dyn std::error::Error>> {
    "80".parse::<u16>()?;
    Ok(())
}

#[netns_test]
async fn boxed_async() -> Result<(), Box<dyn std::error::Error>> {
    "80".parse::<u16>()?;
    if std::env::args().count() > 1000 {
        return Err("too many".into());
    }
    Ok(())
}

#[netns_test]
fn exit_code() -> ExitCode {
    ExitCode::SUCCESS
}

#[netns_test]
async fn exit_code_async() -> ExitCode {
    ExitCode::SUCCESS
}

#[netns_test]
fn opaque() -> impl Termination {
    ExitCode::SUCCESS
}

#[netns_test]
async fn opaque_async() -> impl Termination {
    ExitCode::SUCCESS
}

#[netns_test]
#[ignore = "diverges"]
fn never() -> ! {
    panic!("as written")
}

#[netns_test]
#[ignore = "diverges"]
async fn never_async() -> ! {
    panic!("as written")
}

#[netns_test]
fn option() -> Result<(), std::num::ParseIntError> {
    let parse = |text: &str| text.parse::<u8>();
    parse("1").map(|_| ())
}
