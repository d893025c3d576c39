//! How an argument is written, and the trait that reads its value.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::{Lit, Token};

use crate::diag::Errors;

/// An argument of the attribute.
pub(crate) struct Argument<T> {
    pub(crate) name: Ident,
    pub(crate) value: T,
    /// The value as written, for the place of messages.
    pub(crate) tokens: TokenStream,
}

/// What follows the name of an argument.
pub(super) enum Given {
    Nothing,
    Value(TokenStream),
    List(Group),
    Other(TokenStream),
}

/// The type of an argument written `name = value`, or `name(list)`.
pub(super) trait Value: Sized {
    /// The values that it may have, for messages: "`name` takes …".
    const EXPECTED: &'static str;

    /// The value of the name alone, if a name alone is allowed.
    const BARE: Option<Self> = None;

    /// Whether it must be written as a list in parentheses.
    const LIST: bool = false;

    /// Reads the tokens. `None` means that they have another type.
    fn read(value: &TokenStream) -> syn::Result<Option<Self>>;
}

/// Splits an argument into its name and the rest.
pub(super) fn split(input: ParseStream<'_>) -> syn::Result<(Ident, Given)> {
    let name = Ident::parse_any(input)?;
    let rest: TokenStream = input.parse()?;
    let given = match rest.clone().into_iter().next() {
        None => Given::Nothing,
        Some(TokenTree::Punct(punct)) if punct.as_char() == '=' => {
            Given::Value(rest.into_iter().skip(1).collect())
        }
        Some(TokenTree::Group(list)) if list.delimiter() == Delimiter::Parenthesis => {
            Given::List(list)
        }
        Some(_) => Given::Other(rest),
    };
    Ok((name, given))
}

/// Reads the value of an argument into its field. `form` is an example of the
/// argument, for messages.
pub(super) fn store<T: Value>(
    field: &mut Option<Argument<T>>,
    name: Ident,
    given: Given,
    form: &str,
    errors: &mut Errors,
) {
    let expected = || format!("`{name}` takes {}; write `{form}`", T::EXPECTED);
    let value = match given {
        Given::List(list) if T::LIST && list.stream().is_empty() => {
            return errors.at(list, expected());
        }
        Given::List(list) if T::LIST => list.stream(),
        Given::Nothing | Given::Value(_) | Given::Other(_) if T::LIST => {
            return errors.at(&name, expected());
        }
        Given::Value(value) if !value.is_empty() => value,
        Given::Nothing if T::BARE.is_some() => TokenStream::new(),
        Given::Nothing | Given::Value(_) => {
            return errors.at(&name, format!("`{name}` needs a value; write `{form}`"));
        }
        Given::List(list) => {
            return errors.at(list, format!("`{name}` takes no parentheses; write `{form}`"));
        }
        Given::Other(tokens) => {
            return errors.at(tokens, format!("missing `=` after `{name}`; write `{form}`"));
        }
    };
    if let Some(first) = field {
        errors.at(&first.name, format!("`{name}` is given twice; this is the first one"));
        return errors.at(&name, format!("`{name}` is given twice; remove one of the two"));
    }
    let read = if value.is_empty() { Ok(T::BARE) } else { T::read(&value) };
    match read {
        Ok(Some(read)) => {
            *field = Some(Argument { name, value: read, tokens: value });
        }
        Ok(None) => errors.at(value, expected()),
        Err(error) => errors.push(error),
    }
}

pub(super) fn literal(value: &TokenStream) -> Option<Lit> {
    syn::parse2(value.clone()).ok()
}

pub(super) fn string(value: &TokenStream) -> Option<syn::LitStr> {
    match literal(value) {
        Some(Lit::Str(text)) if text.suffix().is_empty() => Some(text),
        _ => None,
    }
}

impl<T> ToTokens for Argument<T> {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.name.to_tokens(tokens);
        if self.tokens.is_empty() {
            return;
        }
        Token![=](self.name.span()).to_tokens(tokens);
        self.tokens.to_tokens(tokens);
    }
}
