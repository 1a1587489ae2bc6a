//! Which servers may be asked: the form of their address, and the addresses that Gaggle does not connect to on anybody's word, because
//! they lead to itself, its machine or its cloud's metadata.
//!
//! Invariant: an IPv6 address that carries an IPv4 one inside is judged by both. Resolves nothing.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use reqwest::Url;

use super::refused::{Place, Refused, refuse};

/// The longest address of a server.
const LONGEST: usize = 2048;
const FORM: &str = "write `https://HOST:PORT`";

/// Names that clouds give to their metadata servers.
const METADATA_NAMES: &[&str] =
    &["metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"];
/// What those names lead to.
const METADATA: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));

/// An address of a server, checked and normalized: `https://host[:port][/path]`.
pub fn server(text: &str, place: Place) -> Result<String, Refused> {
    let text = text.trim();
    if text.is_empty() {
        return refuse(place, format!("the server's address is missing; {FORM}"));
    }
    if text.len() > LONGEST {
        return refuse(place, format!("the server's address is longer than {LONGEST} bytes; {FORM}"));
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\') {
        return refuse(place, format!("the server's address holds a space, a control character or a backslash; {FORM}"));
    }
    let with_scheme = match text.split_once("://") {
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("https") => text.to_owned(),
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("http") => {
            return refuse(
                place,
                "the server's address is plain http, over which credentials would travel in the open; write `https://…`",
            );
        }
        Some(_) => return refuse(place, format!("the server's address is no https address; {FORM}")),
        None => format!("https://{text}"),
    };
    let rest = with_scheme.split_once("://").map_or("", |(_, rest)| rest);
    if rest.starts_with('/') {
        return refuse(place, format!("the server's address has no host; {FORM}"));
    }
    let Ok(url) = Url::parse(&with_scheme) else {
        return refuse(place, format!("the server's address cannot be read; {FORM}"));
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') || !url.username().is_empty() || url.password().is_some() {
        return refuse(place, format!("the server's address holds a user or a password; {FORM}, and credentials apart from it"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refuse(place, format!("the server's address holds a query or a fragment; {FORM}"));
    }
    if url.port() == Some(0) {
        return refuse(place, format!("port 0 leads nowhere; {FORM}"));
    }
    let Some(host) = url.host_str().filter(|host| !host.is_empty()) else {
        return refuse(place, format!("the server's address has no host; {FORM}"));
    };
    let is_odd = |b: u8| !b.is_ascii_alphanumeric() && !b"-._:[]".contains(&b);
    if host.bytes().any(is_odd) || url.path().contains("//") {
        return refuse(place, format!("the server's address cannot be read; {FORM}"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Without path.
pub fn shown(server: &str) -> &str {
    let start = server.find("://").map_or(0, |at| at + 3);
    let end = server[start..].find('/').map_or(server.len(), |at| start + at);
    &server[..end]
}

/// The host alone, without brackets.
pub fn host(server: &str) -> &str {
    let authority = shown(server).strip_prefix("https://").unwrap_or(server);
    match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => authority.split(':').next().unwrap_or_default(),
    }
}

/// What kind of address it is that is not connected to, if it is one.
pub fn forbidden(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => forbidden_v4(v4),
        IpAddr::V6(v6) => forbidden_v6(v6).or_else(|| embedded(v6).into_iter().flatten().find_map(forbidden_v4)),
    }
}

fn forbidden_v4(v4: Ipv4Addr) -> Option<&'static str> {
    match v4.octets() {
        [127, ..] => Some("a loopback address"),
        [0, ..] => Some("an unspecified address"),
        // Those of Amazon, Google, Azure and others; of Alibaba; of Azure's host; of Oracle.
        [169, 254, 169, 254] | [100, 100, 100, 200] | [168, 63, 129, 16] | [192, 0, 0, 192] => {
            Some("an address of cloud metadata")
        }
        [169, 254, ..] => Some("a link-local address"),
        [224..=239, ..] => Some("a multicast address"),
        [255, 255, 255, 255] => Some("the broadcast address"),
        _ => None,
    }
}

fn forbidden_v6(v6: Ipv6Addr) -> Option<&'static str> {
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("a loopback address"),
        [0, 0, 0, 0, 0, 0, 0, 0] => Some("an unspecified address"),
        // Amazon's and Google's.
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => Some("an address of cloud metadata"),
        [0xfe80..=0xfebf, ..] => Some("a link-local address"),
        [0xff00..=0xffff, ..] => Some("a multicast address"),
        _ => None,
    }
}

/// The IPv4 addresses that it leads to where a network translates.
fn embedded(v6: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    let from = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Some(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        // Mapped, compatible, translated.
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => [from(high, low), None],
        // NAT64: well known, and of a network's own.
        [0x64, 0xff9b, 0 | 1, .., high, low] => [from(high, low), None],
        // 6to4, and what may be behind it by ISATAP.
        [0x2002, high, low, _, 0 | 0x200, 0x5efe, inner_high, inner_low] => [from(high, low), from(inner_high, inner_low)],
        [0x2002, high, low, ..] => [from(high, low), None],
        // Teredo: its server, and its client in disguise.
        [0x2001, 0, high, low, _, _, client_high, client_low] => [from(high, low), from(!client_high, !client_low)],
        [.., 0 | 0x200, 0x5efe, high, low] => [from(high, low), None],
        _ => [None, None],
    }
}

/// A network of addresses, or one address: `10.0.0.0/8`, `::1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct Cidr {
    base: IpAddr,
    bits: u8,
}

