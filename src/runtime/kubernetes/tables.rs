//! Settings that are tables: what the operator writes, as types. An unknown word in one is an error.

use std::collections::BTreeMap;
use std::net::IpAddr;

use gaggle_commands::Quantity;
use serde::{Deserialize, Serialize};

use super::names;

/// A quantity of Kubernetes that may be 0. In a file it may be a whole number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "String")]
pub struct Amount(String);

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(u32),
    Text(String),
}

impl TryFrom<Written> for Amount {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let text = match written {
            Written::Number(number) => number.to_string(),
            Written::Text(text) => text,
        };
        match text == "0" || text.parse::<Quantity>().is_ok() {
            true => Ok(Self(text)),
            false => Err("no quantity"),
        }
    }
}

impl From<Amount> for String {
    fn from(amount: Amount) -> Self {
        amount.0
    }
}

impl From<&Quantity> for Amount {
    fn from(quantity: &Quantity) -> Self {
        Self(quantity.0.clone())
    }
}

impl Amount {
    /// In cores, bytes or pieces.
    pub fn value(&self) -> f64 {
        Quantity(self.0.clone()).value()
    }
}

/// By resource: `cpu`, `memory`, `nvidia.com/gpu`, `pods`.
pub type Amounts = BTreeMap<String, Amount>;

pub fn amounts(pairs: &[(&str, &str)]) -> Amounts {
    pairs.iter().map(|(name, amount)| ((*name).to_owned(), Amount((*amount).to_owned()))).collect()
}

/// What an agent gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Resources {
    #[serde(skip_serializing_if = "Amounts::is_empty")]
    pub requests: Amounts,
    #[serde(skip_serializing_if = "Amounts::is_empty")]
    pub limits: Amounts,
}

impl Default for Resources {
    fn default() -> Self {
        Self { requests: amounts(&[("cpu", "100m"), ("memory", "256Mi")]), limits: amounts(&[("cpu", "2"), ("memory", "2Gi")]) }
    }
}

/// What containers get that ask for nothing, and at most, by the namespace's LimitRange. What is empty is as [`Resources`] has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    #[serde(rename = "default")]
    pub usual: Amounts,
    pub default_request: Amounts,
    pub max: Amounts,
}

/// Who may talk to agents, and whom they may talk to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Walls {
    /// To where agents may connect.
    pub egress: Vec<Cidr>,
    /// But not to there.
    pub egress_except: Vec<Cidr>,
    /// From which namespaces agents are reached; if none, from the pods of Gaggle, wherever they are.
    pub ingress_namespaces: Vec<String>,
}

impl Default for Walls {
    fn default() -> Self {
        let cidrs = |texts: &[&str]| texts.iter().filter_map(|text| Cidr::parse(text)).collect();
        Self {
            egress: cidrs(&["0.0.0.0/0", "::/0"]),
            // Where clouds give their nodes' credentials to whoever asks.
            egress_except: cidrs(&["169.254.0.0/16", "fe80::/10", "fd00:ec2::/32"]),
            ingress_namespaces: Vec::new(),
        }
    }
}

/// Addresses with a common beginning, as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Cidr {
    address: IpAddr,
    bits: u8,
}

impl Cidr {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let bits: u8 = bits.parse().ok()?;
        (u32::from(bits) <= Self::width(address)).then_some(Self { address, bits })
    }

    fn width(address: IpAddr) -> u32 {
        if address.is_ipv4() { 32 } else { 128 }
    }

    /// Whether every address of `other` is one of these.
    pub fn contains(&self, other: &Self) -> bool {
        let number = |address: IpAddr| match address {
            IpAddr::V4(v4) => u128::from(u32::from(v4)),
            IpAddr::V6(v6) => u128::from(v6),
        };
        let rest = Self::width(self.address) - u32::from(self.bits);
        let begin = |address| number(address).checked_shr(rest).unwrap_or(0);
        self.address.is_ipv4() == other.address.is_ipv4()
            && self.bits <= other.bits
            && begin(self.address) == begin(other.address)
    }
}

impl TryFrom<String> for Cidr {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("no CIDR")
    }
}

impl std::fmt::Display for Cidr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// The disks of projects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// The cluster's own choice if there is none.
    pub class: Option<String>,
    pub access_mode: AccessMode,
    /// Of projects that have no `--disk`. Without it they lose their files when they are stopped.
    pub size: Option<Amount>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccessMode {
    #[default]
    ReadWriteOnce,
    ReadWriteOncePod,
    ReadWriteMany,
}

/// How projects get a host name each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ingress {
    /// Below which the names are.
    pub domain: String,
    #[serde(default)]
    pub class: Option<String>,
    /// The Secret with the certificate. `{project}` and `{owner}` are replaced.
    #[serde(default)]
    pub tls_secret: Option<String>,
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// As a pod has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all(serialize = "camelCase"))]
pub struct Toleration {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<Operator>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "tolerationSeconds")]
    pub toleration_seconds: Option<u32>,
}

impl Toleration {
    /// Whether the API server would take it.
    pub fn is_possible(&self) -> bool {
        let exists = self.operator == Some(Operator::Exists);
        self.key.as_deref().map_or(exists, names::is_label_name)
            && self.value.as_deref().is_none_or(|value| !exists && names::is_label_value(value))
            && (self.toleration_seconds.is_none() || self.effect == Some(Effect::NoExecute))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operator {
    Equal,
    Exists,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    NoSchedule,
    PreferNoSchedule,
    NoExecute,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_addresses_hold_which() {
        let cidr = |text| Cidr::parse(text).unwrap();
        for (all, one, holds) in [
            ("0.0.0.0/0", "169.254.0.0/16", true),
            ("169.254.0.0/16", "169.254.169.254/32", true),
            ("169.254.169.254/32", "169.254.0.0/16", false),
            ("10.0.0.0/8", "10.0.0.0/8", true),
            ("10.0.0.0/8", "11.0.0.0/8", false),
            ("::/0", "fe80::/10", true),
            ("::/0", "10.0.0.0/8", false),
            ("fd00:ec2::254/128", "fd00:ec2::254/128", true),
        ] {
            assert_eq!(cidr(all).contains(&cidr(one)), holds, "{all} {one}");
        }
        for text in ["10.0.0.0", "10.0.0.0/33", "::/129", "x/8", "10.0.0.0/-1", ""] {
            assert_eq!(Cidr::parse(text), None, "{text}");
        }
    }
}
