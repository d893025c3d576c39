//! The parameters of a test, in the generated code.
//!
//! Each parameter becomes three `let`s: its plan, its fixture in a hidden local, and
//! the user's pattern. A `#[cfg]` on the parameter is put on all three.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{format_ident, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Meta, Pat};

use crate::model::Parameter;

/// All parameters, with their hidden locals.
pub(super) struct ParameterCode<'a>(Vec<OneParameter<'a>>);

struct OneParameter<'a> {
    param: &'a Parameter,
    /// The attributes that decide whether the parameter exists.
    cfgs: Vec<&'a Attribute>,
    plan: Ident,
    made: Ident,
}

impl<'a> ParameterCode<'a> {
    pub(super) fn of(params: &'a [Parameter]) -> Self {
        let here = Span::mixed_site();
        let one = |(index, param): (usize, &'a Parameter)| OneParameter {
            param,
            cfgs: param.attrs.iter().filter(|attr| is_cfg(attr)).collect(),
            plan: format_ident!("plan{index}", span = here),
            made: format_ident!("made{index}", span = here),
        };
        Self(params.iter().enumerate().map(one).collect())
    }

    /// The parameter of the closure. Its name has an underscore because a `cfg` may
    /// remove every parameter of the test.
    pub(super) fn handle(&self) -> TokenStream {
        let here = Span::mixed_site();
        if self.0.is_empty() { quote_spanned!(here=> _) } else { quote_spanned!(here=> _fixtures) }
    }

    /// The calls of `plan` for all parameters, then those of `setup`.
    pub(super) fn setup(&self, private: &TokenStream) -> TokenStream {
        let here = Span::mixed_site();
        let plans = self.0.iter().map(|one| {
            let (cfgs, plan, name) = (&one.cfgs, &one.plan, &one.param.name);
            let call = one.call(private, "plan", quote_spanned!(here=> #name));
            quote_spanned!(here=> #(#cfgs)* let #plan = #call;)
        });
        let setups = self.0.iter().map(|one| {
            let (cfgs, plan, made) = (&one.cfgs, &one.plan, &one.made);
            let call = one.call(private, "setup", quote_spanned!(here=> #plan));
            quote_spanned!(here=> #(#cfgs)* let #made = #call;)
        });
        plans.chain(setups).collect()
    }

    /// Moves every fixture into an async block, as `async fn` does: also those whose
    /// pattern is `_`.
    pub(super) fn capture(&self) -> TokenStream {
        let here = Span::mixed_site();
        let capture = |one: &OneParameter<'_>| {
            let (cfgs, made) = (&one.cfgs, &one.made);
            quote_spanned!(here=> #(#cfgs)* let #made = #made;)
        };
        self.0.iter().map(capture).collect()
    }

    /// The user's patterns. What a pattern does not bind stays in its hidden local until
    /// the end of the body.
    pub(super) fn bind(&self) -> TokenStream {
        let here = Span::mixed_site();
        let bind = |one: &OneParameter<'_>| {
            let Parameter { attrs, pat, .. } = one.param;
            let made = &one.made;
            // A call, because clippy reports `let _x = y;`.
            let value = match pat {
                Pat::Ident(_) => quote_spanned!(here=> ::core::convert::identity(#made)),
                _ => quote_spanned!(here=> #made),
            };
            quote_spanned!(here=> #(#attrs)* let #pat = #value;)
        };
        self.0.iter().map(bind).collect()
    }
}

impl OneParameter<'_> {
    /// `Fixtures::NAME::<Type>(_fixtures, ARGUMENT)`, with the span of the type: the
    /// compiler reports a type that is not a fixture there, and only once for all
    /// tokens with that span.
    fn call(&self, private: &TokenStream, name: &str, argument: TokenStream) -> TokenStream {
        let ty = &self.param.ty;
        let there = ty.span();
        let method = Ident::new(name, there);
        let private = private.clone().into_iter().map(|mut token| {
            token.set_span(there);
            token
        });
        let handle = Ident::new("_fixtures", Span::mixed_site());
        quote_spanned!(there=> #(#private)*::Fixtures::#method::<#ty>(#handle, #argument))
    }
}

/// Whether it is a `#[cfg]`, or a `#[cfg_attr]` that contains one.
fn is_cfg(attr: &Attribute) -> bool {
    attr.path().is_ident("cfg")
        || matches!(&attr.meta, Meta::List(list) if list.path.is_ident("cfg_attr")
            && list.tokens.clone().into_iter().any(
                |token| matches!(token, TokenTree::Ident(ident) if ident == "cfg")))
}
