//! Servers and clients that nobody here wrote, each test with its own on the
//! standard port: axum and reqwest on 80, redis-server and its client on 6379.

mod redis;
mod web;
