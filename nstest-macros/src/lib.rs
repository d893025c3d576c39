//! The attribute macros of `nstest`; documented where users find them, on the facade.
//!
//! A door, not a room. An attribute goes through four of them: its arguments
//! through `args` (and `duration`), the function below it through `model` (and `attributes`), both
//! through `expand` (and `fixtures`); what is wrong anywhere gathers in `diag`.
//! `derive` is a house of its own.
#![forbid(unsafe_code)]

use proc_macro::TokenStream;

mod args;
mod attributes;
mod derive;
mod diag;
mod duration;
mod expand;
mod fixtures;
mod model;

/// Registers a function as a test that runs in network namespaces of its own.
#[proc_macro_attribute]
pub fn netns_test(args: TokenStream, item: TokenStream) -> TokenStream {
    door(expand::Entry::NetnsTest, args, item)
}

/// [`macro@netns_test`] under the name by which rstest and test-case know a test attribute.
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    door(expand::Entry::Test, args, item)
}

/// [`macro@netns_test`] for a function that something else registers.
#[proc_macro_attribute]
pub fn netns(args: TokenStream, item: TokenStream) -> TokenStream {
    door(expand::Entry::Netns, args, item)
}

/// Makes a fixture of a struct of fixtures.
#[proc_macro_derive(Fixture, attributes(fixture))]
pub fn fixture(item: TokenStream) -> TokenStream {
    derive::expand(item.into()).into()
}

fn door(entry: expand::Entry, args: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(entry, expand::Build::THIS, args.into(), item.into()).into()
}
