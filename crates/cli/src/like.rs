//! The bind options that well-known programs and runtimes use, so that one can ask "as node would".
//!
//! Each row was read off the running program; a test does so again.

use clap::ValueEnum;

/// A program or runtime whose usual bind is imitated.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Like {
    /// `net.createServer().listen(port)`.
    Node,
    /// `python3 -m http.server PORT`.
    Python,
    /// `new ServerSocket(port)`.
    Java,
    /// `net.Listen("tcp", ":port")`.
    Go,
    /// `TcpListener::bind(("0.0.0.0", port))`.
    Rust,
    /// `listen PORT;`.
    Nginx,
}

/// Which wildcard a program binds when it is given a port alone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wildcard {
    /// `[::]` with `V6ONLY` off, which serves both families.
    DualStack,
    /// `0.0.0.0`.
    V4,
}

impl Like {
    /// The wildcard it binds. All of them set `SO_REUSEADDR` and none `SO_REUSEPORT`.
    pub const fn wildcard(self) -> Wildcard {
        match self {
            Self::Node | Self::Java | Self::Go => Wildcard::DualStack,
            // It binds the first address that getaddrinfo() gives for a server, which is 0.0.0.0 in glibc.
            Self::Python | Self::Rust | Self::Nginx => Wildcard::V4,
        }
    }
}
