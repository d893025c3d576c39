//! The other attributes of the function, and what they mean for a test.

use proc_macro2::Span;
use quote::ToTokens;
use syn::{Expr, Lit, LitStr, Meta, Path};

/// What an attribute means for the test below it.
pub(crate) enum AttributeKind {
    /// No meaning for a test.
    Inert,
    /// The compiler's own `#[test]`, which rstest, tokio and others generate.
    Test,
    /// An attribute of nstest.
    Ours,
    Tokio,
    /// Another test attribute, which would register the test again.
    Foreign,
    /// Generates tests from the function. Below ours, it would see a function without
    /// parameters.
    Generator,
}

impl AttributeKind {
    pub(crate) fn of(path: &Path) -> Self {
        let names: Vec<_> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        match names[..] {
            ["test"] | ["core" | "std", "prelude", _, "test"] => Self::Test,
            ["tokio", "test"] => Self::Tokio,
            ["nstest", "test"] | [.., "netns_test" | "netns"] => Self::Ours,
            [.., _, "test"] => Self::Foreign,
            [.., "rstest" | "test_case" | "test_matrix"] => Self::Generator,
            _ => Self::Inert,
        }
    }
}

/// The expected text of a `#[should_panic]`, `""` if it has none. The compiler reports
/// its mistakes.
pub(crate) fn expected(meta: &Meta) -> LitStr {
    let text = |value: &Expr| match value {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => Some(text.clone()),
            _ => None,
        },
        // A `$text:literal` of macro_rules is inside a group.
        Expr::Group(group) => match &*group.expr {
            Expr::Lit(literal) => syn::parse2(literal.to_token_stream()).ok(),
            _ => None,
        },
        _ => None,
    };
    let found = match meta {
        Meta::NameValue(meta) => text(&meta.value),
        Meta::List(list) => list
            .parse_args::<syn::MetaNameValue>()
            .ok()
            .filter(|meta| meta.path.is_ident("expected"))
            .and_then(|meta| text(&meta.value)),
        Meta::Path(_) => None,
    };
    found.unwrap_or_else(|| LitStr::new("", Span::mixed_site()))
}

/// A path as written in the source.
pub(crate) fn written(path: &Path) -> String {
    path.to_token_stream().to_string().replace(' ', "")
}
