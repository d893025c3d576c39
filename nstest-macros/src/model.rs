//! The function below the attribute, parsed and validated.

use std::collections::HashSet;

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{
    Attribute, FnArg, GenericParam, LitStr, Meta, Pat, Path, ReturnType, Signature, Token, Type,
    Visibility,
};

use crate::attributes::{AttributeKind, expected, written};
use crate::diag::Errors;

/// A function. Its body is not parsed, so that it may use any syntax of the compiler.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    /// The `#![…]` at the start of the body.
    pub(crate) inner: Vec<Attribute>,
    pub(crate) body: Group,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let sig = input.parse()?;
        if input.peek(Token![;]) {
            return Err(input.error("a test needs a body; write `{ … }` in place of this `;`"));
        }
        let content;
        let brace = syn::braced!(content in input);
        let inner = content.call(Attribute::parse_inner)?;
        let mut body = Group::new(Delimiter::Brace, content.parse()?);
        body.set_span(brace.span.join());
        Ok(Self { attrs, vis, sig, inner, body })
    }
}

/// A test, validated.
pub(crate) struct Test {
    /// Without the test attributes.
    pub(crate) attrs: Vec<Attribute>,
    /// Whether there was a `#[test]`.
    pub(crate) registered: bool,
    pub(crate) ignored: bool,
    /// The attributes that lock a file.
    pub(crate) file_locks: Vec<Attribute>,
    /// The expected text, `Some("")` if the attribute has none.
    pub(crate) should_panic: Option<LitStr>,
    pub(crate) params: Vec<Parameter>,
}

/// A parameter of the test.
pub(crate) struct Parameter {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) name: String,
    pub(crate) pat: Pat,
    pub(crate) ty: Type,
}

impl Test {
    /// Checks `function`, and removes its test attributes. `macro_name` is the attribute
    /// as the user wrote it, for messages.
    pub(crate) fn of(function: &mut Function, macro_name: &str, errors: &mut Errors) -> Self {
        let mut test = Self {
            attrs: Vec::new(),
            registered: false,
            ignored: false,
            file_locks: Vec::new(),
            should_panic: None,
            params: Vec::new(),
        };
        test.read_attributes(function, macro_name, errors);
        signature(&mut function.sig, errors);
        for (index, input) in function.sig.inputs.iter().enumerate() {
            match input {
                FnArg::Receiver(receiver) => errors.at(
                    receiver,
                    "a test cannot have `self`; move the function out of the `impl` block",
                ),
                FnArg::Typed(param) => {
                    parameter_type(&param.ty, errors);
                    test.params.push(Parameter {
                        attrs: param.attrs.clone(),
                        name: name_of(&param.pat, index + 1),
                        pat: (*param.pat).clone(),
                        ty: (*param.ty).clone(),
                    });
                }
            }
        }
        names_bound_twice(&test.params, errors);
        if let (Some(_), ReturnType::Type(_, ty)) = (&test.should_panic, &function.sig.output) {
            if !matches!(&**ty, Type::Tuple(tuple) if tuple.elems.is_empty()) {
                errors.at(
                    ty,
                    "a test with `#[should_panic]` must return `()`, because a returned error is \
                     not a panic; write `unwrap()` instead of `?` in the body",
                );
            }
        }
        test
    }

    /// Whether test-case generated the function. It leaves no test attribute on it, but
    /// allows two lints that other macros do not allow together (the second since
    /// test-case 3.4). If this guess is wrong, the runner still refuses a second run.
    pub(crate) fn made_by_test_case(&self) -> bool {
        let allows = |lint: &str| {
            self.attrs.iter().any(|attr| {
                matches!(&attr.meta, Meta::List(list)
                    if list.path.is_ident("allow") && mentions(list.tokens.clone(), lint))
            })
        };
        allows("bool_assert_comparison") && allows("redundant_test_prefix")
    }

