//! What nstest is for: a hundred tests, each with a server on the same port of
//! the same address, in parallel.

#[macro_use]
mod hundred;

hundred!();
