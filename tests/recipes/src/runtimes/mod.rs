//! Async runtimes besides tokio.

mod async_std;
mod smol;
