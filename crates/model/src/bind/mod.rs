//! May this socket bind, listen or connect, the others being there? Linux's rules as pure functions.
//!
//! The checks run in the kernel's order, because the order decides the error: first those that need no
//! other socket ([`precheck`]), then the owners of the port ([`relation`]). Where the rule depends on what the
//! kernel does not show, the ruling is [`Ruling::DependsOn`] and names it. Nothing here asks the kernel.

mod auto;
mod connect;
mod precheck;
mod relation;
mod rules;
mod udp;

pub use auto::{Candidates, bind_any_port};
pub use connect::{Connect, ConnectRuling, FourTuple, PortUse, connect_from, connect_without_port};
pub use precheck::{Refusal, precheck};
pub use relation::{Barrier, Hidden, Overlap, Relation, relation};
pub use rules::Rules;

pub use crate::request::{Options, Request};

use crate::errno::Errno;
use crate::facts::{Host, Socket, Transport};
use crate::ids::Cookie;
use crate::truth::Truth;

/// What the rules say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ruling {
    /// No socket stands in the way.
    Free,
    /// Refused whatever other sockets there are.
    Barred(Refusal),
    /// Refused because of these sockets (positions in the slice that was asked about).
    Conflict {
        /// Those that certainly stand in the way.
        certain: Vec<usize>,
        /// Those that might as well.
        possible: Vec<usize>,
    },
    /// The facts do not decide it.
    DependsOn {
        /// What would.
        hidden: Vec<Hidden>,
        /// Sockets that stand in the way unless a shortcut of the kernel admits the bind.
        certain: Vec<usize>,
        /// Sockets that may stand in the way.
        possible: Vec<usize>,
    },
}

impl Ruling {
    /// The error of a certain refusal, `None` when it succeeds or is not decided.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Free | Self::DependsOn { .. } => None,
            Self::Barred(refusal) => Some(refusal.errno()),
            Self::Conflict { .. } => Some(Errno::AddressInUse),
        }
    }

    /// True when the facts decide the matter.
    pub const fn is_certain(&self) -> bool {
        !matches!(self, Self::DependsOn { .. })
    }
}

/// Would `bind()` succeed beside these sockets?
///
/// `inet_csk_get_port` for TCP, `udp_lib_get_port` for UDP. Sockets on other ports are ignored.
pub fn bind(request: &Request, sockets: &[&Socket], host: &Host, rules: Rules) -> Ruling {
    if let Err(refusal) = precheck(request, host, rules) {
        return Ruling::Barred(refusal);
    }
    judge_owners(request, sockets, rules)
}

/// Would `listen()` succeed on the bound socket `own`?
///
/// `inet_csk_listen_start` asks for the port once more, so the sharing rules apply to what is there now: of
/// two sockets that share a port by `SO_REUSEADDR` the first to listen wins. A socket does not stand against
/// itself.
pub fn listen(request: &Request, own: Cookie, sockets: &[&Socket], rules: Rules) -> Ruling {
    let mut others = Vec::new();
    let mut positions = Vec::new();
    for (at, socket) in sockets.iter().enumerate() {
        if socket.cookie != own {
            others.push(*socket);
            positions.push(at);
        }
    }
    let back = |list: Vec<usize>| list.into_iter().map(|at| positions[at]).collect();
    match judge_owners(request, &others, rules) {
        Ruling::Conflict { certain, possible } => {
            Ruling::Conflict { certain: back(certain), possible: back(possible) }
        }
        Ruling::DependsOn { hidden, certain, possible } => {
            Ruling::DependsOn { hidden, certain: back(certain), possible: back(possible) }
        }
        ruling => ruling,
    }
}

fn judge_owners(request: &Request, sockets: &[&Socket], rules: Rules) -> Ruling {
    let owners = |at: &usize| owns(request, sockets[*at]);
    let present: Vec<usize> = (0..sockets.len()).filter(owners).collect();
    match request.transport {
        Transport::Tcp => tcp_ruling(request, sockets, &present, rules),
        Transport::Udp => udp::ruling(request, sockets, &present, rules),
    }
}

fn owns(request: &Request, socket: &Socket) -> bool {
    socket.transport == request.transport && socket.port() == request.port && socket.owns_port()
}

fn tcp_ruling(request: &Request, sockets: &[&Socket], present: &[usize], rules: Rules) -> Ruling {
    let mut certain = Vec::new();
    let mut possible = Vec::new();
    let mut hidden = Vec::new();
    for &at in present {
        let relation = relation(request, sockets[at], rules);
        match relation.conflict() {
            Truth::Yes => certain.push(at),
            Truth::Unknown => possible.push(at),
            Truth::No => continue,
        }
        for reason in relation.hidden {
            if !hidden.contains(&reason) {
                hidden.push(reason);
            }
        }
    }
    if certain.is_empty() && possible.is_empty() {
        return Ruling::Free;
    }
    let shortcut = shortcut(request, sockets, present, rules);
    if certain.is_empty() || shortcut.is_some() {
        hidden.extend(shortcut);
        return Ruling::DependsOn { hidden, certain, possible };
    }
    Ruling::Conflict { certain, possible }
}

/// The kernel's memory of earlier binds that might admit this one although an owner stands in the way.
fn shortcut(
    request: &Request,
    sockets: &[&Socket],
    present: &[usize],
    rules: Rules,
) -> Option<Hidden> {
    let listener = || present.iter().any(|&at| sockets[at].state == crate::state::State::Listen);
    if request.options.reuse_port && rules.reuse_port_shortcut {
        Some(Hidden::ReusePortShortcut)
    } else if request.options.reuse_address && rules.reuse_address_shortcut && !listener() {
        Some(Hidden::ReuseAddressShortcut)
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
