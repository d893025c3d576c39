//! What a test function returns, with the text of its error.
//!
//! `Termination` prints an error and does not hand it over. The code that the macro generates
//! knows the type, and calls `Returned(&value).error()`. That is [`Returned::error`] or, for a
//! type without an error, [`WithoutError::error`], which the compiler finds by [`Deref`].

use std::fmt::Debug;
use std::ops::Deref;

/// The most bytes of the text that are kept.
const LONGEST: usize = 16 << 10;

/// A returned value.
#[derive(Debug)]
pub struct Returned<'a, R>(pub &'a R);

impl<T, E: Debug> Returned<'_, Result<T, E>> {
    /// The error as `main` would print it, up to 16 KiB.
    #[must_use]
    pub fn error(&self) -> Option<String> {
        let mut text = format!("{:?}", self.0.as_ref().err()?);
        let end = (0..=LONGEST.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or_default());
        Some(text)
    }
}

/// What has no error.
#[derive(Debug)]
pub struct WithoutError;

impl WithoutError {
    /// None.
    #[must_use]
    pub fn error(&self) -> Option<String> {
        None
    }
}

impl<R> Deref for Returned<'_, R> {
    type Target = WithoutError;

    fn deref(&self) -> &WithoutError {
        &WithoutError
    }
}

#[cfg(test)]
mod tests {
    use std::process::ExitCode;

    use super::*;

    #[test]
    fn an_error_has_its_text_and_other_values_have_none() {
        assert_eq!(Returned(&Err::<(), _>("late")).error().as_deref(), Some("\"late\""));
        assert_eq!(Returned(&Err::<ExitCode, _>(7)).error().as_deref(), Some("7"));
        assert_eq!(Returned(&Ok::<(), u8>(())).error(), None);
        assert_eq!(Returned(&ExitCode::FAILURE).error(), None);
        let long = Returned(&Err::<(), _>("ä".repeat(LONGEST))).error().unwrap_or_default();
        assert_eq!(long.len(), LONGEST - 1);
    }
}
