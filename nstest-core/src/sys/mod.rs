//! The only room of this crate that may say `unsafe`: one file per subject,
//! each a safe function around one system call that `nix` does not wrap.
#![allow(unsafe_code)]

pub(crate) mod netlink;
