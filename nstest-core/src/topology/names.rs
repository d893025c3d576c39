//! The names of nodes, and the hostnames made of them.
//!
//! The name of a node is the identifier of its parameter, or the text given to a builder.
//! Errors, look-ups and captures use it. Programs need a *hostname*: letters, digits and
//! hyphens (RFC 1123 §2.1), at most 63 bytes (RFC 1035 §2.3.4). It is derived from the name:
//! in lower case, with `-` for `_`, and as an A-label (RFC 5890, by the Punycode of RFC 3492)
//! if it is not ASCII. Both resolve in every node.

use std::fmt;

use crate::error::{Error, ErrorCode, Result};
use crate::layout::LOCALHOST;

/// The name of the test's own node.
pub(crate) use crate::layout::NODE as OWN_NODE;

/// The name of the LAN of a test with several `Node` parameters.
pub(super) const PARAMETERS_LAN: &str = "peers";

/// The longest label of a domain name, in bytes (RFC 1035 §2.3.4).
const LABEL_MAX: usize = 63;

/// `IFNAMSIZ` less its NUL: the longest name of an interface, in bytes.
const IFNAME_MAX: usize = 15;

/// The name of a node, and its hostname.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeName {
    name: String,
    hostname: String,
}

impl NodeName {
    /// A name given to a builder.
    pub(crate) fn new(name: &str) -> Result<Self> {
        let refused = |why: String| {
            Error::new(ErrorCode::Name, format!("name a node `{}`", name.escape_debug()))
                .source(why)
        };
        let allowed = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
        if let Some(bad) = name.chars().find(|&c| !allowed(c)) {
            let error =
                refused(format!("`{}` is no letter, digit, `-` or `_`", bad.escape_debug()));
            return Err(if bad == '.' {
                error.help("name the node without dots, and give it this name as an alias")
            } else {
                error.help("the name becomes a hostname and the name of a namespace: leave it out")
            });
        }
        let starts_and_ends_well = name.starts_with(char::is_alphanumeric)
            && name.trim_end_matches('_').ends_with(char::is_alphanumeric);
        if !starts_and_ends_well {
            return Err(refused("a name begins and ends with a letter or digit".to_owned())
                .help("the name becomes a hostname (RFC 1123), as in `db-1`"));
        }
        if is_number(name) {
            return Err(refused("programs take a number for an IPv4 address".to_owned())
                .help(format!("put a letter in it, as in `n{name}`")));
        }
        let hostname = hostname(name);
        if hostname.len() > LABEL_MAX || name.len() > LABEL_MAX {
            return Err(refused(format!(
                "as a hostname it is {} bytes long, and DNS allows {LABEL_MAX}",
                hostname.len().max(name.len())
            ))
            .help("choose a shorter one"));
        }
        if is_loopback(&hostname) {
            let why = format!("`{hostname}` is every node's name for itself");
            return Err(refused(why).help("choose another one"));
        }
        Ok(Self { name: name.to_owned(), hostname })
    }

    /// The name of a parameter's node: its identifier without leading `_`. A parameter that
    /// consists of `_` only gets its name from `nth`, its position from 1.
    pub(crate) fn of_parameter(ident: &str, nth: usize) -> Result<Self> {
        let ident = ident.strip_prefix("r#").unwrap_or(ident);
        match ident.trim_start_matches('_') {
            "" => Self::new(&format!("peer{nth}")),
            name => Self::new(name),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.name
    }

    pub(crate) fn hostname(&self) -> &str {
        &self.hostname
    }

    /// Whether a resolver would not tell the two apart.
    pub(crate) fn collides_with(&self, other: &NodeName) -> bool {
        self.hostname == other.hostname
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.name, f)
    }
}

/// Checks another name of a node, possibly a fully qualified one: `db.example.com`.
pub(crate) fn check_alias(alias: &str) -> Result<()> {
    let label = |l: &str| {
        (1..=LABEL_MAX).contains(&l.len())
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    let refused = |why: &'static str| {
        Error::new(ErrorCode::Name, format!("give a node the alias `{}`", alias.escape_debug()))
            .source(why)
    };
    if alias.len() > 253 || !alias.split('.').all(label) {
        return Err(refused("it is no hostname (RFC 1123 §2.1)")
            .help("write it like `db.example.com`; of a name that is not ASCII, the `xn--` form"));
    }
    if alias.rsplit('.').next().is_some_and(is_number) {
        return Err(refused("programs take a name that ends in a number for an IPv4 address")
            .help("end it like `db.example.com`"));
    }
    if is_loopback(&alias.to_ascii_lowercase()) {
        return Err(refused("it is every node's name for itself").help("choose another one"));
    }
    Ok(())
}

