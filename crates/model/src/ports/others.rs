//! What others hold, as far as a list of the kernel's sockets shows: four-tuples, and ports whatever the destination.

use super::ledger::Cause;
use super::terms::{Hold, Local};
use crate::ids::Port;
use crate::tcp::moment::Moment;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

#[derive(Clone, Debug, Default)]
pub(super) struct Others {
    /// By destination.
    tuples: HashMap<SocketAddr, Vec<(IpAddr, Port, Moment)>>,
    /// Each on an address.
    ports: HashMap<Port, Vec<(IpAddr, Moment, Hold)>>,
}

impl Others {
    pub(super) fn is_empty(&self) -> bool {
        self.tuples.is_empty() && self.ports.is_empty()
    }

    pub(super) fn keep(&mut self, to: SocketAddr, address: IpAddr, port: Port, until: Moment) {
        let tuples = self.tuples.entry(anywhere(to)).or_default();
        tuples.push((address.to_canonical(), port, until));
    }

    pub(super) fn hold(&mut self, address: IpAddr, port: Port, until: Moment, by: Hold) {
        self.ports.entry(port).or_default().push((address.to_canonical(), until, by));
    }

    /// Until when a port is held, whatever the address, and by what.
    pub(super) fn holds(&self, port: Port, now: Moment) -> Option<(Moment, Hold)> {
        let holds = self.ports.get(&port).into_iter().flatten();
        let holds = holds.map(|(_, until, by)| (*until, *by));
        holds.filter(|(until, _)| *until > now).max_by_key(|(until, _)| *until)
    }

    /// What stands against this local end toward this destination, and until when.
    pub(super) fn against(
        &self,
        destination: SocketAddr,
        local: Local,
        now: Moment,
    ) -> Option<(Moment, Cause)> {
        let holds = self.ports.get(&local.port).into_iter().flatten();
        let holds = holds
            .filter(|(holder, ..)| stands_against(local.address, destination, *holder))
            .map(|(_, until, by)| (*until, Cause::Held(*by)));
        let tuples = self.tuples.get(&anywhere(destination)).into_iter().flatten();
        let tuples = tuples
            .filter(|(address, port, _)| {
                *port == local.port && local.address.is_none_or(|own| own == *address)
            })
            .map(|(_, _, until)| (*until, Cause::Foreign));
        tuples.chain(holds).filter(|(until, _)| *until > now).max_by_key(|(until, _)| *until)
    }
}

/// Whether a socket on that address keeps others from binding this one (`inet_rcv_saddr_equal`). An unspecified IPv6
/// address takes both families, unless it was told not to, which a list of sockets need not show.
fn stands_against(own: Option<IpAddr>, destination: SocketAddr, holder: IpAddr) -> bool {
    match own {
        Some(own) => {
            own == holder || holder.is_unspecified() && (holder.is_ipv6() || own.is_ipv4())
        }
        None => destination.is_ipv6() || holder.is_ipv4() || holder.is_unspecified(),
    }
}

/// Without the interface of a link-local address, which a list of sockets does not show.
fn anywhere(destination: SocketAddr) -> SocketAddr {
    SocketAddr::new(destination.ip().to_canonical(), destination.port())
}
