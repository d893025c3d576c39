//! The parameters of a test, as statements.
//!
//! Each becomes three `let`s: its plan, the fixture in a hidden local, and the
//! user's pattern. `#[cfg]` on a parameter goes on each of them.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{format_ident, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Meta, Pat};

use crate::model::Parameter;

/// The parameters and the hidden locals that carry them.
pub(crate) struct Fixtures<'a>(Vec<Fixture<'a>>);

struct Fixture<'a> {
    param: &'a Parameter,
    /// What decides whether the parameter exists, for the `let`s that are ours.
    cfgs: Vec<&'a Attribute>,
    plan: Ident,
    made: Ident,
}

impl<'a> Fixtures<'a> {
    pub(crate) fn of(params: &'a [Parameter]) -> Self {
        let here = Span::mixed_site();
        let fixture = |(index, param): (usize, &'a Parameter)| Fixture {
            param,
            cfgs: param.attrs.iter().filter(|attr| is_cfg(attr)).collect(),
            plan: format_ident!("plan{index}", span = here),
            made: format_ident!("made{index}", span = here),
        };
        Self(params.iter().enumerate().map(fixture).collect())
    }

    /// The parameter of the closure; every parameter of the user's may be `cfg`'d out.
    pub(crate) fn handle(&self) -> TokenStream {
        let here = Span::mixed_site();
        if self.0.is_empty() { quote_spanned!(here=> _) } else { quote_spanned!(here=> _fixtures) }
    }

    /// All plans, then all set-ups.
    pub(crate) fn setup(&self, private: &TokenStream) -> TokenStream {
        let here = Span::mixed_site();
        let plans = self.0.iter().map(|fixture| {
            let (cfgs, plan, name) = (&fixture.cfgs, &fixture.plan, &fixture.param.name);
            let call = fixture.call(private, "plan", quote_spanned!(here=> #name));
            quote_spanned!(here=> #(#cfgs)* let #plan = #call;)
        });
        let setups = self.0.iter().map(|fixture| {
            let (cfgs, plan, made) = (&fixture.cfgs, &fixture.plan, &fixture.made);
            let call = fixture.call(private, "setup", quote_spanned!(here=> #plan));
            quote_spanned!(here=> #(#cfgs)* let #made = #call;)
        });
        plans.chain(setups).collect()
    }

    /// Moves every fixture into an async block, as `async fn` does: those in `_` as well.
    pub(crate) fn capture(&self) -> TokenStream {
        let here = Span::mixed_site();
        let capture = |fixture: &Fixture<'_>| {
            let (cfgs, made) = (&fixture.cfgs, &fixture.made);
            quote_spanned!(here=> #(#cfgs)* let #made = #made;)
        };
        self.0.iter().map(capture).collect()
    }

    /// The user's patterns. What a pattern leaves stays in its hidden local, to the end.
    pub(crate) fn bind(&self) -> TokenStream {
        let here = Span::mixed_site();
        let bind = |fixture: &Fixture<'_>| {
            let Parameter { attrs, pat, .. } = fixture.param;
            let made = &fixture.made;
            // A call, for clippy: `let _x = y;` is a binding without effect.
            let value = match pat {
                Pat::Ident(_) => quote_spanned!(here=> ::core::convert::identity(#made)),
                _ => quote_spanned!(here=> #made),
            };
            quote_spanned!(here=> #(#attrs)* let #pat = #value;)
        };
        self.0.iter().map(bind).collect()
    }
}

impl Fixture<'_> {
    /// `Fixtures::NAME::<Type>(_fixtures, ARGUMENT)`, all of it at the place of the
    /// type: that is where a type that is no fixture is then reported, and the
    /// compiler takes every report at one place for one.
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

/// `#[cfg]`, or a `cfg_attr` that brings one.
fn is_cfg(attr: &Attribute) -> bool {
    attr.path().is_ident("cfg")
        || matches!(&attr.meta, Meta::List(list) if list.path.is_ident("cfg_attr")
            && list.tokens.clone().into_iter().any(
                |token| matches!(token, TokenTree::Ident(ident) if ident == "cfg")))
}
