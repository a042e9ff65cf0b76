//! The arithmetic of local ports toward one destination: how many there are, how many are taken, how fast they return.

mod ledger;
mod others;
mod pool;
mod share;
mod standing;
mod terms;

pub use pool::Pool;
pub use share::{Move, Situation};
pub use standing::Standing;
pub use terms::{Afterwards, Choice, Hold, Local, Withdrawn};

use crate::bind::Candidates;
use crate::facts::{Host, Socket};
use crate::ids::Port;
use crate::lifetime::TIME_WAIT_MS;
use crate::state::State;
use std::collections::BTreeMap;

/// Counts the ports in use toward one destination, socket by socket, in constant memory.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    toward: PortBits,
    bound: PortBits,
    states: BTreeMap<State, u64>,
}

/// A set of ports, one bit each.
#[derive(Clone, Debug)]
struct PortBits(Box<[u64; 1024]>);

/// How many local ports are left for new connections to one destination.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Budget {
    /// Ports that the kernel may choose (`ip_local_port_range` without `ip_local_reserved_ports`).
    pub usable: u32,
    /// Of these, ports with a connection to the destination, its remains included.
    pub toward: u32,
    /// Of these, ports that some socket took by `bind()`; `connect()` never chooses them.
    pub bound: u32,
    /// What is left.
    pub left: u32,
    /// The connections to the destination by state.
    pub states: BTreeMap<State, u64>,
    /// New connections per second that the range can bear for ever when this side closes first.
    pub bearable_per_second: u32,
}

/// How near a budget is to its end.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Strain {
    /// More than a fifth is left.
    Harmless,
    /// Less than a fifth is left.
    NearLimit,
    /// Nothing is left: `connect()` fails with `EADDRNOTAVAIL`.
    Spent,
}

impl Survey {
    /// Counts a connection to the destination.
    pub fn add_toward(&mut self, socket: &Socket) {
        self.toward.insert(socket.port());
        *self.states.entry(socket.state).or_default() += 1;
    }

    /// Counts a socket whose port was taken by `bind()`.
    pub fn add_bound(&mut self, socket: &Socket) {
        self.bound.insert(socket.port());
    }

    /// Ports in use toward the destination now that were not in use then.
    pub fn newer_than(&self, earlier: &Self) -> u32 {
        let pairs = self.toward.0.iter().zip(earlier.toward.0.iter());
        pairs.map(|(now, then)| (now & !then).count_ones()).sum()
    }

    /// The budget of this host.
    pub fn budget(&self, host: &Host) -> Budget {
        let usable: Vec<Port> = Candidates::of(host).ports().collect();
        let count =
            |test: &dyn Fn(Port) -> bool| usable.iter().filter(|port| test(**port)).count() as u32;
        Budget {
            usable: usable.len() as u32,
            toward: count(&|port| self.toward.contains(port)),
            bound: count(&|port| self.bound.contains(port)),
            left: count(&|port| !self.toward.contains(port) && !self.bound.contains(port)),
            states: self.states.clone(),
            bearable_per_second: usable.len() as u32 / (TIME_WAIT_MS / 1000) as u32,
        }
    }
}

impl Budget {
    /// How near it is to its end.
    pub const fn strain(&self) -> Strain {
        if self.left == 0 {
            Strain::Spent
        } else if self.left < self.usable / 5 {
            Strain::NearLimit
        } else {
            Strain::Harmless
        }
    }

    /// The connections in one state.
    pub fn in_state(&self, state: State) -> u64 {
        self.states.get(&state).copied().unwrap_or_default()
    }
}

impl PortBits {
    fn insert(&mut self, port: Port) {
        self.0[usize::from(port.0 / 64)] |= 1 << (port.0 % 64);
    }

    fn contains(&self, port: Port) -> bool {
        self.0[usize::from(port.0 / 64)] & (1 << (port.0 % 64)) != 0
    }
}

impl Default for PortBits {
    fn default() -> Self {
        Self(Box::new([0; 1024]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{PortRange, PortSet, Sysctls, Transport};

    fn host(low: u16, high: u16, reserved: &[u16]) -> Host {
        let range = |port| PortRange { low: Port(port), high: Port(port) };
        let sysctls = Sysctls {
            local_port_range: PortRange { low: Port(low), high: Port(high) },
            reserved_ports: PortSet(reserved.iter().copied().map(range).collect()),
            ..Sysctls::default()
        };
        Host { sysctls, ..Host::default() }
    }

    fn on(port: u16, state: State) -> Socket {
        let local = std::net::SocketAddr::from(([10, 0, 0, 1], port));
        Socket { state, ..Socket::closed(Transport::Tcp, local) }
    }

    #[test]
    fn reserved_bound_and_connected_ports_are_not_left() {
        let mut survey = Survey::default();
        survey.add_toward(&on(1000, State::Established));
        survey.add_toward(&on(1001, State::TimeWait));
        survey.add_toward(&on(5000, State::TimeWait));
        survey.add_bound(&on(1002, State::Listen));
        let budget = survey.budget(&host(1000, 1009, &[1009]));
        assert_eq!((budget.usable, budget.toward, budget.bound, budget.left), (9, 2, 1, 6));
        assert_eq!(budget.in_state(State::TimeWait), 2);
        assert_eq!(budget.strain(), Strain::Harmless);
    }

    #[test]
    fn the_default_range_bears_470_connections_a_second() {
        let budget = Survey::default().budget(&Host::default());
        assert_eq!(budget.bearable_per_second, 470);
    }

    #[test]
    fn a_spent_budget_is_told_from_one_near_its_end() {
        let mut survey = Survey::default();
        let host = host(1000, 1009, &[]);
        (1000..1009).for_each(|port| survey.add_toward(&on(port, State::TimeWait)));
        assert_eq!(survey.budget(&host).strain(), Strain::NearLimit);
        survey.add_toward(&on(1009, State::TimeWait));
        assert_eq!(survey.budget(&host).strain(), Strain::Spent);
    }

    #[test]
    fn a_sample_counts_the_ports_that_came_between() {
        let mut earlier = Survey::default();
        earlier.add_toward(&on(1000, State::Established));
        let mut later = earlier.clone();
        later.add_toward(&on(1001, State::TimeWait));
        assert_eq!(later.newer_than(&earlier), 1);
    }
}