    fn read_attributes(&mut self, function: &mut Function, name: &str, errors: &mut Errors) {
        function.attrs.retain(|attr| {
            let path = attr.path();
            match AttributeKind::of(path) {
                AttributeKind::Inert => return true,
                AttributeKind::Test => self.registered = true,
                AttributeKind::Ours => errors.at(
                    path,
                    format!(
                        "`#[{}]` and `#[{name}]` are on the same function; remove one of the two",
                        written(path)
                    ),
                ),
                AttributeKind::FileLock => self.file_locks.push(attr.clone()),
                AttributeKind::Tokio => errors.at(
                    path,
                    format!(
                        "`#[tokio::test]` would run the test a second time, outside its network; \
                         remove it: `#[{name}]` runs an `async fn` on tokio, with the arguments \
                         `flavor` and `worker_threads`; or, for its other arguments, write it \
                         above `#[netns]`",
                    ),
                ),
                AttributeKind::AsyncStd => errors.at(
                    path,
                    format!(
                        "{}; if rstest added it, which does so to an `async fn` without a test \
                         attribute, write `#[nstest::test]` in place of `#[{name}]`",
                        above_netns(path, name)
                    ),
                ),
                AttributeKind::Foreign => errors.at(path, above_netns(path, name)),
                AttributeKind::Generator => errors.at(
                    path,
                    format!(
                        "`#[{}]` is below `#[{name}]`; move it above, so that each test that it \
                         generates is isolated",
                        written(path)
                    ),
                ),
            }
            false
        });
        for attr in &function.attrs {
            if attr.path().is_ident("ignore") {
                self.ignored = true;
            } else if attr.path().is_ident("should_panic") && self.should_panic.is_none() {
                self.should_panic = Some(expected(&attr.meta));
            }
        }
        self.attrs.clone_from(&function.attrs);
    }
}

/// What to do with a test attribute of another crate that is below the attribute `name`.
fn above_netns(path: &Path, name: &str) -> String {
    let place = match name {
        "netns" => "move it above".to_owned(),
        name => format!("move it above, and write `#[netns]` in place of `#[{name}]`"),
    };
    format!("`#[{}]` registers a test itself; {place}", written(path))
}

/// Reports what the signature of a test cannot have.
fn signature(sig: &mut Signature, errors: &mut Errors) {
    match sig.generics.params.first() {
        None => {}
        Some(GenericParam::Lifetime(_)) => errors.at(
            &sig.generics,
            "a test cannot have lifetime parameters; remove them, and take fixtures by value",
        ),
        Some(_) => errors.at(
            &sig.generics,
            "a test cannot be generic; write a generic helper function, and a test that calls it \
             for each type",
        ),
    }
    if let Some(clause) = &sig.generics.where_clause {
        if sig.generics.params.is_empty() {
            errors.at(clause, "a test cannot have a `where` clause; remove it");
        }
    }
    if let Some(token) = &sig.constness {
        errors.at(token, "a test cannot be a `const fn`; remove `const`");
    }
    if let Some(token) = &sig.unsafety {
        errors.at(
            token,
            "a test must be safe to call; remove this, and write `unsafe { … }` in the body",
        );
    }
    if let Some(abi) = &sig.abi {
        errors.at(abi, "a test cannot be `extern`; remove this");
    }
    if let Some(variadic) = sig.variadic.take() {
        errors.at(
            variadic,
            "a test cannot be variadic; write a parameter with a name and a type for each fixture",
        );
        // Otherwise the compiler would report it again in the emitted function.
        sig.inputs.pop_punct();
    }
}

/// Reports types that cannot be fixtures.
fn parameter_type(ty: &Type, errors: &mut Errors) {
    match ty {
        Type::Reference(reference) => {
            let by_value = reference.elem.to_token_stream().to_string();
            errors.at(
                ty,
                format!(
                    "a fixture is passed by value; write `{by_value}`, and borrow it in the body"
                ),
            );
        }
        Type::Infer(_) => errors.defer(),
        _ if mentions(ty.to_token_stream(), "impl") => errors.at(
            ty,
            "the type of a parameter selects its fixture; write a type instead of `impl Trait`",
        ),
        _ => {}
    }
}

