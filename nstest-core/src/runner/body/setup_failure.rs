//! Ends a test if its parameters or its network could not be made.

use std::any::Any;

use crate::error::Error;

/// The payload of the unwinding. It is distinct from the test's own panics, so that a
/// `#[should_panic]` test does not pass because of it.
struct SetupFailure(String);

/// Unwinds to the end of the test, without the panic hook.
pub(super) fn unwind(error: &Error) -> ! {
    std::panic::resume_unwind(Box::new(SetupFailure(format!("{error:?}"))))
}

/// The error's text, if `payload` is that of [`unwind`].
pub(super) fn message(payload: &(dyn Any + Send)) -> Option<&str> {
    payload.downcast_ref::<SetupFailure>().map(|failure| failure.0.as_str())
}
