//! Mistakes in the body are reported at the spans of the user's code.
use nstest::netns;

#[netns]
fn wrong_tail() {
    5
}

#[netns]
async fn wrong_tail_async() {
    5
}

#[netns]
fn wrong_return() -> Result<(), std::num::ParseIntError> {
    if true {
        return 5;
    }
    Ok(())
}

#[netns]
async fn wrong_return_async() -> Result<(), std::num::ParseIntError> {
    if true {
        return 5;
    }
    Ok(())
}

#[netns]
fn question_mark_in_unit() {
    let _: u8 = "1".parse()?;
}

#[netns]
async fn question_mark_in_unit_async() {
    let _: u8 = "1".parse()?;
}

#[netns]
fn wrong_error() -> Result<(), std::num::ParseIntError> {
    std::fs::read("x")?;
    Ok(())
}

#[netns]
async fn wrong_error_async() -> Result<(), std::num::ParseIntError> {
    std::fs::read("x")?;
    Ok(())
}

#[netns]
fn no_tail() -> Result<(), std::num::ParseIntError> {
    "1".parse::<u8>()?;
}

#[netns]
async fn no_tail_async() -> Result<(), std::num::ParseIntError> {
    "1".parse::<u8>()?;
}

#[netns]
fn no_verdict() -> String {
    String::new()
}

#[netns]
async fn no_verdict_async() -> String {
    String::new()
}

fn main() {
    wrong_tail();
    wrong_tail_async();
    wrong_return();
    wrong_return_async();
    question_mark_in_unit();
    question_mark_in_unit_async();
    wrong_error();
    wrong_error_async();
    no_tail();
    no_tail_async();
    no_verdict();
    no_verdict_async();
}
