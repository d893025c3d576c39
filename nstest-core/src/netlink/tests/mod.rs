//! The encoding of requests, compared with that of other programs, and their effects on the
//! real kernel.

mod encoding;
mod fixtures;
mod installed;
mod kernel;
mod measure;
mod namespaces;
mod nat;
mod networks;
mod witness;
