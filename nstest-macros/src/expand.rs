//! What an attribute leaves in place of the function.
//!
//! The user's statements are spliced into a closure, behind one `let` for each
//! parameter. They are not nested in a block of their own, nor in an inner
//! function: lints of the user's crate would see either. Names of ours resolve
//! at the definition (mixed-site hygiene), and every path is absolute, so that
//! nothing in the user's scope can take their place.

mod options;

use proc_macro2::{Delimiter, Group, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::{ReturnType, Type};

use crate::args::{Args, Flavor};
use crate::diag::Errors;
use crate::fixtures::Fixtures;
use crate::model::{Function, Test, mentions, not_a_function};
use options::{options, runtime};

/// Which attribute was written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    NetnsTest,
    Test,
    Netns,
}

impl Entry {
    fn name(self) -> &'static str {
        match self {
            Self::NetnsTest => "netns_test",
            Self::Test => "nstest::test",
            Self::Netns => "netns",
        }
    }
}

/// How this crate was built.
#[derive(Clone, Copy)]
pub(crate) struct Build {
    /// The runtime has `run_async`.
    pub(crate) tokio: bool,
    /// A build that stands for the platforms without network namespaces.
    pub(crate) stub: bool,
}

impl Build {
    pub(crate) const THIS: Self = Self { tokio: cfg!(feature = "tokio"), stub: cfg!(nstest_stub) };
}

