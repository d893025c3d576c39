//! Evidence.
mod sockets;
