//! The code that an attribute generates in place of the function.
//!
//! It is one call into the runtime, with a closure. The closure consists of a `let`
//! for each parameter and the user's statements. The statements are not put into a
//! block or a function of their own, because the lints of the user's crate would
//! report that. Generated names have mixed-site hygiene, and all paths are absolute,
//! so that nothing in the user's scope can shadow them.

mod options;
mod parameters;
mod return_type;

use proc_macro2::{Delimiter, Group, Span, TokenStream};
use quote::quote_spanned;

use crate::args::Args;
use crate::attributes::UselessLock;
use crate::conflicts;
use crate::diag::Errors;
use crate::entry::{Build, EntryPoint};
use crate::model::{Function, Test, not_a_function};
use options::{options, runtime};
use parameters::ParameterCode;
use return_type::ReturnCode;

/// Expands one attribute.
pub(crate) fn expand(
    entry: EntryPoint,
    build: Build,
    args: TokenStream,
    item: TokenStream,
) -> TokenStream {
    let mut errors = Errors::default();
    let args = Args::parse(args, &mut errors);
    let mut function: Function = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            errors.push(not_a_function(&item, entry.name(), error));
            let errors = errors.into_tokens();
            return quote_spanned!(Span::mixed_site()=> #item #errors);
        }
    };
    let test = Test::of(&mut function, entry.name(), &mut errors);
    conflicts::check(entry, build, &args, &function, &test, &mut errors);
    if errors.is_empty() {
        wrapper(entry, build, &args, &function, &test)
    } else {
        let mut function = function;
        if UselessLock::in_body(&function.body).is_some() {
            // serial_test removed the parameters that the body uses.
            let span = function.body.span();
            function.body = braced(span, quote_spanned!(span=> ::core::panic!()));
        }
        let plain = plain(function);
        let errors = errors.into_tokens();
        quote_spanned!(Span::mixed_site()=> #plain #errors)
    }
}

/// The function without its test attributes, for when there are errors: the compiler
/// still checks its body, and the errors do not cause others.
fn plain(function: Function) -> TokenStream {
    let Function { attrs, vis, sig, inner, mut body } = function;
    let attrs = attrs
        .iter()
        .filter(|attr| !attr.path().is_ident("ignore") && !attr.path().is_ident("should_panic"));
    let statements = body.stream();
    let span = body.span();
    body = Group::new(body.delimiter(), quote_spanned!(span=> #(#inner)* #statements));
    body.set_span(span);
    quote_spanned!(Span::mixed_site()=> #(#attrs)* #[allow(dead_code)] #vis #sig #body)
}

/// The function that libtest or another caller sees.
fn wrapper(
    entry: EntryPoint,
    build: Build,
    args: &Args,
    function: &Function,
    test: &Test,
) -> TokenStream {
    let here = Span::mixed_site();
    let registers = entry != EntryPoint::Netns;
    let mut markers = TokenStream::new();
    if registers || test.registered {
        markers.extend(quote_spanned!(here=> #[::core::prelude::v1::test]));
        if !test.ignored {
            markers.extend(ignored_platforms(build));
        }
    }
    let Function { vis, sig, inner, .. } = function;
    let (attrs, fn_token, ident) = (&test.attrs, &sig.fn_token, &sig.ident);
    let call = call(args, registers, function, test);
    quote_spanned! {here=>
        #markers
        #(#attrs)*
        #vis #fn_token #ident() {
            #(#inner)*
            #call
        }
    }
}

/// `#[ignore]` with a reason, on platforms without network namespaces.
fn ignored_platforms(build: Build) -> TokenStream {
    let here = Span::mixed_site();
    if build.stub {
        return quote_spanned! {here=>
            #[ignore = "nstest: needs Linux, with network namespaces (stub build)"]
        };
    }
    quote_spanned! {here=>
        #[cfg_attr(miri, ignore = "nstest: Miri has no network namespaces")]
        #[cfg_attr(
            not(any(miri, target_os = "linux")),
            ignore = "nstest: network namespaces need Linux"
        )]
    }
}

/// The call into the runtime.
fn call(args: &Args, registers: bool, function: &Function, test: &Test) -> TokenStream {
    let here = Span::mixed_site();
    let private = match &args.krate {
        Some(krate) => {
            let krate = &krate.value;
            quote_spanned!(here=> #krate::__private)
        }
        None => quote_spanned!(here=> ::nstest::__private),
    };
    let output = ReturnCode::of(&function.sig.output);
    let (returned, mention) = (output.argument(), output.mention());
    let error = output.error(&private);
    let ident = &function.sig.ident;
    let options = options(args, registers, test, &private);
    let (within, locked) = file_locks(test, &private);
    // In a block of its own, so that the user's statements cannot see the static.
    let description = quote_spanned! {here=> {
        static TEST: #private::Test = #private::Test::new(
            ::core::module_path!(),
            ::core::stringify!(#ident),
            #options,
        )#within;
        #locked
        #mention
        &TEST
    }};
    let fixtures = ParameterCode::of(&test.params);
    let (setup, bind, handle) = (fixtures.setup(&private), fixtures.bind(), fixtures.handle());
    let statements = function.body.stream();
    let user = function.body.span();
    if function.sig.asyncness.is_none() {
        let arrow = output.arrow();
        let body = braced(user, quote_spanned!(here=> #setup #bind #statements));
        return quote_spanned! {here=>
            #private::run::<#returned>(#description, #error, |#handle| #arrow #body);
        };
    }
    let runtime = runtime(args, &private);
    let capture = fixtures.capture();
    let pin = output.pin();
    let body = braced(user, quote_spanned!(here=> #pin #capture #bind #statements));
    quote_spanned! {here=>
        #private::run_async::<#returned, _>(#description, #error, #runtime, |#handle| {
            #setup
            async move #body
        });
    }
}

/// A function with the attributes that lock files, which the parent's process alone calls,
/// and the call that hands it to the runtime. In both processes, a test would wait for
/// itself.
fn file_locks(test: &Test, private: &TokenStream) -> (TokenStream, TokenStream) {
    let here = Span::mixed_site();
    let locks = &test.file_locks;
    if locks.is_empty() {
        return Default::default();
    }
    let locked = quote_spanned! {here=>
        #(#locks)*
        fn locked() {
            #private::launch(&TEST);
        }
    };
    (quote_spanned!(here=> .within(locked)), locked)
}

/// A block with the span of the user's braces, where the compiler reports errors about
/// the body as a whole.
fn braced(span: Span, tokens: TokenStream) -> Group {
    let mut group = Group::new(Delimiter::Brace, tokens);
    group.set_span(span);
    group
}

#[cfg(test)]
mod tests;
