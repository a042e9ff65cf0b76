//! One row of the table: a setting, what it really does, and how that is known.

use super::value::{Format, Value};
use crate::facts::KernelVersion;

/// A setting that touches how TCP connections end.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Setting {
    /// The short name, as in `tcp_fin_timeout`.
    pub name: &'static str,
    /// Whose it is.
    pub system: System,
    /// What it is about.
    pub group: Group,
    /// Where it is set.
    pub place: Place,
    /// What it counts in; empty for plain numbers.
    pub unit: &'static str,
    /// What a fresh system has.
    pub default: &'static str,
    /// The values it takes.
    pub format: Format,
    /// What it does, in one line.
    pub gist: &'static str,
    /// What it really does.
    pub does: &'static str,
    /// What is said about it, and what is true.
    pub myth: Option<Myth>,
    /// Where the rule stands: kernel function, or section of an RFC.
    pub source: &'static str,
    /// What a change can break.
    pub risk: &'static str,
    /// The version that brought it, where that is not long ago.
    pub since: Option<KernelVersion>,
    /// What changed between versions; empty when nothing did.
    pub history: &'static str,
    /// How we know that it is true.
    pub proof: Proof,
}

/// Whose setting it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[expect(missing_docs, reason = "names")]
pub enum System {
    Linux,
    FreeBsd,
    MacOs,
    OpenBsd,
    Illumos,
    Windows,
}

/// What it is about.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Group {
    /// `TIME_WAIT` and `FIN_WAIT_2`.
    AfterClose,
    /// How long the kernel goes on without an answer.
    Silence,
    /// Connections on which nothing is sent.
    Idle,
    /// Queues of listeners, and closing these.
    Listening,
    /// Local ports, which ending connections use up.
    Ports,
    /// Set by a program on one socket.
    Socket,
    /// Settings of other systems.
    Elsewhere,
}

/// Where it is set.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Place {
    /// Below `/proc/sys`.
    Sysctl {
        /// Which.
        #[cfg_attr(feature = "serde", serde(skip))]
        key: Key,
        /// Its path below `/proc/sys`.
        path: &'static str,
        /// How far it reaches.
        scope: Scope,
    },
    /// `setsockopt()` at this level.
    SocketOption {
        /// The level.
        level: &'static str,
    },
    /// Nowhere: compiled into the kernel.
    CompiledIn,
    /// Nowhere any more: removed from the kernel.
    Removed,
    /// By the tools of another system.
    OtherSystem,
}

/// How far a sysctl reaches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Scope {
    /// One network namespace.
    Namespace,
    /// The whole host; shown in the first network namespace only.
    Host,
}

/// The sysctls, so that no rule about one is forgotten.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[expect(missing_docs, reason = "names")]
pub enum Key {
    FinTimeout,
    MaxTwBuckets,
    TwReuse,
    TwReuseDelay,
    Rfc1337,
    Timestamps,
    Retries2,
    OrphanRetries,
    MaxOrphans,
    Memory,
    SynRetries,
    SynLinearTimeouts,
    RtoMin,
    RtoMax,
    KeepaliveTime,
    KeepaliveInterval,
    KeepaliveProbes,
    SynAckRetries,
    AbortOnOverflow,
    MigrateRequests,
    ListenLimit,
    PortRange,
    ReservedPorts,
    UnprivilegedPortStart,
    AutobindReuse,
}

/// What is said, and what is true.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Myth {
    /// What is said.
    pub said: &'static str,
    /// What is true.
    pub fact: &'static str,
}

/// How a row is known to be true.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Proof {
    /// A test on the running kernel, as `path::name`.
    Experiment(&'static str),
    /// By reading only, for this reason.
    Documented(&'static str),
}

impl Setting {
    /// The sysctl, if it is one.
    pub const fn sysctl(&self) -> Option<(Key, &'static str, Scope)> {
        match self.place {
            Place::Sysctl { key, path, scope } => Some((key, path, scope)),
            Place::SocketOption { .. }
            | Place::CompiledIn
            | Place::Removed
            | Place::OtherSystem => None,
        }
    }

    /// The name with its dots, as `sysctl` takes it; the short name where there is none.
    pub fn full_name(&self) -> String {
        self.sysctl().map_or_else(|| self.name.to_owned(), |(_, path, _)| path.replace('/', "."))
    }

    /// A value with its unit, and in words where it is empty.
    pub fn with_unit(&self, value: &str) -> String {
        if value.is_empty() {
            "none".to_owned()
        } else if self.unit.is_empty() || value.parse::<u64>().is_err() {
            value.to_owned()
        } else {
            format!("{value} {}", self.unit)
        }
    }

    /// Whether a value is other than what a fresh system has; `None` where that depends on the host.
    pub fn differs(&self, present: &Value) -> Option<bool> {
        let default = self.format.parse(self.default).ok()?;
        Some(default != *present)
    }

    /// The plain names that it answers to.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        let full = self.full_name();
        let last = full.rsplit('.').next().unwrap_or_default().to_owned();
        [self.name.to_owned(), full, last].into_iter()
    }
}

impl System {
    /// The name, as people write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linux => "Linux",
            Self::FreeBsd => "FreeBSD",
            Self::MacOs => "macOS",
            Self::OpenBsd => "OpenBSD",
            Self::Illumos => "illumos",
            Self::Windows => "Windows",
        }
    }
}

impl Group {
    /// The heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::AfterClose => "After close(): TIME_WAIT and FIN_WAIT_2",
            Self::Silence => "When the other side does not answer",
            Self::Idle => "Idle connections with SO_KEEPALIVE",
            Self::Listening => "Listeners: full queues, and closing one",
            Self::Ports => "Local ports, which ending connections use up",
            Self::Socket => "Options that a program sets on one socket",
            Self::Elsewhere => "Other systems (documented, not measured)",
        }
    }
}
