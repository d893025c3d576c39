//! The unwinder of the commands `nstest` and `cargo nstest`.
//!
//! Rust's standard library links that of GCC dynamically, as libgcc_s.so. This module links the
//! same one statically, as libgcc_eh.a, which GCC installs beside it. Then the dynamic linker has
//! one library less to load, which is 4 % of `nstest run -- true` (docs/src/design/cost.md).

#[link(name = "gcc_eh")]
unsafe extern "C" {}
