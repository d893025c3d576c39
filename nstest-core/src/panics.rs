//! The message of a panic.

use std::any::Any;

/// The text in a panic's payload; `None` where the payload is something else
/// (`std::panic::panic_any`).
pub(crate) fn message(payload: &(dyn Any + Send)) -> Option<&str> {
    let text = payload.downcast_ref::<&'static str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}
