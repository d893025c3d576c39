//! Addresses as values: [`MacAddr`], the two IP versions ([`Family`]), an address with
//! the length of its network's prefix ([`Prefix`]), and a whole network ([`Subnet`]).
//!
//! They are plain values: which node has an address is the matter of `topology`.

mod family;
mod mac;
mod prefix;
mod subnet;

pub(crate) use family::Family;
pub use mac::MacAddr;
pub(crate) use prefix::Prefix;
pub use subnet::Subnet;
pub(crate) use subnet::Unusable;
