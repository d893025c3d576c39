//! The arguments of the attributes.
//!
//! A new argument is a line in the table, and a [`Value`] if its type has none:
//! those about the network are in `network`, those about its faults in `faults`.
//!
//! What is on unless turned off takes a value (`root = false`); what is off
//! unless asked for is a word (`uplink`), as in `#[serde(transparent)]` and
//! `#[repr(packed)]`, and takes one for macros that pass it through.

mod faults;
mod network;

use std::time::Duration;

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Lit, Path, Token};

use crate::diag::{Errors, nearest};
use crate::duration;
pub(crate) use faults::{Explore, Seed};
pub(crate) use network::{Mtu, Netns, Peers, Subnets, Switch};

/// Name, field, type, and the form that messages show.
macro_rules! arguments {
    ($($name:literal $field:ident: $type:ty, $form:literal;)*) => {
        /// The arguments that were given.
        #[derive(Default)]
        pub(crate) struct Args {
            $(pub(crate) $field: Option<Argument<$type>>,)*
        }

        const NAMES: &[&str] = &[$($name,)*];

        impl Args {
            fn take(&mut self, name: Ident, given: Given, errors: &mut Errors) {
                match name.to_string().as_str() {
                    $($name => store(&mut self.$field, name, given, $form, errors),)*
                    word => errors.at(name.clone(), unknown(word)),
                }
            }
        }
    };
}

arguments! {
    "timeout" timeout: Timeout, "timeout = \"30s\"";
    "root" root: bool, "root = false";
    "peers" peers: Peers, "peers = 3";
    "subnet" subnet: Subnets, "subnet = \"10.9.0.0/24\"";
    "mtu" mtu: Mtu, "mtu = 1400";
    "ipv6" ipv6: bool, "ipv6 = false";
    "uplink" uplink: Switch, "uplink";
    "netns" netns: Netns, "netns = \"vns1\"";
    "seed" seed: Seed, "seed = 7";
    "explore" explore: Explore, "explore(cut, reset)";
    "flavor" flavor: Flavor, "flavor = \"multi_thread\"";
    "worker_threads" worker_threads: usize, "worker_threads = 4";
    "crate" krate: Path, "crate = path::to::nstest";
}

/// An argument as written.
pub(crate) struct Argument<T> {
    pub(crate) name: Ident,
    pub(crate) value: T,
    /// For messages about a value that does not fit another argument.
    pub(crate) tokens: TokenStream,
}

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

/// What stands after the name of an argument.
enum Given {
    Nothing,
    Value(TokenStream),
    List(Group),
    Other(TokenStream),
}

/// The type of an argument written `name = value`, or `name(list)`.
trait Value: Sized {
    /// What may stand after `=`, for a value of another type.
    const EXPECTED: &'static str;

    /// What the name alone means, if that is enough.
    const BARE: Option<Self> = None;

    /// Whether it is written as a list in parentheses, and in no other way.
    const LIST: bool = false;

    /// `None`: something of another type.
    fn read(value: &TokenStream) -> syn::Result<Option<Self>>;
}

impl Args {
    /// Reads what can be read and reports the rest.
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut args = Self::default();
        let mut rest = tokens.into_iter().peekable();
        while rest.peek().is_some() {
            let mut comma = None;
            let mut argument = TokenStream::new();
            for token in rest.by_ref() {
                if matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ',') {
                    comma = Some(token);
                    break;
                }
                argument.extend([token]);
            }
            if argument.is_empty() {
                errors.at(comma, format!("an argument is missing here; {}", valid()));
                continue;
            }
            match split.parse2(argument) {
                Ok((name, given)) => args.take(name, given, errors),
                Err(error) => errors.push(error),
            }
        }
        args
    }

    /// Refuses what cannot stand beside each other.
    pub(crate) fn check(&self, errors: &mut Errors) {
        network::check(self, errors);
        faults::check(self, errors);
    }
}

