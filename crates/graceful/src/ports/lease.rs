//! A port that is lent toward a destination, until its pool learns how the connection ended.

use super::pool::Ports;
use crate::close::{CloseOrderly as _, ClosePolicy, CloseReport, TimeWait};
use lastack_model::ports::{Afterwards, Local};
use std::io;
use std::net::{SocketAddr, TcpStream};

/// A port on loan. Keep it as long as the connection lives, and end both with [`close_orderly`](Self::close_orderly), or
/// close the connection and say how with [`ended`](Self::ended).
///
/// One that is dropped without that goes into quarantine for as long as the kernel may need in the worst case, 125 s.
#[derive(Debug)]
#[must_use = "dropped, it keeps its port from this destination for two minutes"]
pub struct Lease {
    ports: Ports,
    destination: SocketAddr,
    local: Local,
    afterwards: Afterwards,
}

impl Lease {
    pub(super) const fn new(ports: Ports, destination: SocketAddr, local: Local) -> Self {
        Self { ports, destination, local, afterwards: Afterwards::StillClosing }
    }

    /// The local port.
    pub const fn port(&self) -> u16 {
        self.local.port.0
    }

    pub(super) const fn local(&self) -> Local {
        self.local
    }

    /// Closes the connection by this policy and gives the port back as the report says: at once when the peer keeps
    /// `TIME_WAIT` or nobody does, after 65 s otherwise. A client that wants its ports back lets the server close first
    /// ([`ClosePolicy::remote_first`]).
    ///
    /// # Errors
    ///
    /// As [`close_orderly`](crate::close::CloseOrderly::close_orderly); the port then stays in quarantine.
    pub fn close_orderly(self, stream: TcpStream, policy: &ClosePolicy) -> io::Result<CloseReport> {
        let report = stream.close_orderly(policy)?;
        self.ended(&report);
        Ok(report)
    }

    /// The connection was closed with this report.
    pub fn ended(mut self, report: &CloseReport) {
        self.afterwards = match report.time_wait {
            TimeWait::Peer | TimeWait::Nobody => Afterwards::Nothing,
            TimeWait::Here | TimeWait::Both | TimeWait::Unknown => Afterwards::TimeWait,
            TimeWait::Open => Afterwards::StillClosing,
        };
    }

    /// The connection was reset, by either side or by the kernel: nothing of it is left here, and the port may be used
    /// again at once.
    pub fn was_reset(self) {
        self.end_as(Afterwards::Nothing);
    }

    /// There never was a connection, or it is known that nothing of it is left.
    pub(super) fn end_as(mut self, afterwards: Afterwards) {
        self.afterwards = afterwards;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.ports.give_back(self.destination, self.local, self.afterwards);
    }
}
