//! Databases, without a container.

mod postgres;
mod redis;
