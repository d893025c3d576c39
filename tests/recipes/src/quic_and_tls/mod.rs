//! QUIC and TLS.

mod quinn;
mod rustls;
