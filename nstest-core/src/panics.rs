//! The message of a panic, and the panic hook.

use std::any::Any;
use std::panic::{PanicHookInfo, set_hook, take_hook};

/// The text in a panic's payload; `None` where the payload is something else
/// (`std::panic::panic_any`).
pub(crate) fn message(payload: &(dyn Any + Send)) -> Option<&str> {
    let text = payload.downcast_ref::<&'static str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

/// Has `around` called for each panic, with the present hook as a function, which prints the panic.
pub(crate) fn wrap_panic_hook(
    around: impl Fn(&PanicHookInfo<'_>, &dyn Fn()) + Send + Sync + 'static,
) {
    let print = take_hook();
    set_hook(Box::new(move |info: &PanicHookInfo<'_>| around(info, &|| print(info))));
}
