//! The other attributes of the function, and what they mean for a test.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
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
    /// What rstest puts on an `async fn` on which it finds no test attribute.
    AsyncStd,
    /// Another test attribute, which would register the test again.
    Foreign,
    /// Locks a file, which two processes cannot do at the same time.
    FileLock,
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
            ["async_std", "test"] => Self::AsyncStd,
            [.., _, "test"] | ["test_with", _] => Self::Foreign,
            [.., "file_serial" | "file_parallel"] => Self::FileLock,
            [.., "rstest" | "test_case" | "test_matrix"] => Self::Generator,
            _ => Self::Inert,
        }
    }
}

/// A lock that an attribute above has put into the body, where it excludes no other test.
pub(crate) struct UselessLock {
    pub(crate) attribute: &'static str,
    /// A token of the generated code, which has the span of the attribute.
    pub(crate) at: Ident,
}

impl UselessLock {
    /// Finds the calls that serial_test generates, and the statics of sequential-test.
    pub(crate) fn in_body(body: &Group) -> Option<Self> {
        let mut tokens = body.stream().into_iter().peekable();
        while let Some(token) = tokens.next() {
            let TokenTree::Ident(at) = token else { continue };
            let attribute = match (at.to_string().as_str(), tokens.peek()) {
                ("__PAIR", _) => "sequential",
                (name, Some(TokenTree::Group(arguments))) => {
                    match lock_of(name, arguments.stream()) {
                        Some(attribute) => attribute,
                        None => continue,
                    }
                }
                _ => continue,
            };
            return Some(Self { attribute, at });
        }
        None
    }
}

/// The attribute of serial_test that generates a call of the function `name`, if its lock
/// is useless there. `local_async_serial_core_with_return`, say, or `fs_parallel_core`: the
/// words between are optional. A file is locked for all processes, unless its path is not
/// given: then it is in the `TMPDIR` of the test.
fn lock_of(name: &str, arguments: TokenStream) -> Option<&'static str> {
    let name = name.strip_suffix("_with_return").unwrap_or(name).strip_suffix("_core")?;
    let no_path = arguments.into_iter().any(|token| token.to_string() == "None");
    match name.replace("async_", "").as_str() {
        "local_serial" | "serial" => Some("serial"),
        "local_parallel" | "parallel" => Some("parallel"),
        "fs_serial" if no_path => Some("file_serial"),
        "fs_parallel" if no_path => Some("file_parallel"),
        _ => None,
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
