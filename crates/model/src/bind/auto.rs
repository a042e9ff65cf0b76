//! Port 0: which ports the kernel may choose, and whether one is left (`inet_csk_find_open_port`, and
//! `udp_lib_get_port` for UDP).

use super::rules::Rules;
use super::{Ruling, precheck, relation, udp};
use crate::facts::{Host, PortRange, Socket, Transport};
use crate::ids::Port;
use crate::request::Request;
use crate::state::State;
use crate::truth::Truth;

/// The ports the kernel may choose from.
#[derive(Clone, Copy, Debug)]
pub struct Candidates<'a> {
    host: &'a Host,
    range: PortRange,
}

impl<'a> Candidates<'a> {
    /// The range of the namespace, without its reserved ports.
    pub const fn of(host: &'a Host) -> Self {
        Self { host, range: host.sysctls.local_port_range }
    }

    /// The ports, lowest first; the kernel's own order (odd offsets first) does not change whether one is left.
    pub fn ports(self) -> impl Iterator<Item = Port> + use<'a> {
        let reserved = &self.host.sysctls.reserved_ports;
        self.range.ports().map(Port).filter(move |port| !reserved.contains(*port))
    }

    /// How many there are.
    pub fn count(self) -> usize {
        self.ports().count()
    }
}

/// Would `bind()` to port 0 find a port beside these sockets? On success, one that it may choose.
///
/// For TCP a candidate is refused when *any* owner collides: `SO_REUSEADDR` and `SO_REUSEPORT` do not help, unless
/// `ip_autobind_reuse` is set, which allows a second pass over owners that share by `SO_REUSEADDR`. For UDP they help
/// as they do with a named port (`udp_lib_lport_inuse`), so a UDP socket that sets them may be given a port in use.
pub fn bind_any_port(
    request: &Request,
    sockets: &[&Socket],
    host: &Host,
    rules: Rules,
) -> (Ruling, Option<Port>) {
    if let Err(refusal) = precheck(request, host, rules) {
        return (Ruling::Barred(refusal), None);
    }
    let mut undecided = Vec::new();
    for port in Candidates::of(host).ports() {
        match usable(request, port, sockets, host, rules) {
            Truth::Yes => return (Ruling::Free, Some(port)),
            Truth::Unknown => undecided.push(port),
            Truth::No => {}
        }
    }
    if undecided.is_empty() {
        return (Ruling::Conflict { certain: Vec::new(), possible: Vec::new() }, None);
    }
    let hidden = vec![super::Hidden::OldReuseAddress];
    (Ruling::DependsOn { hidden, certain: Vec::new(), possible: Vec::new() }, None)
}

fn usable(request: &Request, port: Port, sockets: &[&Socket], host: &Host, rules: Rules) -> Truth {
    let request = Request { port, ..request.clone() };
    sockets
        .iter()
        .filter(|socket| super::owns(&request, socket))
        .map(|socket| match request.transport {
            Transport::Tcp => !keeps_tcp_from(&request, socket, host, rules),
            Transport::Udp => !udp::refuses(&request, socket, rules),
        })
        .fold(Truth::Yes, Truth::and)
}

fn keeps_tcp_from(request: &Request, socket: &Socket, host: &Host, rules: Rules) -> Truth {
    let relation = relation(request, socket, rules);
    let shares = if host.sysctls.autobind_reuse && socket.state != State::Listen {
        relation.by_reuse_address.and(!relation.by_reuse_port)
    } else {
        Truth::No
    };
    relation.overlaps.and(!shares)
}
