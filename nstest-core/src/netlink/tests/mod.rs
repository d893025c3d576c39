//! The bytes, against those of other programs; and the kernel, in worlds built
//! as a plan would build them.

mod encoding;
mod fixtures;
mod installed;
mod kernel;
mod measure;
mod namespaces;
mod nat;
mod witness;
mod worlds;
