//! What the compiler says of mistakes: one file for each, its text beside it.
//!
//! The text is that of the stable toolchain; run `TRYBUILD=overwrite cargo test
//! -p nstest-tests --test ui` to accept new text, and read it as a user would.

#[test]
fn ui() {
    trybuild::TestCases::new().compile_fail("ui/*.rs");
}
