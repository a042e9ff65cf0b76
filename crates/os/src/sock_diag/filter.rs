//! Which sockets to ask for, compiled into a request that the kernel filters by (`struct inet_diag_req`, byte code).

use crate::netlink::push_attribute;
use lastack_model::facts::{PortRange, Transport};
use lastack_model::ids::Port;
use lastack_model::state::State;
use std::net::IpAddr;

/// Which sockets to ask for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Filter {
    /// TCP or UDP.
    pub transport: Transport,
    /// Only these local ports.
    pub ports: Option<PortRange>,
    /// Only connections to this address (unspecified: any, IPv4 in mapped form too) and port (0: any).
    pub remote: Option<(IpAddr, Port)>,
    /// Only these states.
    pub states: States,
    /// What to ask about each.
    pub detail: Detail,
}

/// What to ask about each socket beyond what costs nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Detail {
    /// Nothing.
    Plain,
    /// `tcp_info`.
    Traffic,
    /// Whether its port was named in `bind()`, at the price of a second dump.
    PortNamed,
}

/// A set of kernel states.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct States(u32);

/// How a socket came by its port.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Origin {
    Any,
    Named,
    Chosen,
}

/// One condition of the byte code, an operation with its operand.
enum Condition {
    Is(u8, Vec<u8>),
    IsNot(u8),
}

/// One request of a dump.
pub(super) struct Request {
    pub(super) kind: u16,
    pub(super) payload: Vec<u8>,
}

impl Filter {
    /// Every socket of the protocol.
    pub const fn all(transport: Transport) -> Self {
        Self { transport, ports: None, remote: None, states: States::ALL, detail: Detail::Plain }
    }

    /// The sockets with this local port.
    pub const fn on_port(transport: Transport, port: Port) -> Self {
        Self { ports: Some(PortRange { low: port, high: port }), ..Self::all(transport) }
    }

    /// The same with another set of states.
    #[must_use]
    pub const fn in_states(self, states: States) -> Self {
        Self { states, ..self }
    }

    /// The same with more asked about each.
    #[must_use]
    pub const fn with(self, detail: Detail) -> Self {
        Self { detail, ..self }
    }

    /// The one request that dumps both families, where the transport has it.
    ///
    /// TCP's older request type knows no family (`inet_diag_dump_compat` sets `AF_UNSPEC`), so one walk of the
    /// tables serves both and costs half of what two do. UDP has only the newer type.
    pub(super) fn both_families(&self, origin: Origin) -> Option<Request> {
        (self.transport == Transport::Tcp).then(|| self.legacy(origin))
    }

    /// The two requests that dump one family each.
    pub(super) fn by_family(&self, origin: Origin) -> [Request; 2] {
        [self.one_family(AF_INET, origin), self.one_family(AF_INET6, origin)]
    }

    /// `struct inet_diag_req`.
    fn legacy(&self, origin: Origin) -> Request {
        let mut payload = vec![0, 0, 0, self.extensions()];
        payload.extend(self.socket_id());
        payload.extend(self.states.0.to_ne_bytes());
        payload.extend(0_u32.to_ne_bytes());
        self.push_byte_code(origin, &mut payload);
        Request { kind: TCPDIAG_GETSOCK, payload }
    }

    /// `struct inet_diag_req_v2`.
    fn one_family(&self, family: u8, origin: Origin) -> Request {
        let mut payload = vec![family, self.protocol(), self.extensions(), 0];
        payload.extend(self.states.0.to_ne_bytes());
        payload.extend(self.socket_id());
        self.push_byte_code(origin, &mut payload);
        Request { kind: SOCK_DIAG_BY_FAMILY, payload }
    }

    const fn protocol(&self) -> u8 {
        match self.transport {
            Transport::Tcp => libc::IPPROTO_TCP as u8,
            Transport::Udp => libc::IPPROTO_UDP as u8,
        }
    }

    /// `struct inet_diag_sockid`: a single port in it spares the kernel the byte code for most sockets.
    fn socket_id(&self) -> [u8; 48] {
        let mut id = [0; 48];
        if let Some(PortRange { low, high }) = self.ports
            && low == high
        {
            id[..2].copy_from_slice(&low.0.to_be_bytes());
        }
        id
    }

    const fn extensions(&self) -> u8 {
        match self.detail {
            Detail::Traffic => 1 << (INET_DIAG_INFO - 1),
            Detail::Plain | Detail::PortNamed => 0,
        }
    }

    fn push_byte_code(&self, origin: Origin, payload: &mut Vec<u8>) {
        let conditions = self.conditions(origin);
        if !conditions.is_empty() {
            push_attribute(payload, INET_DIAG_REQ_BYTECODE, &compile(&conditions));
        }
    }

    fn conditions(&self, origin: Origin) -> Vec<Condition> {
        let mut conditions = Vec::new();
        // The id filters every table but the one of bound sockets that do not listen (`tcp_diag_dump`).
        match self.ports {
            Some(PortRange { low, high }) if low == high => {
                conditions.push(Condition::Is(BC_S_EQ, port_operand(low)));
            }
            Some(PortRange { low, high }) => {
                conditions.push(Condition::Is(BC_S_GE, port_operand(low)));
                conditions.push(Condition::Is(BC_S_LE, port_operand(high)));
            }
            None => {}
        }
        if let Some((address, port)) = self.remote {
            conditions.push(Condition::Is(BC_D_COND, host_operand(address, port)));
        }
        match origin {
            Origin::Any => {}
            Origin::Named => conditions.push(Condition::IsNot(BC_AUTO)),
            Origin::Chosen => conditions.push(Condition::Is(BC_AUTO, Vec::new())),
        }
        conditions
    }

