//! The rules of the code base that no compiler holds: which way imports run,
//! what may depend on what, where `unsafe` may stand, how long a file may get,
//! and that the documentation hangs together.
//!
//! Each rule gathers all that breaks it before it fails. Why the rules are what
//! they are: `docs/src/architecture.md`.

mod documentation;
mod imports;
mod manifests;
mod source;
mod tree;