/// Expands one attribute.
pub(crate) fn expand(
    entry: Entry,
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
    args.check(&mut errors);
    check_runtime(&args, &function, build, &mut errors);
    check_exploration(&args, &test, &mut errors);
    check_test_case(entry, &function, &test, &mut errors);
    if errors.is_empty() {
        wrapper(entry, build, &args, &function, &test)
    } else {
        let plain = plain(function);
        let errors = errors.into_tokens();
        quote_spanned!(Span::mixed_site()=> #plain #errors)
    }
}

/// The arguments and the function's `async` must fit each other.
fn check_runtime(args: &Args, function: &Function, build: Build, errors: &mut Errors) {
    let runtime = |argument: &str| {
        format!(
            "`{argument}` configures the runtime of an `async fn`: remove it, or write `async fn`"
        )
    };
    match &function.sig.asyncness {
        Some(token) if !build.tokio => errors.at(
            token,
            "an `async fn` needs the `tokio` feature of nstest, which is one of its default \
             features: enable it in Cargo.toml, `nstest = { version = \"…\", features = [\"tokio\"] }`",
        ),
        Some(_) => {
            let multi = matches!(&args.flavor, Some(flavor) if flavor.value == Flavor::MultiThread);
            if let (Some(workers), false) = (&args.worker_threads, multi) {
                errors.at(
                    workers,
                    "`worker_threads` needs the multi-threaded runtime: add `flavor = \"multi_thread\"`",
                );
            }
        }
        None => {
            if let Some(flavor) = &args.flavor {
                errors.at(flavor, runtime("flavor"));
            }
            if let Some(workers) = &args.worker_threads {
                errors.at(workers, runtime("worker_threads"));
            }
        }
    }
}

/// A test that must fail has nothing to survive.
fn check_exploration(args: &Args, test: &Test, errors: &mut Errors) {
    if let (Some(explore), Some(_)) = (&args.explore, &test.should_panic) {
        errors.at(
            &explore.name,
            "an exploration finds out whether the test passes whatever happens, and one with \
             `#[should_panic]` must not pass so: remove one of the two",
        );
    }
}

/// test-case registers an `fn` itself, and leaves an `async fn` to the attribute
/// below it: the wrong one of ours makes the test run twice, or never.
fn check_test_case(entry: Entry, function: &Function, test: &Test, errors: &mut Errors) {
    match (entry, &function.sig.asyncness) {
        (Entry::Netns, Some(token)) if test.made_by_test_case() && !test.registered => errors.at(
            token,
            "under test-case nothing registers an `async fn` with `#[netns]`, and it would never \
             run: write `#[nstest::test]`",
        ),
        (Entry::NetnsTest | Entry::Test, None) if test.made_by_test_case() => errors.at(
            function.sig.fn_token,
            format!(
                "test-case registers an `fn` itself, and `#[{}]` registers it again: write \
                 `#[netns]`",
                entry.name()
            ),
        ),
        _ => {}
    }
}

/// The function as it is, unregistered: its mistakes are told, and its body is
/// type-checked, but nothing is made of it.
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

/// The function that libtest, or whoever calls it, sees.
fn wrapper(
    entry: Entry,
    build: Build,
    args: &Args,
    function: &Function,
    test: &Test,
) -> TokenStream {
    let here = Span::mixed_site();
    let registers = entry != Entry::Netns;
    let mut markers = TokenStream::new();
    if registers || test.registered {
        markers.extend(quote_spanned!(here=> #[::core::prelude::v1::test]));
        if !test.ignored {
            markers.extend(platforms(build));
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

/// Where there are no network namespaces, libtest shows the test as ignored, and why.
fn platforms(build: Build) -> TokenStream {
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
    let output = Output::of(&function.sig.output);
    let (returned, mention) = (output.argument(), output.mention());
    let ident = &function.sig.ident;
    let options = options(args, registers, test, &private);
    // An item in a block: the user's statements cannot see it.
    let description = quote_spanned! {here=> {
        static TEST: #private::Test = #private::Test::new(
            ::core::module_path!(),
            ::core::stringify!(#ident),
            #options,
        );
        #mention
        &TEST
    }};
    let fixtures = Fixtures::of(&test.params);
    let (setup, bind, handle) = (fixtures.setup(&private), fixtures.bind(), fixtures.handle());
    let statements = function.body.stream();
    let user = function.body.span();
    if function.sig.asyncness.is_none() {
        let arrow = output.arrow();
        let body = braced(user, quote_spanned!(here=> #setup #bind #statements));
        return quote_spanned! {here=>
            #private::run::<#returned>(#description, |#handle| #arrow #body);
        };
    }
    let runtime = runtime(args, &private);
    let capture = fixtures.capture();
    let pin = output.pin();
    let body = braced(user, quote_spanned!(here=> #pin #capture #bind #statements));
    quote_spanned! {here=>
        #private::run_async::<#returned, _>(#description, #runtime, |#handle| {
            #setup
            async move #body
        });
    }
}

/// A block with the user's braces: what the compiler says of the body, it says there.
fn braced(span: Span, tokens: TokenStream) -> Group {
    let mut group = Group::new(Delimiter::Brace, tokens);
    group.set_span(span);
    group
}

/// The return type, as far as an expression can name it.
enum Output<'a> {
    Unit,
    Type(&'a Type),
    /// With an `impl Trait`, which has no place in an expression.
    Opaque(&'a Type),
    /// `!`, which is no generic argument.
    Never(&'a Type),
}

impl<'a> Output<'a> {
    fn of(output: &'a ReturnType) -> Self {
        match output {
            ReturnType::Default => Self::Unit,
            ReturnType::Type(_, ty) => match &**ty {
                Type::Never(_) => Self::Never(ty),
                ty if mentions(ty.to_token_stream(), "impl") => Self::Opaque(ty),
                ty => Self::Type(ty),
            },
        }
    }

    /// As a generic argument.
    fn argument(&self) -> TokenStream {
        let here = Span::mixed_site();
        match self {
            Self::Unit => quote_spanned!(here=> ()),
            Self::Type(ty) => quote_spanned!(here=> #ty),
            Self::Opaque(_) | Self::Never(_) => quote_spanned!(here=> _),
        }
    }

    /// After the parameters of a closure.
    fn arrow(&self) -> TokenStream {
        let here = Span::mixed_site();
        match self {
            Self::Unit => quote_spanned!(here=> -> ()),
            Self::Opaque(_) => quote_spanned!(here=> -> _),
            Self::Type(ty) | Self::Never(ty) => quote_spanned!(here=> -> #ty),
        }
    }

    /// Keeps the names in an opaque type used, though no expression has them.
    fn mention(&self) -> TokenStream {
        match self {
            // `use<…>` has no place among parameters.
            Self::Opaque(ty) if !mentions(ty.to_token_stream(), "use") => {
                quote_spanned! {Span::mixed_site()=>
                    fn _mention(output: #ty) -> #ty {
                        output
                    }
                }
            }
            _ => TokenStream::new(),
        }
    }

    /// A first `return` in an async block, which has no annotation of its own:
    /// the later ones, `?` and the tail are then checked against its type.
    fn pin(&self) -> TokenStream {
        let here = Span::mixed_site();
        let value = match self {
            Self::Unit => TokenStream::new(),
            Self::Type(ty) => {
                quote_spanned!(here=> ::core::option::Option::<#ty>::unwrap(::core::option::Option::None))
            }
            Self::Opaque(_) | Self::Never(_) => return TokenStream::new(),
        };
        quote_spanned!(here=> if false { return #value; })
    }
}

#[cfg(test)]
mod tests;
