//! Servers and clients of HTTP.

mod axum_reqwest;