/// Takes an argument's name off what follows it.
fn split(input: ParseStream<'_>) -> syn::Result<(Ident, Given)> {
    if !input.peek(syn::Ident::peek_any) {
        return Err(input.error(format!("expected the name of an argument; {}", valid())));
    }
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

/// Reads one argument into its place, if the place is free.
fn store<T: Value>(
    place: &mut Option<Argument<T>>,
    name: Ident,
    given: Given,
    form: &str,
    errors: &mut Errors,
) {
    let value = match given {
        Given::List(list) if T::LIST && list.stream().is_empty() => {
            return errors.at(list, format!("`{name}` takes {}: `{form}`", T::EXPECTED));
        }
        Given::List(list) if T::LIST => list.stream(),
        Given::Nothing | Given::Value(_) | Given::Other(_) if T::LIST => {
            return errors.at(&name, format!("`{name}` takes {}: `{form}`", T::EXPECTED));
        }
        Given::Value(value) if !value.is_empty() => value,
        Given::Nothing if T::BARE.is_some() => TokenStream::new(),
        Given::Nothing | Given::Value(_) => {
            return errors.at(&name, format!("`{name}` needs a value: `{form}`"));
        }
        Given::List(list) => {
            return errors.at(list, format!("`{name}` takes no parentheses: write `{form}`"));
        }
        Given::Other(tokens) => {
            return errors.at(tokens, format!("expected `=` after `{name}`: write `{form}`"));
        }
    };
    if let Some(first) = place {
        errors.at(&first.name, format!("`{name}` is given twice: for the first time here"));
        return errors.at(
            &name,
            format!("`{name}` is given twice: for the second time here; remove one of them"),
        );
    }
    let read = if value.is_empty() { Ok(T::BARE) } else { T::read(&value) };
    match read {
        Ok(Some(read)) => {
            *place = Some(Argument { name, value: read, tokens: value });
        }
        Ok(None) => errors.at(value, format!("`{name}` takes {}, as in `{form}`", T::EXPECTED)),
        Err(error) => errors.push(error),
    }
}

fn unknown(word: &str) -> String {
    match nearest(word, NAMES) {
        Some(meant) => {
            format!("there is no argument `{word}`: did you mean `{meant}`? {}", valid())
        }
        None => format!("there is no argument `{word}`; {}", valid()),
    }
}

fn valid() -> String {
    let names: Vec<_> = NAMES.iter().map(|name| format!("`{name}`")).collect();
    format!("the arguments are {}", names.join(", "))
}

fn literal(value: &TokenStream) -> Option<Lit> {
    syn::parse2(value.clone()).ok()
}

fn string(value: &TokenStream) -> Option<syn::LitStr> {
    match literal(value) {
        Some(Lit::Str(text)) if text.suffix().is_empty() => Some(text),
        _ => None,
    }
}

impl Value for Timeout {
    const EXPECTED: &'static str = "a duration with its unit, or \"none\", in quotes";

    fn read(value: &TokenStream) -> syn::Result<Option<Self>> {
        let Some(text) = string(value) else {
            return Ok(None);
        };
        let refuse = |why: String| Err(syn::Error::new(text.span(), why));
        match duration::parse(&text.value()) {
            _ if text.value().trim() == "none" => Ok(Some(Self::Never)),
            Ok(Duration::ZERO) => refuse(
                "a timeout of zero would fail every test; `timeout = \"none\"` turns it off"
                    .to_owned(),
            ),
            Ok(duration) => Ok(Some(Self::After(duration))),
            Err(why) => refuse(format!(
                "this is no timeout, since {why}; a timeout is written in {}, or as \"none\"",
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
                        format!("there is no flavor \"{other}\": did you mean \"{meant}\"?")
                    }
                    None => format!(
                        "there is no flavor \"{other}\"; the flavors are {}",
                        Self::EXPECTED
                    ),
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
                // An u16 of threads is more than any machine starts; keeps 32-bit targets right.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (Args, Vec<String>) {
        let mut errors = Errors::default();
        let args = Args::parse(text.parse().unwrap(), &mut errors);
        let file: syn::File = syn::parse2(errors.into_tokens()).unwrap();
        let messages = file
            .items
            .into_iter()
            .map(|item| match item {
                syn::Item::Macro(item) => item.mac.parse_body::<syn::LitStr>().unwrap().value(),
                _ => unreachable!("errors are `compile_error!`s"),
            })
            .collect();
        (args, messages)
    }

    #[test]
    fn reads_every_argument() {
        let (args, errors) = parse(
            "timeout = \"1m 30s\", root = false, flavor = \"multi_thread\", \
             worker_threads = 4, peers = 2, subnet = [\"10.9.0.0/24\", \"fd09::/64\"], \
             mtu = 9000, ipv6 = false, uplink, seed = 0xbeef, explore(drop, max = 9), netns = \"vns1\", crate = \"a::b\",",
        );
        assert_eq!(errors, [""; 0]);
        let timeout = Timeout::After(Duration::from_secs(90));
        assert_eq!(args.timeout.map(|timeout| timeout.value), Some(timeout));
        assert_eq!(args.root.map(|root| root.value), Some(false));
        assert_eq!(args.peers.map(|peers| peers.value.0), Some(2));
        assert_eq!(args.subnet.map(|subnet| subnet.value.0.len()), Some(2));
        assert_eq!(args.mtu.map(|mtu| mtu.value.0), Some(9000));
        assert_eq!(args.ipv6.map(|ipv6| ipv6.value), Some(false));
        assert_eq!(args.uplink.map(|uplink| uplink.value), Some(Switch(true)));
        assert_eq!(args.seed.map(|seed| seed.value), Some(Seed(0xbeef)));
        assert_eq!(args.explore.map(|explore| explore.value.faults), Some(vec!["drop"]));
        assert_eq!(args.netns.map(|netns| netns.value.0.value()).as_deref(), Some("vns1"));
        assert!(args.flavor.is_some_and(|flavor| flavor.value == Flavor::MultiThread));
        assert_eq!(args.worker_threads.map(|workers| workers.value), Some(4));
        let krate = args.krate.unwrap().value;
        assert_eq!(krate.segments.len(), 2);
    }

    #[test]
    fn goes_on_after_a_mistake() {
        let (args, errors) =
            parse("timeout = 30, 7, root false, retries = 3, flavor = \"multi_thread\"");
        assert_eq!(errors.len(), 4, "{errors:#?}");
        assert!(args.flavor.is_some());
    }

    #[test]
    fn none_turns_the_timeout_off_and_zero_is_refused() {
        let (args, errors) = parse("timeout = \"none\"");
        assert_eq!(errors, [""; 0]);
        assert!(args.timeout.is_some_and(|timeout| timeout.value == Timeout::Never));
        let (_, errors) = parse("timeout = \"0s\"");
        assert!(errors[0].contains("\"none\" turns it off") || errors[0].contains("none"));
    }
}
