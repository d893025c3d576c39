//! The compiler's messages for mistakes in the attributes: one file for each kind of
//! mistake, with the messages beside it.
//!
//! The messages are those of the stable toolchain. `TRYBUILD=overwrite cargo test -p
//! nstest-tests-ui` accepts new messages; read them as a user would.

#[test]
fn mistakes_have_the_expected_messages() {
    trybuild::TestCases::new().compile_fail("cases/*.rs");
}