/// Whether the tokens contain the word.
pub(crate) fn mentions(tokens: TokenStream, word: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == word,
        TokenTree::Group(group) => mentions(group.stream(), word),
        _ => false,
    })
}

/// The name that a pattern binds. If there is none or more than one: `arg` and the
/// position of the parameter.
fn name_of(pat: &Pat, position: usize) -> String {
    let mut names = Vec::new();
    bindings(pat, &mut names);
    match names[..] {
        [name] => name.unraw().to_string(),
        _ => format!("arg{position}"),
    }
}

fn bindings<'a>(pat: &'a Pat, names: &mut Vec<&'a Ident>) {
    let mut all = |pats: &'a Punctuated<Pat, Token![,]>| {
        for pat in pats {
            bindings(pat, names);
        }
    };
    match pat {
        Pat::Ident(pat) => {
            names.push(&pat.ident);
            if let Some((_, sub)) = &pat.subpat {
                bindings(sub, names);
            }
        }
        Pat::Paren(pat) => bindings(&pat.pat, names),
        Pat::Reference(pat) => bindings(&pat.pat, names),
        Pat::Slice(pat) => all(&pat.elems),
        Pat::Tuple(pat) => all(&pat.elems),
        Pat::TupleStruct(pat) => all(&pat.elems),
        Pat::Struct(pat) => {
            for field in &pat.fields {
                bindings(&field.pat, names);
            }
        }
        _ => {}
    }
}

/// Leaves two parameters with the same name to the compiler, which would accept them in
/// the generated `let`s. A `cfg` may choose between two such parameters.
fn names_bound_twice(params: &[Parameter], errors: &mut Errors) {
    let mut names = Vec::new();
    for param in params.iter().filter(|param| param.attrs.is_empty()) {
        bindings(&param.pat, &mut names);
    }
    let mut seen = HashSet::new();
    if !names.into_iter().all(|name| seen.insert(name)) {
        errors.defer();
    }
}

/// The error for an item that is not a function.
pub(crate) fn not_a_function(item: &TokenStream, name: &str, error: syn::Error) -> syn::Error {
    const ITEMS: &[&str] =
        &["const", "enum", "impl", "mod", "static", "struct", "trait", "type", "union", "use"];
    let words: Vec<_> = item
        .clone()
        .into_iter()
        .filter_map(|token| match token {
            TokenTree::Ident(ident) => Some(ident),
            _ => None,
        })
        .collect();
    if words.iter().any(|word| word == "fn") {
        return error;
    }
    let kind = words.iter().find(|word| ITEMS.contains(&word.to_string().as_str()));
    match kind {
        Some(word) => {
            let article = match word.to_string().starts_with(['e', 'i']) {
                true => "an",
                false => "a",
            };
            syn::Error::new(
                word.span(),
                format!("`#[{name}]` needs a function, and this is {article} `{word}`; remove it"),
            )
        }
        None => syn::Error::new_spanned(
            item,
            format!("`#[{name}]` needs a function; remove it from this item"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_named_by_the_one_binding_of_its_pattern() {
        let function: Function = syn::parse_quote! {
            fn f(a: A, mut b: A, ref c: A, r#d: A, _e: A, _: A, Wrapped(g): A, (h, _): A, (i, j): A) {}
        };
        let names: Vec<_> = function
            .sig
            .inputs
            .iter()
            .enumerate()
            .map(|(index, input)| match input {
                FnArg::Typed(param) => name_of(&param.pat, index + 1),
                FnArg::Receiver(_) => unreachable!("there is none"),
            })
            .collect();
        assert_eq!(names, ["a", "b", "c", "d", "_e", "arg6", "g", "h", "arg9"]);
    }
}
