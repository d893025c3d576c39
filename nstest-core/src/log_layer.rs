//! The spans and events of the crate tracing, in the record of a test.

use std::fmt::{Debug, Write};

use tracing_core::field::{Field, Visit};
use tracing_core::span::{Attributes, Id};
use tracing_core::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::evidence::timeline::TimelineEvent;
use crate::recorder;
use crate::snapshot::nodes;

/// A layer of the crate tracing-subscriber that logs into the record of the test.
///
/// If the test fails, the events stand among its packets and faults at their time, each with the
/// node that its thread was in. So do the begin and the end of each span. The record keeps the
/// first 4 MiB of logs and other events. A layer without a filter logs all
/// levels of all crates.
///
/// Each test has a process of its own, so each can install a subscriber for its whole process:
///
/// ```no_run
/// use nstest::{Node, netns_test};
/// use tracing_subscriber::filter::LevelFilter;
/// use tracing_subscriber::prelude::*;
///
/// # {
/// # use nstest::netns as netns_test;
/// #[netns_test]
/// fn elects_a_leader(a: Node, b: Node) {
///     let layer = nstest::tracing_layer().with_filter(LevelFilter::DEBUG);
///     tracing_subscriber::registry().with(layer).init();
///     // …
/// }
/// # }
/// ```
///
/// Needs the feature `tracing`.
pub fn tracing_layer<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
    LogLayer
}

#[derive(Debug)]
struct LogLayer;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LogLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let metadata = attributes.metadata();
        log(metadata, || {
            let mut text = LogText::default();
            attributes.record(&mut text);
            text.finish(&format!("{} begins", metadata.name()))
        });
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        log(event.metadata(), || {
            let mut text = LogText::default();
            event.record(&mut text);
            text.finish("")
        });
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        if let Some(span) = context.span(&id) {
            log(span.metadata(), || (None, format!("{} ends", span.name())));
        }
    }
}

/// Records what is logged, and by which target, if that is not the one of the metadata.
fn log(metadata: &Metadata<'_>, text: impl FnOnce() -> (Option<String>, String)) {
    recorder::record(|| {
        let (target, text) = text();
        vec![TimelineEvent::Log {
            level: metadata.level().to_string(),
            target: target.unwrap_or_else(|| metadata.target().to_owned()),
            text,
            node: nodes::of_this_thread(),
            thread: std::thread::current().name().unwrap_or_default().to_owned(),
        }]
    });
}

/// Fields as text: the message, and `name=value` for the others.
#[derive(Debug, Default)]
struct LogText {
    message: String,
    fields: String,
    /// The target of a line of the crate log, which the crate tracing-log has made an event.
    target: Option<String>,
}

impl LogText {
    /// The target and the text, with the default message if the fields have none.
    fn finish(self, default: &str) -> (Option<String>, String) {
        let message = if self.message.is_empty() { default } else { &self.message };
        let text = format!("{message}{}", self.fields);
        (self.target, text.trim_start().to_owned())
    }
}

impl Visit for LogText {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            "log.target" => self.target = Some(value.to_owned()),
            _ => self.record_debug(field, &value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name if name.starts_with("log.") => {}
            name => {
                let _ = write!(self.fields, " {name}={value:?}");
            }
        }
    }
}
