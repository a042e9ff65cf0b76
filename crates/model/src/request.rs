//! A bind somebody wants to make: address, port, options, and who asks. Plain data, judged by [`crate::bind`].

use crate::ids::{InterfaceIndex, Port, Uid};
use crate::transport::{Family, Transport};
use std::net::IpAddr;

/// A bind somebody wants to make.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Request {
    /// TCP or UDP.
    pub transport: Transport,
    /// The address; a mapped one means an `AF_INET6` socket.
    pub address: IpAddr,
    /// The port, not 0 (see [`crate::bind::bind_any_port`]).
    pub port: Port,
    /// The options set before the bind.
    pub options: Options,
    /// The uid the socket carries.
    pub uid: Uid,
    /// `CAP_NET_BIND_SERVICE`.
    pub may_bind_reserved: bool,
}

/// Options of the new socket that the rules look at.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Options {
    /// `SO_REUSEADDR`.
    pub reuse_address: bool,
    /// `SO_REUSEPORT`.
    pub reuse_port: bool,
    /// `IPV6_V6ONLY`; without meaning for IPv4.
    pub v6only: bool,
    /// `SO_BINDTODEVICE`, or the scope of a link-local address.
    pub device: Option<InterfaceIndex>,
    /// `IP_FREEBIND` or `IP_TRANSPARENT`: the address need not be local.
    pub free_bind: bool,
}

impl Request {
    /// The family of the socket.
    pub const fn family(&self) -> Family {
        match self.address {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }
}
