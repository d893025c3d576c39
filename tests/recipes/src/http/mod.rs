//! Servers and clients of HTTP.

mod axum_reqwest;
mod hyper_http2;
mod websocket;