/// Whether programs take it for a number of an IPv4 address: decimal, octal, or hexadecimal
/// after `0x` (inet_aton(3)).
fn is_number(label: &str) -> bool {
    match label.strip_prefix("0x").or_else(|| label.strip_prefix("0X")) {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_hexdigit()),
        None => label.bytes().all(|b| b.is_ascii_digit()),
    }
}

/// Whether it is a name of the loopback interface's addresses: one of every hosts file, or
/// one below `localhost` (RFC 6761 §6.3).
fn is_loopback(name: &str) -> bool {
    LOCALHOST.split_whitespace().any(|word| word == name)
        || name.ends_with(".localhost")
        || name == "localhost.localdomain"
}

/// Checks the name of a LAN. It is no hostname, and only has to be readable.
pub(crate) fn check_lan_name(name: &str) -> Result<()> {
    if !name.is_empty() && !name.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Ok(());
    }
    Err(Error::new(ErrorCode::Name, format!("name a LAN `{}`", name.escape_debug()))
        .source("a name is not empty and has no spaces")
        .help("name it like `home`"))
}

/// Checks what `dev_valid_name()` in the kernel's net/core/dev.c checks. Also refuses `%`, which
/// would be a template.
pub(crate) fn check_interface_name(name: &str) -> Result<()> {
    let refused = |why: String| {
        Error::new(ErrorCode::Name, format!("name an interface `{}`", name.escape_debug()))
            .source(why)
    };
    if name.len() > IFNAME_MAX {
        return Err(refused(format!(
            "it is {} bytes long, and the kernel takes {IFNAME_MAX}",
            name.len()
        ))
        .help("choose a shorter one, as `eth0`"));
    }
    let bad = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | ':' | '%' | '"');
    if name.is_empty() || name == "." || name == ".." || name.contains(bad) {
        return Err(refused("the kernel takes no empty name, spaces, `/`, `:` or `%`".to_owned())
            .help("name it like `eth0`"));
    }
    if matches!(name, "lo" | "all" | "default") {
        return Err(
            refused("every node has one of that name".to_owned()).help("name it like `eth0`")
        );
    }
    Ok(())
}

fn hostname(name: &str) -> String {
    let lower: String = name.to_lowercase().replace('_', "-");
    let lower = lower.trim_end_matches('-');
    if lower.is_ascii() { lower.to_owned() } else { format!("xn--{}", punycode(lower)) }
}

