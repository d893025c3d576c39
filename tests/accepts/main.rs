//! Forms of test functions that the attributes must accept, compiled as a test
//! binary under the strictest lints that a user may have.
//!
//! trybuild's `pass` cases would show less: without `--test` the compiler drops
//! a registered test before it looks at it.
#![deny(warnings, missing_docs, unsafe_code, unused, let_underscore_drop)]
#![deny(clippy::all, clippy::pedantic, clippy::nursery)]

mod bodies;
mod hostile;
mod macros;
#[expect(clippy::used_underscore_binding)]
mod parameters;
mod returns;
