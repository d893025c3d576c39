//! The values that the generated code passes to the runtime, from the arguments.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::LitStr;

use crate::args::{Action, Args, Fault, Flavor, Timeout};
use crate::model::Test;

/// `Options { … }`.
pub(super) fn options(
    args: &Args,
    registers: bool,
    test: &Test,
    private: &TokenStream,
) -> TokenStream {
    let here = Span::mixed_site();
    let mut fields = TokenStream::new();
    if let Some(timeout) = &args.timeout {
        let value = match timeout.value {
            Timeout::Never => quote_spanned!(here=> #private::Timeout::Never),
            Timeout::After(duration) => {
                let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
                quote_spanned! {here=>
                    #private::Timeout::After(::core::time::Duration::new(#seconds, #nanos))
                }
            }
        };
        fields.extend(quote_spanned!(here=> timeout: #value,));
    }
    if let Some(root) = &args.root {
        let value = root.value;
        fields.extend(quote_spanned!(here=> root: #value,));
    }
    fields.extend(network(args));
    fields.extend(faults(args, private));
    if let Some(text) = &test.should_panic {
        let text = LitStr::new(&text.value(), here);
        fields.extend(quote_spanned! {here=>
            should_panic: ::core::option::Option::Some(#text),
        });
    }
    if !registers {
        fields.extend(quote_spanned!(here=> registers: false,));
    }
    if fields.is_empty() {
        return quote_spanned!(here=> #private::Options::DEFAULT);
    }
    quote_spanned!(here=> #private::Options { #fields ..#private::Options::DEFAULT })
}

/// The fields about the test's network.
fn network(args: &Args) -> TokenStream {
    let here = Span::mixed_site();
    let mut fields = TokenStream::new();
    if let Some(peers) = &args.peers {
        let value = peers.value.0;
        fields.extend(quote_spanned!(here=> peers: #value,));
    }
    if let Some(subnet) = &args.subnet {
        let texts = subnet.value.0.iter().map(|text| LitStr::new(&text.value(), here));
        fields.extend(quote_spanned!(here=> subnets: &[#(#texts),*],));
    }
    if let Some(mtu) = &args.mtu {
        let value = mtu.value.0;
        fields.extend(quote_spanned!(here=> mtu: ::core::option::Option::Some(#value),));
    }
    if let Some(ipv6) = &args.ipv6 {
        let value = ipv6.value;
        fields.extend(quote_spanned!(here=> ipv6: #value,));
    }
    if let Some(offloads) = &args.offloads {
        let value = offloads.value;
        fields.extend(quote_spanned!(here=> offloads: #value,));
    }
    if let Some(uplink) = &args.uplink {
        let value = uplink.value.0;
        fields.extend(quote_spanned!(here=> uplink: #value,));
    }
    if let Some(netns) = &args.netns {
        let name = LitStr::new(&netns.value.0.value(), here);
        fields.extend(quote_spanned!(here=> netns: ::core::option::Option::Some(#name),));
    }
    fields
}

/// The fields about faults.
fn faults(args: &Args, private: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let mut fields = TokenStream::new();
    if let Some(seed) = &args.seed {
        let value = seed.value.0;
        fields.extend(quote_spanned!(here=> seed: ::core::option::Option::Some(#value),));
    }
    if let Some(explore) = &args.explore {
        let faults = explore.value.faults.iter().map(|fault| fault_value(*fault, private));
        let max = match explore.value.max {
            Some(max) => quote_spanned!(here=> ::core::option::Option::Some(#max)),
            None => quote_spanned!(here=> ::core::option::Option::None),
        };
        fields.extend(quote_spanned! {here=>
            explore: ::core::option::Option::Some(#private::Explore {
                faults: &[#(#faults),*],
                max: #max,
            }),
        });
    }
    fields
}

/// `ExploreFault { … }`.
fn fault_value(fault: Fault, private: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let then = fault.then;
    let action = match fault.action {
        Action::Drop => quote_spanned!(here=> Drop),
        Action::Reset => quote_spanned!(here=> Reset),
        Action::Duplicate(copies) => quote_spanned!(here=> Duplicate(#copies)),
        Action::Delay(None) => {
            quote_spanned!(here=> Delay(#private::Action::DEFAULT_DELAY))
        }
        Action::Delay(Some(delay)) => {
            let (seconds, nanos) = (delay.as_secs(), delay.subsec_nanos());
            quote_spanned!(here=> Delay(::core::time::Duration::new(#seconds, #nanos)))
        }
        Action::Corrupt => quote_spanned!(here=> Corrupt),
        Action::Blackhole => quote_spanned!(here=> Blackhole),
        Action::Cut => quote_spanned!(here=> Cut),
    };
    quote_spanned! {here=>
        #private::ExploreFault { then: #then, action: #private::Action::#action }
    }
}

/// `Runtime::…`.
pub(super) fn runtime(args: &Args, private: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    match args.flavor.as_ref().map(|flavor| flavor.value) {
        None | Some(Flavor::CurrentThread) => {
            quote_spanned!(here=> #private::Runtime::CurrentThread)
        }
        Some(Flavor::MultiThread) => {
            let workers = match &args.worker_threads {
                Some(workers) => {
                    let workers = workers.value;
                    quote_spanned!(here=> ::core::option::Option::Some(#workers))
                }
                None => quote_spanned!(here=> ::core::option::Option::None),
            };
            quote_spanned!(here=> #private::Runtime::MultiThread { workers: #workers })
        }
    }
}
