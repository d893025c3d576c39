//! The arguments about faults: the seed, and what an exploration injects.

use std::fmt;
use std::time::Duration;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, Ident, Lit, Token};

use super::value::{Value, literal};
use crate::diag::nearest;
use crate::duration;

/// The seed of everything random in a test's network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seed(pub(crate) u64);

/// What is injected at each point of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Explore {
    /// In the order of the attribute.
    pub(crate) faults: Vec<Fault>,
    pub(crate) max: Option<u32>,
}

/// A fault, written as in the plan grammar: `reset`, `then reset`, `delay 40ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The packet arrives, and the action follows it.
    pub(crate) then: bool,
    pub(crate) action: Action,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Drop,
    Reset,
    Duplicate(u8),
    /// The runtime's default where no time is given.
    Delay(Option<Duration>),
    Corrupt,
    Blackhole,
    Cut,
}

/// The words of the plan grammar.
const ACTIONS: &[(&str, Action)] = &[
    ("drop", Action::Drop),
    ("reset", Action::Reset),
    ("duplicate", Action::Duplicate(1)),
    ("delay", Action::Delay(None)),
    ("corrupt", Action::Corrupt),
    ("blackhole", Action::Blackhole),
    ("cut", Action::Cut),
];

const THEN: &str = "then";
const MAX: &str = "max";

/// All faults, for messages.
const VALID: &str = "the faults are `drop`, `reset`, `duplicate`, `delay`, `corrupt`, `blackhole`, \
    `cut`, `then reset`, `then blackhole` and `then cut`";

impl Action {
    fn name(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Reset => "reset",
            Self::Duplicate(_) => "duplicate",
            Self::Delay(_) => "delay",
            Self::Corrupt => "corrupt",
            Self::Blackhole => "blackhole",
            Self::Cut => "cut",
        }
    }

    /// Whether it affects later packets, so that it can follow one that arrives.
    fn affects_later_packets(self) -> bool {
        matches!(self, Self::Reset | Self::Blackhole | Self::Cut)
    }

    /// The action with the value that is written behind its name.
    fn with_value(self, value: &TokenStream) -> Result<Self, String> {
        let text = match literal(value) {
            Some(Lit::Str(text)) => text.value(),
            _ => value.to_string(),
        };
        match self {
            Self::Duplicate(_) => match text.parse() {
                Ok(copies @ 1..) => Ok(Self::Duplicate(copies)),
                _ => Err("`duplicate` takes a number of copies from 1 to 255; write \
                          `duplicate 2`, or `duplicate` for one"
                    .to_owned()),
            },
            Self::Delay(_) => match duration::parse(&text) {
                Ok(delay) if delay > Duration::ZERO => Ok(Self::Delay(Some(delay))),
                _ => Err("`delay` takes a duration with a unit; write `delay 40ms`, or `delay` \
                          for 200 ms"
                    .to_owned()),
            },
            _ => Err(format!("`{name}` takes no value; write `{name}`", name = self.name())),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let then = if self.then { "then " } else { "" };
        write!(f, "{then}{}", self.action.name())
    }
}

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
    const EXPECTED: &'static str = "one or more faults in parentheses";
    const LIST: bool = true;

    fn read(list: &TokenStream) -> syn::Result<Option<Self>> {
        let mut read = Reader::default();
        let items = Punctuated::<Item, Token![,]>::parse_terminated.parse2(list.clone());
        for item in items? {
            read.item(item);
        }
        if read.faults.is_empty() && read.error.is_none() {
            read.refuse(list, format!("`explore` needs at least one fault; {VALID}"));
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
            return Err(input.error(format!("expected a fault; {VALID}")));
        }
        let name = Ident::parse_any(input)?;
        let mut rest = TokenStream::new();
        while !input.is_empty() && !input.peek(Token![,]) {
            rest.extend([input.parse::<TokenTree>()?]);
        }
        Ok(Self { name, rest })
    }
}

/// The items that were read so far.
#[derive(Default)]
struct Reader {
    faults: Vec<(Fault, TokenStream)>,
    max: Option<(u32, TokenStream)>,
    error: Option<syn::Error>,
}

impl Reader {
    fn item(&mut self, Item { name, rest }: Item) {
        if name == MAX {
            return self.max(name, &rest);
        }
        if name != THEN {
            return self.fault(None, &name, &rest);
        }
        match syn::parse2(rest) {
            Ok(Item { name: action, rest }) => self.fault(Some(&name), &action, &rest),
            Err(_) => self.refuse(&name, format!("expected an action after `then`; {VALID}")),
        }
    }

