//! A hundred tests in parallel, each with a server on the same port of the same address.

#[macro_use]
mod hundred;

hundred!();
