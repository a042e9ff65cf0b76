//! What there is on one host now: the counts that a change would act on, and the present values.

use super::setting::Key;
use super::value::Value;
use crate::facts::{KernelVersion, Kind, PortRange, PortSet, Socket, TimerKind};
use crate::ids::Port;
use crate::lifetime::retransmission_ms;
use crate::state::State;
use std::collections::{BTreeMap, BTreeSet};

/// One network namespace of one host, now.
#[derive(Clone, Debug, Default)]
pub struct Here {
    /// Whose rules hold.
    pub kernel: KernelVersion,
    /// What was counted.
    pub counts: Counts,
    /// The present values of the sysctls that this kernel has.
    pub values: BTreeMap<Key, Value>,
}

/// Sockets of the namespace by what a setting would do to them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Counts {
    /// In `TIME_WAIT`.
    pub time_wait: u64,
    /// In `FIN_WAIT_2` without a process: they end by `tcp_fin_timeout`.
    pub fin_wait_2_orphans: u64,
    /// In `FIN_WAIT_2` and held by a process: they end by nothing.
    pub fin_wait_2_held: u64,
    /// Closed by their program and still sending: `FIN_WAIT_1`, `CLOSING`, `LAST_ACK`.
    pub orphans: u64,
    /// Orphans of all namespaces together, which is what `tcp_max_orphans` is compared with.
    pub orphans_on_host: Option<u64>,
    /// Connections that are neither closed nor closing on this side.
    pub live: u64,
    /// Of these, connections that retransmit without an answer now.
    pub unanswered: u64,
    /// Connections whose keepalive timer runs.
    pub keepalive: u64,
    /// In `SYN_SENT`.
    pub connecting: u64,
    /// Handshakes that await their last segment.
    pub half_open: u64,
    /// Sockets that listen.
    pub listeners: u64,
    /// Connections that wait in the queues of listeners.
    pub queued: u64,
    /// The ports that are listened on.
    pub listening: BTreeSet<Port>,
    /// The local ports of everything else.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub ports: BTreeSet<Port>,
    /// Memory of TCP's buffers on the whole host, in bytes.
    pub memory: Option<u64>,
    /// What one `TIME_WAIT` takes, in bytes, if this kernel says.
    pub time_wait_bytes: Option<u64>,
    /// What the kernel counted since the namespace was made.
    pub counters: Counters,
}

/// Events that the kernel counted since the namespace was made.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Counters {
    /// `TCPTimeWaitOverflow`: ended without a `TIME_WAIT`, above the limit.
    pub time_wait_overflow: u64,
    /// `TWRecycled`: a `TIME_WAIT` that gave way to a new connection.
    pub time_wait_recycled: u64,
    /// `ListenOverflows`: handshakes that found a full queue.
    pub listen_overflows: u64,
    /// `TCPAbortOnTimeout`: given up for want of an answer.
    pub given_up: u64,
    /// `TCPAbortOnMemory`: orphans reset for their number or for want of memory.
    pub aborted_for_memory: u64,
    /// `TCPMigrateReqSuccess`.
    pub migrated: u64,
    /// `TCPMigrateReqFailure`.
    pub not_migrated: u64,
}

impl Counts {
    /// Counts a socket.
    pub fn add(&mut self, socket: &Socket) {
        if socket.state == State::Listen {
            self.listeners += 1;
            self.queued += u64::from(socket.receive_queue);
            self.listening.insert(socket.port());
            return;
        }
        if socket.kind == Kind::Request {
            self.half_open += 1;
            return;
        }
        self.ports.insert(socket.port());
        self.keepalive += u64::from(socket.timer.kind == TimerKind::Keepalive);
        let orphan = socket.kind == Kind::Minisock || socket.is_orphan();
        match socket.state {
            State::TimeWait => self.time_wait += 1,
            State::FinWait2 if orphan => self.fin_wait_2_orphans += 1,
            State::FinWait2 => self.fin_wait_2_held += 1,
            State::FinWait1 | State::Closing | State::LastAck if orphan => self.orphans += 1,
            State::SynSent => self.connecting += 1,
            State::FinWait1
            | State::Closing
            | State::LastAck
            | State::Established
            | State::CloseWait
            | State::SynReceived => {
                self.live += 1;
                self.unanswered += u64::from(socket.timer.retransmits > 0);
            }
            State::Listen | State::Closed => {}
        }
    }

    /// Minisocks: what `tcp_max_tw_buckets` is compared with (`inet_twsk_alloc`).
    pub const fn minisocks(&self) -> u64 {
        self.time_wait + self.fin_wait_2_orphans
    }
}

impl Here {
    /// The present number of a setting.
    pub fn number(&self, key: Key) -> Option<u64> {
        self.values.get(&key)?.number()
    }

    /// The kernel's range of local ports; its default where it cannot be read.
    pub fn port_range(&self) -> PortRange {
        match self.values.get(&Key::PortRange) {
            Some(Value::Range(range)) => *range,
            _ => PortRange { low: Port(32768), high: Port(60999) },
        }
    }

    /// The ports that are kept out of it.
    pub fn reserved(&self) -> PortSet {
        match self.values.get(&Key::ReservedPorts) {
            Some(Value::Ports(set)) => set.clone(),
            _ => PortSet::default(),
        }
    }

    /// How many ports the kernel may choose, and how many of these are in use.
    pub fn budget(&self) -> (u64, u64) {
        let reserved = self.reserved();
        let usable = self.port_range().ports().map(Port).filter(|port| !reserved.contains(*port));
        usable.fold((0, 0), |(all, taken), port| {
            (all + 1, taken + u64::from(self.counts.ports.contains(&port)))
        })
    }

    /// How long `retries` without an answer last, at least, in milliseconds (`tcp_model_timeout`).
    pub fn unanswered_ms(&self, retries: u64) -> u64 {
        let longest = self.number(Key::RtoMax).unwrap_or(RTO_MAX_MS);
        retransmission_ms(retries.min(255) as u32, RTO_MIN_MS, longest)
    }
}

/// `TCP_RTO_MIN`, which the model of the kernel starts from whatever `tcp_rto_min_us` says (`retransmits_timed_out`).
const RTO_MIN_MS: u64 = 200;
/// `TCP_RTO_MAX`, the default of `tcp_rto_max_ms`.
const RTO_MAX_MS: u64 = 120_000;
