//! Forms of test functions that the attributes must accept, compiled with the strictest
//! lints that a user may have.
//!
//! This is a test binary and not a `pass` case of trybuild, because without `--test` the
//! compiler does not check a registered test.
#![deny(warnings, missing_docs, unsafe_code, unused, let_underscore_drop)]
#![deny(clippy::all, clippy::pedantic, clippy::nursery)]

mod bodies;
mod hostile;
mod macros;
#[expect(clippy::used_underscore_binding)]
mod parameters;
mod returns;