impl Cidr {
    pub fn holds(&self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                u32::from(base) & mask == u32::from(address) & mask
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                u128::from(base) & mask == u128::from(address) & mask
            }
            _ => false,
        }
    }
}

impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || format!("`{text}` is no network: write an address and its bits, `10.0.0.0/8`, or one address");
        let (address, bits) = match text.trim().split_once('/') {
            Some((address, bits)) if bits.bytes().all(|b| b.is_ascii_digit()) => {
                (address, Some(bits.parse::<u8>().map_err(|_| form())?))
            }
            Some(_) => return Err(form()),
            None => (text.trim(), None),
        };
        let base: IpAddr = address.parse().map_err(|_| form())?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let found = Self { base, bits: bits.unwrap_or(most) };
        if found.bits > most {
            return Err(form());
        }
        let masked = match base {
            IpAddr::V4(v4) => {
                IpAddr::from((u32::from(v4) & u32::MAX.checked_shl(32 - u32::from(found.bits)).unwrap_or(0)).to_be_bytes())
            }
            IpAddr::V6(v6) => {
                IpAddr::from((u128::from(v6) & u128::MAX.checked_shl(128 - u32::from(found.bits)).unwrap_or(0)).to_be_bytes())
            }
        };
        if masked != base {
            return Err(format!(
                "`{text}` is an address within a network: write `{masked}/{}`, or the address alone",
                found.bits
            ));
        }
        Ok(found)
    }
}

impl TryFrom<String> for Cidr {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

/// Which of the forbidden addresses may be connected to all the same: `[clusters] allow_addresses`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(transparent)]
pub struct Allow(pub Vec<Cidr>);

impl Allow {
    /// Why it may not be connected to, if that is so.
    pub fn forbids(&self, address: IpAddr) -> Option<&'static str> {
        let kind = forbidden(address)?;
        let inside = match address {
            IpAddr::V4(_) => [None, None],
            IpAddr::V6(v6) => embedded(v6),
        };
        let holds = |address: IpAddr| self.0.iter().any(|cidr| cidr.holds(address));
        let inside_held = {
            let mut bad = inside.into_iter().flatten().filter(|v4| forbidden_v4(*v4).is_some()).peekable();
            bad.peek().is_some() && bad.all(|v4| holds(IpAddr::V4(v4)))
        };
        (!holds(address) && !inside_held).then_some(kind)
    }

    /// The same for a host as it is written: a literal address, or a name that needs no resolution to be known.
    pub fn forbids_host(&self, host: &str) -> Option<&'static str> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = host.parse() {
            return self.forbids(address);
        }
        let name = host.trim_end_matches('.');
        let is_metadata = METADATA_NAMES.iter().any(|known| name.eq_ignore_ascii_case(known));
        (is_metadata && self.forbids(METADATA).is_some()).then_some("a name of cloud metadata")
    }
}

#[cfg(test)]
mod tests;
