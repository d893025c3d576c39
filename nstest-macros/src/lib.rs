//! The attribute macros of `nstest`; documented where users find them, on the facade.
