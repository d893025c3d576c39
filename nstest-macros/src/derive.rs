//! `#[derive(Fixture)]`: a struct of fixtures is a fixture. Each field is made like a
//! parameter with the name of the field.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote_spanned};
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Fields, Path, parse_quote_spanned};

use crate::diag::Errors;

/// Expands the derive.
pub(crate) fn expand(item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let input: DeriveInput = match syn::parse2(item) {
        Ok(input) => input,
        Err(error) => return error.into_compile_error(),
    };
    let root = root(&input, &mut errors);
    let fields = fields(&input, &mut errors);
    match fields {
        Some(fields) if errors.is_empty() => implementation(&input, fields, &root),
        _ => errors.into_tokens(),
    }
}

/// `#[fixture(crate = path)]`, where nstest is a re-export or renamed.
fn root(input: &DeriveInput, errors: &mut Errors) -> Path {
    let mut root: Path = parse_quote_spanned!(Span::mixed_site()=> ::nstest);
    for attr in input.attrs.iter().filter(|attr| attr.path().is_ident("fixture")) {
        let read = attr.parse_nested_meta(|meta| {
            if !meta.path.is_ident("crate") {
                return Err(
                    meta.error("unknown argument; write `#[fixture(crate = path::to::nstest)]`")
                );
            }
            root = meta.value()?.call(Path::parse_mod_style)?;
            Ok(())
        });
        if let Err(error) = read {
            errors.push(error);
        }
    }
    root
}

fn fields<'a>(input: &'a DeriveInput, errors: &mut Errors) -> Option<&'a Fields> {
    let Data::Struct(data) = &input.data else {
        errors.at(
            &input.ident,
            "`#[derive(Fixture)]` works for structs only; implement `Fixture` by hand",
        );
        return None;
    };
    match &data.fields {
        Fields::Unnamed(fields) if fields.unnamed.len() > 1 => errors.at(
            fields,
            "a tuple struct with several fields gives them no names; write `{ server: Node, … }`",
        ),
        _ => {}
    }
    Some(&data.fields)
}

fn implementation(input: &DeriveInput, fields: &Fields, root: &Path) -> TokenStream {
    let here = Span::mixed_site();
    let ident = &input.ident;
    let types: Vec<_> = fields.iter().map(|field| &field.ty).collect();
    let plans: Vec<_> = (0..types.len()).map(|n| format_ident!("plan{n}", span = here)).collect();
    let members: Vec<_> = fields.members().collect();
    // The only field of a tuple struct takes the name of the parameter.
    let params = fields.iter().map(|field| match &field.ident {
        Some(name) => {
            let name = name.unraw().to_string();
            quote_spanned!(here=> #root::FixtureParam::new(#name))
        }
        None => quote_spanned!(here=> param),
    });
    let mut generics = input.generics.clone();
    if generics.type_params().next().is_some() {
        let bounds = generics.make_where_clause();
        for ty in &types {
            bounds.predicates.push(parse_quote_spanned!(here=> #ty: #root::Fixture));
        }
    }
    let (generics, arguments, bounds) = generics.split_for_impl();
    quote_spanned! {here=>
        #[automatically_derived]
        impl #generics #root::Fixture for #ident #arguments #bounds {
            type Plan = (#(<#types as #root::Fixture>::Plan,)*);

            fn plan(
                network: &mut #root::NetworkSpec,
                param: #root::FixtureParam<'_>,
            ) -> #root::Result<Self::Plan> {
                let _ = (&network, param);
                ::core::result::Result::Ok((
                    #(<#types as #root::Fixture>::plan(network, #params)?,)*
                ))
            }

            fn setup(plan: Self::Plan, context: &#root::FixtureContext) -> #root::Result<Self> {
                let _ = context;
                let (#(#plans,)*) = plan;
                ::core::result::Result::Ok(Self {
                    #(#members: <#types as #root::Fixture>::setup(#plans, context)?,)*
                })
            }
        }
    }
}
