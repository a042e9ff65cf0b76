//! Why an outgoing connection can or cannot be made: the exact four-tuple, or the ports left toward the destination.

use super::Verdict;
use crate::bind::{Connect, ConnectRuling, connect_from};
use crate::facts::{Host, Socket, SocketGroup};
use crate::ids::Port;
use crate::ports::{Budget, Strain};
use crate::truth::Truth;
use std::net::{IpAddr, SocketAddr};

/// What is known about an outgoing connection.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Connection {
    /// Where to.
    pub destination: SocketAddr,
    /// Where from; port 0 when the kernel chooses.
    pub from: SocketAddr,
    /// What becomes of the bind to the named port, which comes before the connect.
    pub bind: Option<Verdict>,
    /// What becomes of the exact four-tuple, when a port was named.
    pub tuple: Option<Tuple>,
    /// The ports left, when the kernel chooses the port.
    pub budget: Option<Budget>,
    /// How near that is to its end.
    pub strain: Option<Strain>,
    /// What was seen while it was watched.
    pub sample: Option<Sample>,
}

/// What becomes of a four-tuple.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Tuple {
    /// Nothing occupies it.
    Free,
    /// What occupies it gives way.
    Recycled(SocketGroup),
    /// What occupies it stays: `EADDRNOTAVAIL`.
    Taken(SocketGroup),
    /// It gives way if the connection used timestamps.
    DependsOnTimestamps(SocketGroup),
}

/// New connections seen over a time.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Sample {
    /// Local ports that were not in use before: at least so many connections were made.
    pub opened: u32,
    /// Milliseconds watched.
    pub over_ms: u64,
}

impl Tuple {
    /// Judges the four-tuple of a connection from that port.
    pub fn judge(connect: &Connect, port: Port, sockets: &[Socket], host: &Host) -> Self {
        let references: Vec<&Socket> = sockets.iter().collect();
        let group = |at: usize| SocketGroup::of(sockets[at].clone());
        match connect_from(connect, port, &references, timestamps(connect, host)) {
            ConnectRuling::Free => Self::Free,
            ConnectRuling::Recycles(tuple) => Self::Recycled(group(tuple.at)),
            ConnectRuling::Taken(tuple) => Self::Taken(group(tuple.at)),
            ConnectRuling::DependsOnTimestamps(tuple) => Self::DependsOnTimestamps(group(tuple.at)),
        }
    }
}

/// Whether a connection that ended used timestamps. A minisock does not show it, but both ends of a connection within
/// one host have one setting.
fn timestamps(connect: &Connect, host: &Host) -> Truth {
    let own = |ip: IpAddr| ip.is_loopback() || host.own_addresses().contains(&ip);
    match host.sysctls.timestamps {
        0 => Truth::No,
        _ if own(connect.destination.ip().to_canonical()) => Truth::Yes,
        _ => Truth::Unknown,
    }
}
