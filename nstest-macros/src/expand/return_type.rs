//! The return type of a test, in the generated code.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::{ReturnType, Type};

use crate::model::mentions;

/// A test's return type, by what an expression can do with it.
pub(super) enum ReturnCode<'a> {
    Unit,
    Type(&'a Type),
    /// Contains an `impl Trait`, which an expression cannot name.
    Opaque(&'a Type),
    /// `!`, which cannot be a generic argument.
    Never(&'a Type),
}

impl<'a> ReturnCode<'a> {
    pub(super) fn of(output: &'a ReturnType) -> Self {
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
    pub(super) fn argument(&self) -> TokenStream {
        let here = Span::mixed_site();
        match self {
            Self::Unit => quote_spanned!(here=> ()),
            Self::Type(ty) => quote_spanned!(here=> #ty),
            Self::Opaque(_) | Self::Never(_) => quote_spanned!(here=> _),
        }
    }

    /// After the parameters of a closure.
    pub(super) fn arrow(&self) -> TokenStream {
        let here = Span::mixed_site();
        match self {
            Self::Unit => quote_spanned!(here=> -> ()),
            Self::Opaque(_) => quote_spanned!(here=> -> _),
            Self::Type(ty) | Self::Never(ty) => quote_spanned!(here=> -> #ty),
        }
    }

    /// A function that has the text of an error in a returned value. Only here the type of the
    /// error is known to have one.
    pub(super) fn error(&self, private: &TokenStream) -> TokenStream {
        let here = Span::mixed_site();
        match self {
            Self::Type(ty) => quote_spanned! {here=>
                |returned: &#ty| #private::Returned(returned).error()
            },
            _ => quote_spanned!(here=> |_| ::core::option::Option::None),
        }
    }

    /// A use of the names in an opaque type, so that the compiler does not report an
    /// unused import.
    pub(super) fn mention(&self) -> TokenStream {
        match self {
            // A parameter cannot have `use<…>`.
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

    /// A `return` that never runs, as an annotation of an async block's type: later
    /// `return`s, `?` and the last expression are checked against it.
    pub(super) fn pin(&self) -> TokenStream {
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
