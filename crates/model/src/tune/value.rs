//! Values of settings: read, checked against what the kernel takes, and written as the kernel writes them.

use crate::facts::{PortRange, PortSet};
use crate::ids::Port;
use std::fmt;

/// The value of a setting.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Value {
    /// A number.
    Number(u64),
    /// A range of ports.
    Range(PortRange),
    /// A set of ports, its ranges in order and apart.
    Ports(PortSet),
    /// Three numbers, none smaller than the one before.
    Triple([u64; 3]),
    /// What the kernel shows and no format here knows.
    Other(String),
}

/// The values that a setting takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Format {
    /// A whole number.
    Number {
        /// The smallest.
        least: u64,
        /// The largest.
        most: u64,
    },
    /// Two ports.
    PortRange,
    /// Ports and ranges with commas between.
    PortSet,
    /// Three numbers.
    Triple,
    /// No value of a kind that is checked here.
    Free,
}

/// A value that the setting does not take, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Invalid(pub String);

impl Format {
    /// Reads a value as it is typed, and checks it.
    pub fn parse(self, text: &str) -> Result<Value, Invalid> {
        let text = text.trim();
        match self {
            Self::Number { least, most } => number(text, least, most).map(Value::Number),
            Self::PortRange => range(text).map(Value::Range),
            Self::PortSet => set(text).map(Value::Ports),
            Self::Triple => triple(text).map(Value::Triple),
            Self::Free => Ok(Value::Other(text.to_owned())),
        }
    }

    /// Reads a value as the kernel shows it, which may be one that it would not take (older ones let any through).
    pub fn read(self, text: &str) -> Value {
        let wide = match self {
            Self::Number { .. } => Self::Number { least: 0, most: u64::MAX },
            other => other,
        };
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        wide.parse(&words).unwrap_or(Value::Other(words))
    }

    /// The values it takes, in words.
    pub fn words(self) -> String {
        match self {
            Self::Number { least: 0, most: 1 } => "0 or 1".into(),
            Self::Number { least, most } => format!("{least} to {most}"),
            Self::PortRange => "two ports, as in 32768-60999".into(),
            Self::PortSet => "ports and ranges, as in 8080,9000-9100, or none".into(),
            Self::Triple => "three numbers, each at least the one before".into(),
            Self::Free => String::new(),
        }
    }
}

fn number(text: &str, least: u64, most: u64) -> Result<u64, Invalid> {
    let outside =
        || Invalid(format!("{text} is outside {}", Format::Number { least, most }.words()));
    if text.is_empty() {
        return Err(Invalid("no value given".into()));
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Invalid(format!("{text:?} is not a whole number")));
    }
    let value = text.parse().map_err(|_| outside())?;
    if (least..=most).contains(&value) { Ok(value) } else { Err(outside()) }
}

fn range(text: &str) -> Result<PortRange, Invalid> {
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c == '-' || c == ',')
        .filter(|word| !word.is_empty())
        .collect();
    let [low, high] = words[..] else {
        return Err(Invalid(format!("{text:?} is not two ports, as in 32768-60999")));
    };
    ordered(port(low)?, port(high)?)
}

fn set(text: &str) -> Result<PortSet, Invalid> {
    let mut ranges = Vec::new();
    for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let (low, high) = item.split_once('-').unwrap_or((item, item));
        ranges.push(ordered(port(low)?, port(high)?)?);
    }
    Ok(PortSet(apart(ranges)))
}

fn triple(text: &str) -> Result<[u64; 3], Invalid> {
    let bad = || Invalid(format!("{text:?} is not {}", Format::Triple.words()));
    let numbers: Vec<u64> = text
        .split_whitespace()
        .map(|word| number(word, 0, i64::MAX.unsigned_abs()))
        .collect::<Result<_, _>>()?;
    let three: [u64; 3] = numbers.try_into().map_err(|_| bad())?;
    if three.is_sorted() { Ok(three) } else { Err(bad()) }
}

fn port(text: &str) -> Result<Port, Invalid> {
    number(text.trim(), 1, 65535)
        .map(|number| Port(number as u16))
        .map_err(|Invalid(why)| Invalid(format!("port {why}")))
}

fn ordered(low: Port, high: Port) -> Result<PortRange, Invalid> {
    if low > high {
        return Err(Invalid(format!("the range {low}-{high} ends before it begins")));
    }
    Ok(PortRange { low, high })
}

/// The same ports as ranges that neither overlap nor touch, lowest first: as the kernel shows them.
fn apart(mut ranges: Vec<PortRange>) -> Vec<PortRange> {
    ranges.sort_by_key(|range| range.low);
    let mut out: Vec<PortRange> = Vec::new();
    for range in ranges {
        match out.last_mut() {
            Some(last) if u32::from(range.low.0) <= u32::from(last.high.0) + 1 => {
                last.high = last.high.max(range.high);
            }
            _ => out.push(range),
        }
    }
    out
}

impl Value {
    /// The number, if it is one.
    pub const fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Range(_) | Self::Ports(_) | Self::Triple(_) | Self::Other(_) => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Range(range) => write!(f, "{} {}", range.low, range.high),
            Self::Ports(set) => {
                for (at, range) in set.0.iter().enumerate() {
                    let comma = if at > 0 { "," } else { "" };
                    if range.low == range.high {
                        write!(f, "{comma}{}", range.low)?;
                    } else {
                        write!(f, "{comma}{}-{}", range.low, range.high)?;
                    }
                }
                Ok(())
            }
            Self::Triple([least, pressure, most]) => write!(f, "{least} {pressure} {most}"),
            Self::Other(text) => text.fmt(f),
        }
    }
}
