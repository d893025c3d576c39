//! Real servers and clients. Each test starts its own server on the standard port: axum
//! and reqwest on 80, redis-server and its client on 6379.

mod redis;
mod web;
