//! Checks the rules of `docs/src/architecture.md` that the compiler does not check: the
//! direction of imports, dependencies, the place of `unsafe` code, the length of files, and
//! the consistency of the documentation.
//!
//! Each check reports all violations together.

mod circles;
mod commands;
mod documentation;
mod imports;
mod links;
mod listings;
mod manifests;
mod names;
mod purity;
mod recipes;
mod source;
mod tree;
