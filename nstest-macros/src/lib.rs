//! The macros of `nstest`. They are documented on the facade, where users find them.
//!
//! Entry points only: `args` and `model` parse, `conflicts` checks, `expand` generates,
//! `diag` collects errors. `derive` is `#[derive(Fixture)]`.
#![forbid(unsafe_code)]

use proc_macro::TokenStream;

mod args;
mod attributes;
mod conflicts;
mod derive;
mod diag;
mod duration;
mod entry;
mod expand;
mod model;

use entry::{Build, EntryPoint};

/// Registers a function as a test that runs in network namespaces of its own.
#[proc_macro_attribute]
pub fn netns_test(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute(EntryPoint::NetnsTest, args, item)
}

/// [`macro@netns_test`] under the name by which rstest and test-case recognise a test
/// attribute.
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute(EntryPoint::Test, args, item)
}

/// [`macro@netns_test`] for a function that another macro registers as a test.
#[proc_macro_attribute]
pub fn netns(args: TokenStream, item: TokenStream) -> TokenStream {
    attribute(EntryPoint::Netns, args, item)
}

/// Implements `Fixture` for a struct of fixtures.
#[proc_macro_derive(Fixture, attributes(fixture))]
pub fn fixture(item: TokenStream) -> TokenStream {
    derive::expand(item.into()).into()
}

fn attribute(entry: EntryPoint, args: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(entry, Build::THIS, args.into(), item.into()).into()
}
