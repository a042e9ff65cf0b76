//! Which ports of which addresses a pool has.

use super::others::View;
use super::pool::Ports;
use super::sharing::Sharing;
use super::steward::{self, Duties};
use lastack_model::ids::Port;
use lastack_model::ports::Pool;
use lastack_os::host;
use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::IpAddr;

/// Chooses the ports and addresses of a pool.
///
/// ```
/// use lastack_graceful::ports::Ports;
///
/// # fn main() -> Result<(), std::net::AddrParseError> {
/// let ports = Ports::builder().ports(512..=1023).skip([631, 993]).at_random().build();
/// assert_eq!(ports.standing("192.0.2.1:514".parse()?).free, 510);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "nothing happens until `build` is called"]
pub struct PortsBuilder {
    ports: BTreeSet<u16>,
    skip: BTreeSet<u16>,
    addresses: Vec<IpAddr>,
    at_random: bool,
}

impl PortsBuilder {
    /// These ports too.
    pub fn ports(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.ports.extend(ports);
        self
    }

    /// Not these, whoever adds them.
    pub fn skip(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.skip.extend(ports);
        self
    }

    /// From this local address too. Each has every port; without any the kernel chooses by the route.
    pub fn address(mut self, address: IpAddr) -> Self {
        self.addresses.push(address);
        self
    }

    /// Begins with a random port instead of the lowest. A program that starts again meets less of what the last run left.
    pub const fn at_random(mut self) -> Self {
        self.at_random = true;
        self
    }

    /// The pool: all of the ports, whoever else uses them.
    pub fn build(self) -> Ports {
        let ports = self.chosen();
        Ports::new(self.pool(ports))
    }

    /// The pool, sharing the ports with every other process of this network namespace that does so too. Each of them gets
    /// its part, more when there are fewer, and all of it the moment a process ends, however it ends: nothing is kept in
    /// files. What earlier runs and other programs left on the ports is seen in the kernel's list of sockets, at the start
    /// and whenever the kernel refuses a port.
    ///
    /// A thread sees to it until the last handle to the pool is gone. All is about the network namespace of the calling
    /// thread.
    ///
    /// ```
    /// use lastack_graceful::ports::Ports;
    ///
    /// let ports = Ports::builder().ports(23_000..=23_127).share()?;
    /// let shares = ports.shares().map(|it| (it.members, it.own, it.ports));
    /// assert_eq!(shares, Some((1, 128, 128)));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the ports may not be bound (`CAP_NET_BIND_SERVICE`), with the ways to come by the right; when the kernel does
    /// not show who else is there.
    pub fn share(self) -> io::Result<Ports> {
        let chosen = self.chosen();
        let lowest = chosen.first().copied().unwrap_or(Port(u16::MAX));
        host::may_bind_from(lowest).map_err(told)?;
        let mut pool = self.pool(chosen.clone());
        for port in &chosen {
            pool.withdraw(*port);
        }
        let ports = Ports::new(pool);
        let mut sharing = Sharing::join(&chosen).map_err(told)?;
        sharing.step(&ports).map_err(told)?;
        let mut view = View::of(&chosen);
        view.look(&ports).map_err(told)?;
        steward::start(&ports, Duties { sharing, view })?;
        Ok(ports)
    }

    fn chosen(&self) -> Vec<Port> {
        // Port 0 is none: it would let the kernel choose.
        let ports = self.ports.difference(&self.skip).filter(|port| **port != 0);
        ports.map(|port| Port(*port)).collect()
    }

    fn pool(self, ports: Vec<Port>) -> Pool {
        let seed = if self.at_random { RandomState::new().hash_one(0) } else { 0 };
        Pool::new(ports).with_addresses(self.addresses).starting_at(seed)
    }
}

fn told(error: lastack_os::Error) -> io::Error {
    io::Error::new(error.cause().kind(), error)
}
