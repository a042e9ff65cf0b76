//! What a connection of a probe agreed on with the server, where TLS lies between the two.
//!
//! Data only: the model speaks no TLS. Whom it is agreed with is not looked into; a probe asks how connections end.

/// What was agreed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Tls {
    /// The version, such as `TLS 1.3`.
    pub version: String,
    /// The cipher suite.
    pub cipher: String,
    /// The protocol inside, where it was agreed on (RFC 7301).
    pub alpn: Option<String>,
    /// Whether the certificate was verified.
    pub verified: bool,
    /// Whether the server said `close_notify`.
    pub close_notify: bool,
}
