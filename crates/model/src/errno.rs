//! The errors that `bind()`, `listen()` and `connect()` answer with, by their POSIX names.

use std::fmt;

/// A refusal by the kernel.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum Errno {
    /// Permission denied.
    #[cfg_attr(feature = "serde", serde(rename = "EACCES"))]
    AccessDenied,
    /// Address already in use.
    #[cfg_attr(feature = "serde", serde(rename = "EADDRINUSE"))]
    AddressInUse,
    /// Cannot assign requested address.
    #[cfg_attr(feature = "serde", serde(rename = "EADDRNOTAVAIL"))]
    AddressNotAvailable,
    /// Address family not supported by protocol.
    #[cfg_attr(feature = "serde", serde(rename = "EAFNOSUPPORT"))]
    FamilyNotSupported,
    /// Invalid argument.
    #[cfg_attr(feature = "serde", serde(rename = "EINVAL"))]
    InvalidArgument,
    /// No such device.
    #[cfg_attr(feature = "serde", serde(rename = "ENODEV"))]
    NoSuchDevice,
    /// Operation not permitted.
    #[cfg_attr(feature = "serde", serde(rename = "EPERM"))]
    NotPermitted,
    /// Any other error, by its number.
    #[cfg_attr(feature = "serde", serde(untagged))]
    Other(i32),
}

impl Errno {
    /// From the number that Linux uses (the same on every architecture for these).
    pub const fn from_raw(raw: i32) -> Self {
        match raw {
            1 => Self::NotPermitted,
            13 => Self::AccessDenied,
            19 => Self::NoSuchDevice,
            22 => Self::InvalidArgument,
            97 => Self::FamilyNotSupported,
            98 => Self::AddressInUse,
            99 => Self::AddressNotAvailable,
            other => Self::Other(other),
        }
    }

    /// The words `strerror` has for it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::AccessDenied => "permission denied",
            Self::AddressInUse => "address already in use",
            Self::AddressNotAvailable => "cannot assign requested address",
            Self::FamilyNotSupported => "address family not supported",
            Self::InvalidArgument => "invalid argument",
            Self::NoSuchDevice => "no such device",
            Self::NotPermitted => "operation not permitted",
            Self::Other(_) => "error",
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::AccessDenied => "EACCES",
            Self::AddressInUse => "EADDRINUSE",
            Self::AddressNotAvailable => "EADDRNOTAVAIL",
            Self::FamilyNotSupported => "EAFNOSUPPORT",
            Self::InvalidArgument => "EINVAL",
            Self::NoSuchDevice => "ENODEV",
            Self::NotPermitted => "EPERM",
            Self::Other(raw) => return write!(f, "errno {raw}"),
        };
        f.pad(name)
    }
}
