//! The systems whose TCP is modelled, by the names that are typed.

use clap::ValueEnum;
use lastack_model::script::replay::Dialect;

/// A system that the model knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum System {
    /// Linux at its defaults.
    Linux,
    /// The letter of RFC 9293.
    Rfc9293,
    /// FreeBSD at its defaults.
    #[value(name = "freebsd")]
    FreeBsd,
}

impl System {
    /// How scripts speak of it.
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::Linux => Dialect::LINUX,
            Self::Rfc9293 => Dialect::RFC_9293,
            Self::FreeBsd => Dialect::FREE_BSD,
        }
    }
}