/// RFC 3492 §6.3, with the parameters of §5.
fn punycode(input: &str) -> String {
    const BASE: u32 = 36;
    const T_MIN: u32 = 1;
    const T_MAX: u32 = 26;
    const SKEW: u32 = 38;
    const DAMP: u32 = 700;

    let digit = |d: u32| char::from(if d < 26 { b'a' + d as u8 } else { b'0' + (d - 26) as u8 });
    let mut output: String = input.chars().filter(char::is_ascii).collect();
    let basic = output.len() as u32;
    if basic > 0 {
        output.push('-');
    }
    let (mut n, mut delta, mut bias, mut handled) = (0x80_u32, 0_u32, 72_u32, basic);
    let total = input.chars().count() as u32;
    while handled < total {
        let Some(next) = input.chars().map(u32::from).filter(|&c| c >= n).min() else {
            break;
        };
        // Node names are short; a name long enough to overflow is refused for its length.
        delta = delta.saturating_add((next - n).saturating_mul(handled + 1));
        n = next;
        for c in input.chars().map(u32::from) {
            if c < n {
                delta = delta.saturating_add(1);
            }
            if c != n {
                continue;
            }
            let mut q = delta;
            for k in (BASE..).step_by(BASE as usize) {
                let t = k.saturating_sub(bias).clamp(T_MIN, T_MAX);
                if q < t {
                    break;
                }
                output.push(digit(t + (q - t) % (BASE - t)));
                q = (q - t) / (BASE - t);
            }
            output.push(digit(q));
            delta = if handled == basic { delta / DAMP } else { delta / 2 };
            delta += delta / (handled + 1);
            let mut k = 0;
            while delta > (BASE - T_MIN) * T_MAX / 2 {
                delta /= BASE - T_MIN;
                k += BASE;
            }
            bias = k + (BASE - T_MIN + 1) * delta / (delta + SKEW);
            delta = 0;
            handled += 1;
        }
        delta += 1;
        n += 1;
    }
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostnames() {
        for (name, host) in [
            ("server", "server"),
            ("a_b", "a-b"),
            ("Laptop2", "laptop2"),
            ("db-1", "db-1"),
            ("type_", "type"),
            ("größe", "xn--gre-6ka8i"),
            ("bücher", "xn--bcher-kva"),
            ("Ä", "xn--4ca"),
            ("сервер", "xn--b1afb6bcb"),
            ("例え", "xn--r8jz45g"),
            ("node_ü", "xn--node--ova"),
        ] {
            assert_eq!(NodeName::new(name).unwrap().hostname(), host, "{name}");
        }
    }

    #[test]
    fn parameters() {
        for (ident, nth, name) in [
            ("server", 1, "server"),
            ("_server", 1, "server"),
            ("r#type", 1, "type"),
            ("__", 3, "peer3"),
            ("_", 2, "peer2"),
            ("arg2", 2, "arg2"),
            ("a_b", 1, "a_b"),
            ("größe", 1, "größe"),
        ] {
            assert_eq!(NodeName::of_parameter(ident, nth).unwrap().as_str(), name);
        }
    }

    #[test]
    fn refused_names_say_why() {
        let long = "x".repeat(64);
        let long_unicode = "ü".repeat(40);
        for (name, says) in [
            ("", "begins and ends"),
            ("-a", "begins and ends"),
            ("_", "begins and ends"),
            ("a-", "begins and ends"),
            ("a b", "no letter"),
            ("a/b", "no letter"),
            ("a\n", "`a\\n`"),
            ("db.example.com", "alias"),
            ("10", "IPv4 address"),
            ("localhost", "every node's name"),
            ("LOCALHOST", "every node's name"),
            ("ip6-localhost", "every node's name"),
            ("ip6_loopback", "`ip6-loopback` is every node's name"),
            ("0x7f", "IPv4 address"),
            (&long, "64 bytes"),
            (&long_unicode, "bytes long"),
        ] {
            let text = format!("{:?}", NodeName::new(name).unwrap_err());
            assert!(text.contains(says) && text.starts_with("nstest[name]"), "{text}");
        }
    }

    #[test]
    fn names_that_a_resolver_confuses_collide() {
        let name = |text| NodeName::new(text).unwrap();
        assert!(name("a_b").collides_with(&name("a-b")));
        assert!(name("Test").collides_with(&name(OWN_NODE)));
        assert!(!name("a_b").collides_with(&name("ab")));
    }

    #[test]
    fn interfaces_aliases_and_lans() {
        for name in ["eth0", "wlan0", "a.b", "123456789012345"] {
            check_interface_name(name).unwrap();
        }
        for name in [
            "",
            "1234567890123456",
            "größeeeeeeeeee",
            "a/b",
            "a b",
            "a:1",
            "eth%d",
            ".",
            "lo",
            "all",
        ] {
            let text = format!("{:?}", check_interface_name(name).unwrap_err());
            assert!(text.contains(&format!("`{name}`")), "{text}");
        }
        for alias in ["db.example.com", "a", "_dmarc.example", "xn--gre-6ka8i"] {
            check_alias(alias).unwrap();
        }
        for alias in ["a.0xg", "10.example", "localhost.example", "0b1"] {
            check_alias(alias).unwrap();
        }
        for alias in ["", "a..b", "-a", "a b", "größe", "::1"] {
            let text = format!("{:?}", check_alias(alias).unwrap_err());
            assert!(text.contains("no hostname"), "{text}");
        }
        for alias in ["10.0.0.1", "10", "0x7f000001", "1.2", "a.8", "127.0X1"] {
            let text = format!("{:?}", check_alias(alias).unwrap_err());
            assert!(text.contains("IPv4 address"), "{text}");
        }
        for alias in ["Localhost", "db.localhost", "IP6-localhost", "localhost.localdomain"] {
            let text = format!("{:?}", check_alias(alias).unwrap_err());
            assert!(text.contains("name for itself"), "{text}");
        }
        check_lan_name("café-1").unwrap();
        check_lan_name("").unwrap_err();
        check_lan_name("a b").unwrap_err();
    }
}
