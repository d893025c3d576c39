//! The arguments about faults: the seed, and what an exploration injects.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, Ident, Lit, Token};

use super::value::{Value, literal};
use crate::diag::nearest;

/// Of the generators of a test's network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seed(pub(crate) u64);

/// What is injected at each point of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Explore {
    /// In the order written.
    pub(crate) faults: Vec<&'static str>,
    pub(crate) max: Option<u32>,
}

/// By the names that plans have for them.
const FAULTS: &[&str] = &["cut", "blackhole", "reset", "drop", "duplicate", "delay"];

const MAX: &str = "max";

impl Value for Seed {
    const EXPECTED: &'static str = "a whole number below 2^64";

    fn read(value: &TokenStream) -> syn::Result<Option<Self>> {
        Ok(match literal(value) {
            Some(Lit::Int(number)) if matches!(number.suffix(), "" | "u64") => {
                number.base10_parse().ok().map(Self)
            }
            _ => None,
        })
    }
}

impl Value for Explore {
    const EXPECTED: &'static str = "in parentheses one or more of the faults `cut`, `blackhole`, \
        `reset`, `drop`, `duplicate`, `delay`";
    const LIST: bool = true;

    fn read(list: &TokenStream) -> syn::Result<Option<Self>> {
        let mut read = Reader::default();
        let items = Punctuated::<Item, Token![,]>::parse_terminated.parse2(list.clone());
        for item in items? {
            read.item(item);
        }
        if read.faults.is_empty() && read.error.is_none() {
            read.refuse(list, format!("there is nothing to inject; {}", valid()));
        }
        match read.error {
            Some(error) => Err(error),
            None => Ok(Some(Self {
                faults: read.faults.into_iter().map(|(fault, _)| fault).collect(),
                max: read.max.map(|(max, _)| max),
            })),
        }
    }
}

/// A fault, or `max = N`.
struct Item {
    name: Ident,
    rest: TokenStream,
}

impl syn::parse::Parse for Item {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if !input.peek(Ident::peek_any) {
            return Err(input.error(format!("expected a fault; {}", valid())));
        }
        let name = Ident::parse_any(input)?;
        let mut rest = TokenStream::new();
        while !input.is_empty() && !input.peek(Token![,]) {
            rest.extend([input.parse::<TokenTree>()?]);
        }
        Ok(Self { name, rest })
    }
}

/// What was read so far.
#[derive(Default)]
struct Reader {
    faults: Vec<(&'static str, Ident)>,
    max: Option<(u32, Ident)>,
    error: Option<syn::Error>,
}

impl Reader {
    fn item(&mut self, Item { name, rest }: Item) {
        let word = name.to_string();
        if word == MAX {
            return self.max(name, &rest);
        }
        let Some(fault) = FAULTS.iter().find(|fault| **fault == word) else {
            let meant = nearest(&word, &[FAULTS, &[MAX]].concat());
            let meant =
                meant.map(|meant| format!(": did you mean `{meant}`?")).unwrap_or(";".into());
            return self.refuse(&name, format!("there is no fault `{word}`{meant} {}", valid()));
        };
        if !rest.is_empty() {
            return self.refuse(&rest, format!("`{fault}` takes no value here: write `{fault}`"));
        }
        match self.faults.iter().find(|(other, _)| other == fault) {
            Some((_, first)) => {
                let first = first.clone();
                self.twice(&first, &name);
            }
            None => self.faults.push((fault, name)),
        }
    }

    fn max(&mut self, name: Ident, rest: &TokenStream) {
        let number = |input: ParseStream<'_>| {
            input.parse::<Token![=]>()?;
            input.parse::<Expr>()
        };
        let number = number.parse2(rest.clone()).ok().and_then(|value| {
            let Some(Lit::Int(number)) = literal(&value.to_token_stream()) else { return None };
            let plain = matches!(number.suffix(), "" | "u32");
            number.base10_parse().ok().filter(|number: &u32| plain && *number > 0)
        });
        let Some(number) = number else {
            let all = [name.to_token_stream(), rest.clone()].into_iter().collect::<TokenStream>();
            return self.refuse(
                all,
                "`max` takes a whole number from 1, how many runs there are at most, as in \
                 `max = 200`",
            );
        };
        match &self.max {
            Some((_, first)) => {
                let first = first.clone();
                self.twice(&first, &name);
            }
            None => self.max = Some((number, name)),
        }
    }

    fn twice(&mut self, first: &Ident, second: &Ident) {
        self.refuse(first, format!("`{first}` is given twice: for the first time here"));
        self.refuse(
            second,
            format!("`{second}` is given twice: for the second time here; remove one of them"),
        );
    }

    fn refuse(&mut self, tokens: impl ToTokens, message: impl std::fmt::Display) {
        let error = syn::Error::new_spanned(tokens, message);
        match &mut self.error {
            Some(all) => all.combine(error),
            None => self.error = Some(error),
        }
    }
}

fn valid() -> String {
    let names: Vec<_> = FAULTS.iter().map(|name| format!("`{name}`")).collect();
    format!("the faults are {}, and beside them may stand `max = N`", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Explore, Vec<String>> {
        match Explore::read(&text.parse().unwrap()) {
            Ok(explore) => Ok(explore.unwrap()),
            Err(error) => Err(error.into_iter().map(|error| error.to_string()).collect()),
        }
    }

    #[test]
    fn faults_are_read_in_their_order() {
        let expected = Explore { faults: vec!["drop", "cut"], max: None };
        assert_eq!(read("drop, cut,"), Ok(expected));
        let expected = Explore { faults: vec!["reset"], max: Some(200) };
        assert_eq!(read("max = 200, reset"), Ok(expected));
    }

    #[test]
    fn every_mistake_is_told() {
        let errors =
            read("drop, drup, drop, max = 0, reset = 3, max = 1, maximum = 2").unwrap_err();
        let starts = [
            "there is no fault `drup`: did you mean `drop`?",
            "`drop` is given twice: for the first",
            "`drop` is given twice: for the second",
            "`max` takes a whole number",
            "`reset` takes no value",
            "there is no fault `maximum`;",
        ];
        assert_eq!(errors.len(), starts.len(), "{errors:#?}");
        for (error, start) in errors.iter().zip(starts) {
            assert!(error.starts_with(start), "{error}");
        }
        for (empty, start) in [
            ("max = 3", "there is nothing to inject"),
            ("7", "expected a fault"),
            (",", "expected a fault"),
        ] {
            assert!(read(empty).unwrap_err()[0].starts_with(start), "{empty}");
        }
    }
}
