//! Sockets from the kernel's own tables, filtered inside the kernel (`sock_diag`, see `inet_diag.c`).
//!
//! Any user sees every socket of the namespace. Bound sockets that do not listen appear since Linux 6.8 only.

mod destroyed;
mod filter;
mod presence;
mod record;

pub use destroyed::{Destroyed, News};
pub use filter::{Detail, Filter, States};
pub use presence::{Presence, Sentry};
pub use record::{Malformed, decode};

use crate::netlink::{Channel, Consistency, Netlink};
use crate::{Error, Result, host};
use filter::{Origin, Request};
use lastack_model::facts::{Kind, Socket, Transport, Unseen};
use lastack_model::ids::{Inode, Port};
use lastack_model::state::State;
use lastack_model::truth::Truth;

/// What a dump gave.
#[derive(Debug)]
pub struct Dump<S> {
    /// What the sockets were folded into.
    pub folded: S,
    /// How often it was made again because the tables changed under it.
    pub repeats: u32,
    /// Whether sockets that are bound and do not listen were among those asked for.
    pub bound: BoundSockets,
    /// What it could not show.
    pub unseen: Vec<Unseen>,
}

/// Whether a dump could show sockets that are bound and neither listen nor connect.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BoundSockets {
    /// They are in it, or were not asked for.
    Listed,
    /// The kernel does not list them (before Linux 6.8); only their descriptors show them.
    Hidden,
}

/// Folds every socket that passes the filter, as the kernel sends them.
///
/// A dump that was interrupted by a change is made again from an empty `S`, a bounded number of times.
pub fn fold<S: Default>(filter: &Filter, mut add: impl FnMut(&mut S, Socket)) -> Result<Dump<S>> {
    let mut netlink = Netlink::open(Channel::SockDiag)?;
    let mut repeats = 0;
    loop {
        let mut folded = S::default();
        let mut closed_seen = false;
        let consistency = reading(&mut netlink, filter, &mut |socket| {
            closed_seen |= socket.state == State::Closed;
            add(&mut folded, socket);
        })?;
        if consistency == Consistency::Whole || repeats == MOST_REPEATS {
            let bound = bound_sockets(filter, closed_seen);
            let unseen = unseen(bound, consistency);
            return Ok(Dump { folded, repeats, bound, unseen });
        }
        repeats += 1;
    }
}

/// The sockets on a port that named it in `bind()` (`SOCK_BINDPORT_LOCK`), of those that a descriptor holds.
pub fn port_named(transport: Transport, port: Port) -> Result<Vec<Inode>> {
    let filter = Filter::on_port(transport, port).with(Detail::PortNamed);
    let add = |named: &mut Vec<Inode>, socket: Socket| {
        named.extend(socket.inode.filter(|_| socket.port_named == Truth::Yes));
    };
    fold(&filter, add).map(|dump| dump.folded)
}

/// One reading of the tables.
///
/// Whether a port was named is no field of a record, only a condition: the named ones are read first, then the
/// others. In this order a socket that turns into a minisock in between (which counts as not named) is seen twice
/// rather than never, and no socket made in between is given the wrong origin.
fn reading(
    netlink: &mut Netlink,
    filter: &Filter,
    each: &mut impl FnMut(Socket),
) -> Result<Consistency> {
    match filter.detail {
        Detail::Plain | Detail::Traffic => pass(netlink, filter, Origin::Any, each),
        Detail::PortNamed => {
            let named = pass(netlink, filter, Origin::Named, &mut |socket| {
                each(Socket { port_named: Truth::Yes, ..socket });
            })?;
            let chosen = pass(netlink, filter, Origin::Chosen, &mut |socket| {
                let port_named = match socket.kind {
                    Kind::Full => Truth::No,
                    // These keep no such flag, whatever their sockets had.
                    Kind::Minisock | Kind::Request => Truth::Unknown,
                };
                each(Socket { port_named, ..socket });
            })?;
            Ok(named.and(chosen))
        }
    }
}

/// One walk over both families, or two where the kernel has no request for both.
fn pass(
    netlink: &mut Netlink,
    filter: &Filter,
    origin: Origin,
    each: &mut impl FnMut(Socket),
) -> Result<Consistency> {
    if let Some(request) = filter.both_families(origin) {
        match dump(netlink, filter, &request, each) {
            Err(error) if is_unknown_request(&error) => {}
            outcome => return outcome,
        }
    }
    let [v4, v6] = filter.by_family(origin);
    let first = dump(netlink, filter, &v4, each)?;
    Ok(first.and(dump(netlink, filter, &v6, each)?))
}

fn dump(
    netlink: &mut Netlink,
    filter: &Filter,
    request: &Request,
    each: &mut impl FnMut(Socket),
) -> Result<Consistency> {
    let outcome = netlink.dump(request.kind, &request.payload, |record| {
        each(decode(filter.transport, record).map_err(|Malformed| malformed())?);
        Ok(())
    });
    outcome.map_err(|error| unavailable(error, filter.transport))
}

/// A kernel that lists bound sockets shows it by one of them, else its version must do.
fn bound_sockets(filter: &Filter, closed_seen: bool) -> BoundSockets {
    let listed = !filter.asks_for_bound() || closed_seen || host::kernel_version().at_least(6, 8);
    if listed { BoundSockets::Listed } else { BoundSockets::Hidden }
}

fn unseen(bound: BoundSockets, consistency: Consistency) -> Vec<Unseen> {
    let hidden = (bound == BoundSockets::Hidden).then(|| Unseen {
        what: "sockets that are bound and neither listen nor connect".into(),
        why: "this kernel does not list them".into(),
        remedy: "Linux 6.8 or later lists them; root can find them by their descriptors".into(),
    });
    let unsteady = (consistency == Consistency::Interrupted).then(|| Unseen {
        what: "a consistent list of sockets".into(),
        why: format!("the tables changed during each of {} readings", MOST_REPEATS + 1),
        remedy: "ask again when fewer connections come and go".into(),
    });
    hidden.into_iter().chain(unsteady).collect()
}

fn is_unknown_request(error: &Error) -> bool {
    matches!(
        error.cause().raw_os_error(),
        Some(libc::EINVAL | libc::ENOENT | libc::EOPNOTSUPP | libc::EPROTONOSUPPORT)
    )
}

fn malformed() -> Error {
    let cause = std::io::Error::new(std::io::ErrorKind::InvalidData, "record is too short");
    Error::new("read", "a sock_diag reply", cause)
}

fn unavailable(error: Error, transport: Transport) -> Error {
    let module = match transport {
        Transport::Tcp => "tcp_diag",
        Transport::Udp => "udp_diag",
    };
    match error.cause().raw_os_error() {
        Some(libc::ENOENT | libc::EOPNOTSUPP) => {
            error.with_remedy(format!("load the kernel module {module}"))
        }
        _ => error,
    }
}

const MOST_REPEATS: u32 = 8;

#[cfg(test)]
mod tests;