    pub(super) const fn asks_for_bound(&self) -> bool {
        matches!(self.transport, Transport::Tcp) && self.states.0 & BOUND_INACTIVE != 0
    }
}

impl Condition {
    fn length(&self) -> usize {
        match self {
            Self::Is(_, operand) => OPERATION + operand.len(),
            Self::IsNot(_) => 2 * OPERATION,
        }
    }
}

/// Every condition must hold: each goes on to the next or leaves past the end, which rejects (`inet_diag_bc_run`).
fn compile(conditions: &[Condition]) -> Vec<u8> {
    let total: usize = conditions.iter().map(Condition::length).sum();
    let mut code = Vec::with_capacity(total);
    for condition in conditions {
        let reject = total - code.len() + REJECT;
        match condition {
            Condition::Is(operation, operand) => {
                push_operation(&mut code, *operation, OPERATION + operand.len(), reject);
                code.extend(operand);
            }
            Condition::IsNot(operation) => {
                push_operation(&mut code, *operation, OPERATION, 2 * OPERATION);
                push_operation(&mut code, BC_JMP, OPERATION, reject - OPERATION);
            }
        }
    }
    code
}

/// `struct inet_diag_bc_op`: how far to go when it holds, and when it does not.
fn push_operation(code: &mut Vec<u8>, operation: u8, yes: usize, no: usize) {
    code.extend([operation, yes as u8]);
    code.extend((no as u16).to_ne_bytes());
}

/// A second operation whose last field is the port.
fn port_operand(port: Port) -> Vec<u8> {
    let mut operand = vec![0, 0];
    operand.extend(port.0.to_ne_bytes());
    operand
}

/// `struct inet_diag_hostcond`. An IPv4 condition matches mapped addresses too (`inet_diag_bc_run`).
fn host_operand(address: IpAddr, port: Port) -> Vec<u8> {
    let (family, bytes) = match address.to_canonical() {
        any if any.is_unspecified() => (AF_UNSPEC, Vec::new()),
        IpAddr::V4(v4) => (AF_INET, v4.octets().to_vec()),
        IpAddr::V6(v6) => (AF_INET6, v6.octets().to_vec()),
    };
    let port = if port.is_any() { -1 } else { i32::from(port.0) };
    let mut operand = vec![family, bytes.len() as u8 * 8, 0, 0];
    operand.extend(port.to_ne_bytes());
    operand.extend(bytes);
    operand
}

impl States {
    /// Every state, bound sockets that do not listen included.
    pub const ALL: Self = Self::of(&State::ALL);
    /// Listeners only.
    pub const LISTENING: Self = Self::of(&[State::Listen]);
    /// Listeners and sockets that are bound and do not listen.
    pub const BOUND: Self = Self::of(&[State::Listen, State::Closed]);
    /// Connections that at least one side has closed.
    pub const ENDING: Self = Self::of(&[
        State::FinWait1,
        State::FinWait2,
        State::CloseWait,
        State::Closing,
        State::LastAck,
        State::TimeWait,
    ]);

    /// The set of these states.
    pub const fn of(states: &[State]) -> Self {
        let mut bits = 0;
        let mut at = 0;
        while at < states.len() {
            bits |= kernel_bits(states[at]);
            at += 1;
        }
        Self(bits)
    }
}

/// The kernel's bits of a state (`include/net/tcp_states.h`); a handshake's request is asked for as `SYN_RECV`.
const fn kernel_bits(state: State) -> u32 {
    match state {
        State::Established => 1 << 1,
        State::SynSent => 1 << 2,
        State::SynReceived => 1 << 3,
        State::FinWait1 => 1 << 4,
        State::FinWait2 => 1 << 5,
        State::TimeWait => 1 << 6,
        State::Closed => 1 << 7 | BOUND_INACTIVE,
        State::CloseWait => 1 << 8,
        State::LastAck => 1 << 9,
        State::Listen => 1 << 10,
        State::Closing => 1 << 11,
    }
}

/// `TCPF_BOUND_INACTIVE`, since Linux 6.8; an older kernel finds no socket in it.
const BOUND_INACTIVE: u32 = 1 << 13;
const AF_UNSPEC: u8 = libc::AF_UNSPEC as u8;
const AF_INET: u8 = libc::AF_INET as u8;
const AF_INET6: u8 = libc::AF_INET6 as u8;
const TCPDIAG_GETSOCK: u16 = 18;
pub(super) const SOCK_DIAG_BY_FAMILY: u16 = 20;
const INET_DIAG_REQ_BYTECODE: u16 = 1;
const INET_DIAG_INFO: u8 = 2;
const BC_JMP: u8 = 1;
const BC_S_GE: u8 = 2;
const BC_S_LE: u8 = 3;
const BC_AUTO: u8 = 6;
const BC_D_COND: u8 = 8;
const BC_S_EQ: u8 = 11;
const OPERATION: usize = 4;
/// A jump this far past the end of the program rejects the socket.
const REJECT: usize = 4;
