//! The arguments about how a test runs.

use std::time::Duration;

use proc_macro2::TokenStream;
use syn::parse::{ParseStream, Parser};
use syn::{Lit, Path};

use super::value::{Value, literal, string};
use crate::diag::nearest;
use crate::duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timeout {
    After(Duration),
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavor {
    CurrentThread,
    MultiThread,
}

impl Value for Timeout {
    const EXPECTED: &'static str = "a duration with a unit, or \"none\", in quotes";

    fn read(value: &TokenStream) -> syn::Result<Option<Self>> {
        let Some(text) = string(value) else {
            return Ok(None);
        };
        let refuse = |why: String| Err(syn::Error::new(text.span(), why));
        match duration::parse(&text.value()) {
            _ if text.value().trim() == "none" => Ok(Some(Self::Never)),
            Ok(Duration::ZERO) => refuse(
                "a timeout of zero would fail every test; write `timeout = \"none\"` for no timeout"
                    .to_owned(),
            ),
            Ok(duration) => Ok(Some(Self::After(duration))),
            Err(why) => refuse(format!(
                "invalid timeout: {why}; write {}, or \"none\"",
                duration::FORMS
            )),
        }
    }
}

impl Value for bool {
    const EXPECTED: &'static str = "`true` or `false`";

    fn read(value: &TokenStream) -> syn::Result<Option<Self>> {
        Ok(match literal(value) {
            Some(Lit::Bool(literal)) => Some(literal.value),
            _ => None,
        })
    }
}

impl Value for Flavor {
    const EXPECTED: &'static str = "\"current_thread\" or \"multi_thread\"";

    fn read(value: &TokenStream) -> syn::Result<Option<Self>> {
        let Some(text) = string(value) else {
            return Ok(None);
        };
        match text.value().as_str() {
            "current_thread" => Ok(Some(Self::CurrentThread)),
            "multi_thread" => Ok(Some(Self::MultiThread)),
            other => Err(syn::Error::new(
                text.span(),
                match nearest(other, &["current_thread", "multi_thread"]) {
                    Some(meant) => {
                        format!("unknown flavor \"{other}\"; did you mean \"{meant}\"?")
                    }
                    None => format!("unknown flavor \"{other}\"; write {}", Self::EXPECTED),
                },
            )),
        }
    }
}

impl Value for usize {
    const EXPECTED: &'static str = "a whole number from 1";

    fn read(value: &TokenStream) -> syn::Result<Option<Self>> {
        Ok(match literal(value) {
            Some(Lit::Int(number)) if matches!(number.suffix(), "" | "usize") => number
                .base10_parse()
                .ok()
                // More threads than any machine can start; fits a usize of 32 bits.
                .filter(|number| (1..=usize::from(u16::MAX)).contains(number)),
            _ => None,
        })
    }
}

impl Value for Path {
    const EXPECTED: &'static str = "a path";

    fn read(value: &TokenStream) -> syn::Result<Option<Self>> {
        let path = |input: ParseStream<'_>| Path::parse_mod_style(input);
        Ok(match string(value) {
            Some(text) => text.parse_with(path).ok(),
            None => path.parse2(value.clone()).ok(),
        })
    }
}
