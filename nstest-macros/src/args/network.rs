//! The arguments about the test's network.

use std::net::IpAddr;

use proc_macro2::TokenStream;
use syn::{Expr, ExprLit, Lit, LitStr};

use super::{Args, Value, literal, string};
use crate::diag::Errors;

/// On where its name stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Switch(pub(crate) bool);

/// How many peers without a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peers(pub(crate) u16);

/// In bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mtu(pub(crate) u32);

/// At most one of each family.
pub(crate) struct Subnets(pub(crate) Vec<LitStr>);

/// The name of a network namespace.
pub(crate) struct Netns(pub(crate) LitStr);

/// Arguments that cannot stand beside each other.
pub(crate) fn check(args: &Args, errors: &mut Errors) {
    let Some(netns) = &args.netns else {
        if let (Some(mtu), None | Some(true)) = (&args.mtu, args.ipv6.as_ref().map(|a| a.value)) {
            if mtu.value.0 < 1280 {
                errors.at(
                    mtu,
                    "IPv6 needs an MTU of 1280 at least (RFC 8200 §5): take a larger one, or add \
                     `ipv6 = false`",
                );
            }
        }
        if let (Some(subnet), Some(false)) = (&args.subnet, args.ipv6.as_ref().map(|a| a.value)) {
            for text in subnet.value.0.iter().filter(|text| text.value().contains(':')) {
                errors
                    .at(text, "this subnet is of IPv6, and the test is without, by `ipv6 = false`");
            }
        }
        return;
    };
    let mut beside = |argument: Option<&dyn quote::ToTokens>, why: &str| {
        if let Some(argument) = argument {
            let name = netns.value.0.value();
            errors.at(argument, format!("{why}, since `netns = \"{name}\"` joins a namespace that somebody else made: remove one of the two"));
        }
    };
    beside(args.peers.as_ref().map(|a| a as _), "there can be no peers");
    beside(args.subnet.as_ref().map(|a| a as _), "there is no subnet to be moved");
    beside(args.mtu.as_ref().map(|a| a as _), "there is no link whose MTU could be set");
    beside(args.ipv6.as_ref().map(|a| a as _), "IPv6 is as it is there");
    let uplink = args.uplink.as_ref().filter(|uplink| uplink.value.0);
    beside(uplink.map(|a| a as _), "there can be no uplink");
    let user = args.root.as_ref().filter(|root| !root.value);
    beside(user.map(|a| a as _), "the test keeps root's rights, without which it could not go in");
}

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
            let help = "`ip netns list` shows the names that there are";
            Err(syn::Error::new(
                text.span(),
                format!("this names no network namespace, since {why}; {help}"),
            ))
        };
        match name.as_str() {
            "" => refuse("it is empty"),
            "." | ".." => refuse("it is a directory"),
            _ if name.contains('/') => {
                refuse("it is a path: namespaces are known by a name in /run/netns")
            }
            _ if name.contains('\0') => refuse("it holds a NUL"),
            _ => Ok(Some(Self(text))),
        }
    }
}

impl Value for Subnets {
    const EXPECTED: &'static str =
        "a subnet in quotes, or a list of two: `[\"10.9.0.0/24\", \"fd09::/64\"]`";

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
                    format!("this is no subnet, since {why}; write it like \"10.9.0.0/24\" or \"fd09::/64\""),
                )
            })?;
            if families.iter().any(|(other, _)| *other == v4) {
                let family = if v4 { "IPv4" } else { "IPv6" };
                return Err(syn::Error::new(
                    text.span(),
                    format!(
                        "this is the second subnet of {family}, and the test's network has one: remove one of them"
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

/// Whether it is of IPv4; an error says what is wrong with it. What a subnet may
/// be used for is the runtime's to say.
fn subnet(text: &str) -> Result<bool, String> {
    let Some((addr, len)) = text.split_once('/') else {
        return Err("it has no `/` and number of bits".to_owned());
    };
    let Ok(addr) = addr.parse::<IpAddr>() else { return Err(format!("`{addr}` is no IP address")) };
    let (bits, width) = match addr {
        IpAddr::V4(addr) => (u128::from(addr.to_bits()) << 96, 32),
        IpAddr::V6(addr) => (addr.to_bits(), 128),
    };
    let digits = !len.is_empty() && len.bytes().all(|b| b.is_ascii_digit());
    let len = match len.parse::<u32>() {
        Ok(len) if digits && len <= width => len,
        _ => return Err(format!("`{len}` is no number of bits from 0 to {width}")),
    };
    if bits.checked_shl(len).unwrap_or(0) != 0 {
        return Err(format!(
            "`{addr}` has bits set beyond the first {len}, as the address of a host has"
        ));
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
