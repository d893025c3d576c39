//! All arguments, and the parser.

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::Path;
use syn::parse::Parser;

use super::faults::{Explore, Seed};
use super::network::{Mtu, Netns, Peers, Subnets, Switch};
use super::run::{Flavor, Timeout};
use super::value::{Argument, Given, split, store};
use crate::diag::{Errors, nearest};

/// Name, field, type, and an example for messages.
macro_rules! arguments {
    ($($name:literal $field:ident: $type:ty, $form:literal;)*) => {
        /// The arguments of one attribute.
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
    "offloads" offloads: bool, "offloads = false";
    "uplink" uplink: Switch, "uplink";
    "netns" netns: Netns, "netns = \"vns1\"";
    "seed" seed: Seed, "seed = 7";
    "explore" explore: Explore, "explore(drop, reset)";
    "flavor" flavor: Flavor, "flavor = \"multi_thread\"";
    "worker_threads" worker_threads: usize, "worker_threads = 4";
    "crate" krate: Path, "crate = path::to::nstest";
}

impl Args {
    /// Reads all arguments, and reports those that it cannot read.
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
                errors.at(comma, "expected an argument before this comma; remove the comma");
                continue;
            }
            let first = argument.clone().into_iter().next();
            match split.parse2(argument) {
                Ok((name, given)) => args.take(name, given, errors),
                Err(_) => {
                    errors.at(first, format!("expected the name of an argument; {}", valid()));
                }
            }
        }
        args
    }
}

fn unknown(word: &str) -> String {
    if matches!(word, "start_paused" | "unhandled_panic") {
        return format!(
            "`{word}` is an argument of `#[tokio::test]`; write `#[tokio::test({word} = …)]` above \
             `#[netns]`, which takes the other arguments"
        );
    }
    match nearest(word, NAMES) {
        Some(meant) => format!("unknown argument `{word}`; did you mean `{meant}`? {}", valid()),
        None => format!("unknown argument `{word}`; {}", valid()),
    }
}

fn valid() -> String {
    let names: Vec<_> = NAMES.iter().map(|name| format!("`{name}`")).collect();
    format!("the arguments are {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::args::{Action, Fault};

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
             mtu = 9000, ipv6 = false, offloads = false, uplink, seed = 0xbeef, explore(drop, max = 9), netns = \"vns1\", crate = \"a::b\",",
        );
        assert_eq!(errors, [""; 0]);
        let timeout = Timeout::After(Duration::from_secs(90));
        assert_eq!(args.timeout.map(|timeout| timeout.value), Some(timeout));
        assert_eq!(args.root.map(|root| root.value), Some(false));
        assert_eq!(args.peers.map(|peers| peers.value.0), Some(2));
        assert_eq!(args.subnet.map(|subnet| subnet.value.0.len()), Some(2));
        assert_eq!(args.mtu.map(|mtu| mtu.value.0), Some(9000));
        assert_eq!(args.ipv6.map(|ipv6| ipv6.value), Some(false));
        assert_eq!(args.offloads.map(|offloads| offloads.value), Some(false));
        assert_eq!(args.uplink.map(|uplink| uplink.value), Some(Switch(true)));
        assert_eq!(args.seed.map(|seed| seed.value), Some(Seed(0xbeef)));
        let drop = Fault { then: false, action: Action::Drop };
        assert_eq!(args.explore.map(|explore| explore.value.faults), Some(vec![drop]));
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
        assert!(errors[0].contains("timeout = \"none\""));
    }
}
