//! The only room with `unsafe` in it: system calls that no safe wrapper offers.
#![allow(
    unsafe_code,
    reason = "the rest of the crate denies it; each block here says why it holds"
)]

pub(crate) mod probe;
#[cfg(test)]
pub(crate) mod seccomp_filter;