    fn fault(&mut self, then: Option<&Ident>, name: &Ident, value: &TokenStream) {
        let word = name.to_string();
        let Some((_, action)) = ACTIONS.iter().find(|(name, _)| *name == word) else {
            let mut names: Vec<&str> = ACTIONS.iter().map(|(name, _)| *name).collect();
            names.push(MAX);
            let meant = nearest(&word, &names);
            let meant = meant.map(|meant| format!("did you mean `{meant}`? ")).unwrap_or_default();
            return self.refuse(name, format!("unknown fault `{word}`; {meant}{VALID}"));
        };
        let action = match value.is_empty() {
            true => *action,
            false => match action.with_value(value) {
                Ok(action) => action,
                Err(why) => return self.refuse(value, why),
            },
        };
        let tokens: TokenStream =
            then.into_iter().chain([name]).map(ToTokens::to_token_stream).collect();
        if then.is_some() && !action.affects_later_packets() {
            return self.refuse(
                tokens,
                format!(
                    "`{word}` acts on the packet itself, so it cannot follow a packet that \
                     arrives; write `{word}`, or `then` with `reset`, `blackhole` or `cut`"
                ),
            );
        }
        let fault = Fault { then: then.is_some(), action };
        match self.faults.iter().find(|(other, _)| *other == fault) {
            Some((_, first)) => {
                let first = first.clone();
                self.twice(&fault.to_string(), &first, tokens);
            }
            None => self.faults.push((fault, tokens)),
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
            return self.refuse(all, "`max` takes a number of runs from 1; write `max = 200`");
        };
        match &self.max {
            Some((_, first)) => {
                let first = first.clone();
                self.twice(MAX, &first, name.to_token_stream());
            }
            None => self.max = Some((number, name.to_token_stream())),
        }
    }

    fn twice(&mut self, what: &str, first: &TokenStream, second: TokenStream) {
        self.refuse(first, format!("`{what}` is given twice; this is the first one"));
        self.refuse(second, format!("`{what}` is given twice; remove one of the two"));
    }

    fn refuse(&mut self, tokens: impl ToTokens, message: impl fmt::Display) {
        let error = syn::Error::new_spanned(tokens, message);
        match &mut self.error {
            Some(all) => all.combine(error),
            None => self.error = Some(error),
        }
    }
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

    fn now(action: Action) -> Fault {
        Fault { then: false, action }
    }

    #[test]
    fn faults_are_read_in_their_order() {
        let faults = vec![now(Action::Drop), now(Action::Cut)];
        assert_eq!(read("drop, cut,"), Ok(Explore { faults, max: None }));
        let faults = vec![now(Action::Reset), Fault { then: true, action: Action::Reset }];
        assert_eq!(read("max = 200, reset, then reset"), Ok(Explore { faults, max: Some(200) }));
    }

    #[test]
    fn values_are_those_of_the_plan_grammar() {
        let delay = |ms| Action::Delay(Some(Duration::from_millis(ms)));
        for (text, action) in [
            ("delay", Action::Delay(None)),
            ("delay 40ms", delay(40)),
            ("delay \"1s 40ms\"", delay(1040)),
            ("duplicate", Action::Duplicate(1)),
            ("duplicate 3", Action::Duplicate(3)),
        ] {
            assert_eq!(read(text), Ok(Explore { faults: vec![now(action)], max: None }), "{text}");
        }
    }

    #[test]
    fn every_mistake_is_reported() {
        let errors = read(
            "drop, drup, drop, max = 0, reset = 3, max = 1, maximum = 2, then, then drop, \
             delay 40, duplicate 0",
        );
        let starts = [
            "unknown fault `drup`; did you mean `drop`? the faults are",
            "`drop` is given twice; this",
            "`drop` is given twice; remove",
            "`max` takes a number of runs",
            "`reset` takes no value",
            "unknown fault `maximum`; the faults are",
            "expected an action after `then`",
            "`drop` acts on the packet itself",
            "`delay` takes a duration",
            "`duplicate` takes a number",
        ];
        let errors = errors.unwrap_err();
        assert_eq!(errors.len(), starts.len(), "{errors:#?}");
        for (error, start) in errors.iter().zip(starts) {
            assert!(error.starts_with(start), "{error}");
        }
        for (empty, start) in [
            ("max = 3", "`explore` needs at least one fault"),
            ("7", "expected a fault"),
            (",", "expected a fault"),
        ] {
            assert!(read(empty).unwrap_err()[0].starts_with(start), "{empty}");
        }
    }
}
