//! Nothing is recorded without network namespaces.

use tracing_core::Subscriber;
use tracing_subscriber::layer::{Identity, Layer};
use tracing_subscriber::registry::LookupSpan;

/// A layer that does nothing, since this platform has no network namespaces.
pub fn tracing_layer<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
    Identity::new()
}
