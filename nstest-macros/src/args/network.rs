//! The arguments about the test's network.

use std::net::IpAddr;

use proc_macro2::TokenStream;
use syn::{Expr, ExprLit, Lit, LitStr};

use super::value::{Value, literal, string};

/// An argument that is off by default: its name alone turns it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Switch(pub(crate) bool);

/// The number of peers that have no parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peers(pub(crate) u16);

/// An MTU, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mtu(pub(crate) u32);

/// At most one IPv4 and one IPv6 subnet.
pub(crate) struct Subnets(pub(crate) Vec<LitStr>);

/// The name of a network namespace.
pub(crate) struct Netns(pub(crate) LitStr);

impl Value for Switch {
    const EXPECTED: &'static str = "no value, or `true` or `false`";
    const BARE: Option<Self> = Some(Self(true));

    fn read(value: &TokenStream) -> syn::Result<Option<Self>> {
        Ok(bool::read(value)?.map(Self))
    }
}

fn number(value: &TokenStream, range: std::ops::RangeInclusive<u32>) -> Option<u32> {
    match literal(value) {
        Some(Lit::Int(number)) if number.suffix().is_empty() => {
            number.base10_parse().ok().filter(|number| range.contains(number))
        }
        _ => None,
    }
}

impl Value for Peers {
    const EXPECTED: &'static str = "a whole number from 1 to 65000";

    fn read(value: &TokenStream) -> syn::Result<Option<Self>> {
        // The first /24 holds 253 of them; a `subnet` holds more.
        Ok(number(value, 1..=65_000).and_then(|n| u16::try_from(n).ok()).map(Self))
    }
}

impl Value for Mtu {
    const EXPECTED: &'static str = "a whole number of bytes from 68 to 65535";

    fn read(value: &TokenStream) -> syn::Result<Option<Self>> {
        Ok(number(value, 68..=65_535).map(Self))
    }
}

impl Value for Netns {
    const EXPECTED: &'static str = "the name of a network namespace, in quotes";

    fn read(value: &TokenStream) -> syn::Result<Option<Self>> {
        let Some(text) = string(value) else { return Ok(None) };
        let name = text.value();
        let refuse = |why: &str| {
            Err(syn::Error::new(
                text.span(),
                format!(
                    "invalid name of a network namespace: {why}; write a name that `ip netns \
                     list` shows"
                ),
            ))
        };
        match name.as_str() {
            "" => refuse("it is empty"),
            "." | ".." => refuse("it is a directory"),
            _ if name.contains('/') => {
                refuse("it is a path, and not the name of a file in /run/netns")
            }
            _ if name.contains('\0') => refuse("it contains a NUL"),
            _ => Ok(Some(Self(text))),
        }
    }
}

impl Value for Subnets {
    const EXPECTED: &'static str =
        "a subnet in quotes, or a list of two (`[\"10.9.0.0/24\", \"fd09::/64\"]`)";

    fn read(value: &TokenStream) -> syn::Result<Option<Self>> {
        let texts = match (string(value), syn::parse2::<Expr>(value.clone())) {
            (Some(text), _) => vec![text],
            (None, Ok(Expr::Array(list))) => match list.elems.iter().map(text).collect() {
                Some(texts) => texts,
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        let mut families: Vec<(bool, &LitStr)> = Vec::new();
        for text in &texts {
            let v4 = subnet(&text.value()).map_err(|why| {
                syn::Error::new(
                    text.span(),
                    format!(
                        "invalid subnet: {why}; write \"10.9.0.0/24\" or \"fd09::/64\", for example"
                    ),
                )
            })?;
            if families.iter().any(|(other, _)| *other == v4) {
                let family = if v4 { "IPv4" } else { "IPv6" };
                return Err(syn::Error::new(
                    text.span(),
                    format!(
                        "the test's network can have one {family} subnet, and this is the second; \
                         remove one of the two"
                    ),
                ));
            }
            families.push((v4, text));
        }
        Ok((!texts.is_empty()).then_some(Self(texts)))
    }
}

fn text(element: &Expr) -> Option<LitStr> {
    match element {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if text.suffix().is_empty() => {
            Some(text.clone())
        }
        _ => None,
    }
}

/// Whether it is an IPv4 subnet, or what is wrong with it. The runtime checks whether
/// a test can use it.
fn subnet(text: &str) -> Result<bool, String> {
    let Some((addr, len)) = text.split_once('/') else {
        return Err("it has no prefix length".to_owned());
    };
    let Ok(addr) = addr.parse::<IpAddr>() else {
        return Err(format!("`{addr}` is not an IP address"));
    };
    let (bits, width) = match addr {
        IpAddr::V4(addr) => (u128::from(addr.to_bits()) << 96, 32),
        IpAddr::V6(addr) => (addr.to_bits(), 128),
    };
    let digits = !len.is_empty() && len.bytes().all(|b| b.is_ascii_digit());
    let len = match len.parse::<u32>() {
        Ok(len) if digits && len <= width => len,
        _ => return Err(format!("the prefix length `{len}` is not a number from 0 to {width}")),
    };
    if bits.checked_shl(len).unwrap_or(0) != 0 {
        return Err(format!("`{addr}` has bits set after the first {len}"));
    }
    Ok(addr.is_ipv4())
}

#[cfg(test)]
mod tests {
    use super::subnet;

    #[test]
    fn subnets_are_read() {
        assert_eq!(subnet("10.9.0.0/24"), Ok(true));
        assert_eq!(subnet("fd09::/64"), Ok(false));
        assert_eq!(subnet("0.0.0.0/0"), Ok(true));
        for wrong in [
            "10.9.0.0",
            "10.9.0.1/24",
            "10.9.0.0/33",
            "10.9.0/24",
            "fd09::/+64",
            "fd09::1/64",
            "x/1",
            "10.9.0.0/",
        ] {
            assert!(subnet(wrong).is_err(), "{wrong}");
        }
    }
}
