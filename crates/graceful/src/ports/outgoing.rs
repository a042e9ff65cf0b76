//! One connection from a local address, port or range.
//!
//! A named port is bound with `SO_REUSEADDR`, so that its remains keep nobody from using it toward another destination.

use super::error::{ConnectError, Step};
use lastack_model::facts::PortRange;
use lastack_model::ids::Port;
use lastack_os::{connection, host};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::io::{Errno, ioctl_fionbio};
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

/// A connection that somebody wants to make from a local end of his choice.
///
/// ```
/// use lastack_graceful::ports::Outgoing;
/// use std::net::TcpListener;
///
/// # fn main() -> std::io::Result<()> {
/// let server = TcpListener::bind("127.0.0.1:0")?;
/// let stream = Outgoing::to(server.local_addr()?).from_ports(20_500..=20_999).connect()?;
/// assert!((20_500..=20_999).contains(&stream.local_addr()?.port()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing happens until `connect` is called"]
pub struct Outgoing {
    destination: SocketAddr,
    address: Option<IpAddr>,
    port: u16,
    range: Option<PortRange>,
    limit: Option<Duration>,
}

/// Which way the kernel is told about the port.
#[derive(Clone, Copy, Debug)]
enum How {
    /// It is this one.
    Named,
    /// It shall be chosen by `connect()`, toward the destination.
    Late,
    /// The same, from this range.
    Within(PortRange),
}

impl Outgoing {
    /// To this destination; from wherever the kernel likes, unless told otherwise.
    pub const fn to(destination: SocketAddr) -> Self {
        Self { destination, address: None, port: 0, range: None, limit: None }
    }

    /// From this address and port. Port 0 leaves the port to `connect()`, which takes one that is free *toward the
    /// destination* (`IP_BIND_ADDRESS_NO_PORT`): a plain `bind()` would take one that is free altogether, and run out
    /// sooner.
    pub const fn from(mut self, local: SocketAddr) -> Self {
        self.address = Some(local.ip());
        self.port = local.port();
        self
    }

    /// From this address; the port as [`from`](Self::from) says of port 0.
    pub const fn from_ip(mut self, address: IpAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// From one of these ports. Where the kernel can choose from a range (`IP_LOCAL_PORT_RANGE`, Linux 6.3, for ranges
    /// within `net.ipv4.ip_local_port_range`) it does; otherwise they are tried one by one from a random one on.
    pub const fn from_ports(mut self, ports: RangeInclusive<u16>) -> Self {
        self.range = Some(PortRange { low: Port(*ports.start()), high: Port(*ports.end()) });
        self
    }

    /// Gives up after this long. Unless told so, when the kernel does (`tcp_syn_retries`: two minutes as a rule).
    pub const fn within(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Connects.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] tells a port that is taken from a four-tuple that is, and both from a range that is spent.
    pub fn connect(&self) -> Result<TcpStream, ConnectError> {
        let until = self.limit.map(|limit| Instant::now() + limit);
        let Some(range) = self.range else {
            let how = if self.port == 0 { How::Late } else { How::Named };
            return self.connect_from(self.port, how, until);
        };
        if is_lent(range) {
            match self.connect_from(0, How::Within(range), until) {
                // Linux before 6.3.
                Err(error) if error.step == Step::Prepare => {}
                done => return done,
            }
        }
        self.connect_from_any(range, until)
    }

    fn connect_from_any(
        &self,
        range: PortRange,
        until: Option<Instant>,
    ) -> Result<TcpStream, ConnectError> {
        let count = range.ports().count();
        let start = RandomState::new().hash_one(0) as usize % count.max(1);
        let ports = || range.ports();
        for port in ports().skip(start).chain(ports().take(start)) {
            match self.connect_from(port, How::Named, until) {
                Err(error) if is_taken(&error) => {}
                done => return done,
            }
        }
        Err(self.failed(Step::Choose(count, None), self.local(0), Errno::ADDRNOTAVAIL))
    }

    fn connect_from(
        &self,
        port: u16,
        how: How,
        until: Option<Instant>,
    ) -> Result<TcpStream, ConnectError> {
        let socket = self.bound(port, how)?;
        let at_connect = |errno| self.failed(Step::Connect, self.local(port), errno);
        connect(&socket, self.destination, until).map_err(at_connect)?;
        Ok(TcpStream::from(socket))
    }

    /// From this port, whatever was said of ports; the socket, bound and not connected. It does not block.
    pub(super) fn bound_to(&self, port: u16) -> Result<OwnedFd, ConnectError> {
        self.bound(port, How::Named)
    }

    fn bound(&self, port: u16, how: How) -> Result<OwnedFd, ConnectError> {
        let local = self.local(port);
        let at_step = |step| move |errno| self.failed(step, local, errno);
        let family = match self.destination {
            SocketAddr::V4(_) => AddressFamily::INET,
            SocketAddr::V6(_) => AddressFamily::INET6,
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = net::socket_with(family, SocketType::STREAM, flags, None)
            .map_err(at_step(Step::Connect))?;
        let system = |cause: std::io::Error| Errno::from_io_error(&cause).unwrap_or(Errno::IO);
        match how {
            How::Named => sockopt::set_socket_reuseaddr(&socket, true),
            // Without it the kernel chooses the port at the bind, which is right and runs out sooner.
            How::Late => connection::choose_port_late(&socket).or(Ok(())),
            How::Within(range) => connection::choose_port_late(&socket)
                .and_then(|()| connection::limit_ports(&socket, range))
                .map_err(system),
        }
        .map_err(at_step(Step::Prepare))?;
        if let Some(local) = local {
            net::bind(&socket, &local).map_err(at_step(Step::Bind))?;
        }
        Ok(socket)
    }

    /// Where it leaves from, if anything was said of that.
    pub(super) fn local(&self, port: u16) -> Option<SocketAddr> {
        let any = match self.destination {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let said = self.address.is_some() || port != 0;
        said.then(|| SocketAddr::new(self.address.unwrap_or(any), port))
    }

    pub(super) fn failed(
        &self,
        step: Step,
        local: Option<SocketAddr>,
        errno: Errno,
    ) -> ConnectError {
        ConnectError { step, local, destination: self.destination, cause: errno.into() }
    }
}

/// Connects a socket that does not block, and lets it block from then on.
pub(super) fn connect(
    socket: &OwnedFd,
    to: SocketAddr,
    until: Option<Instant>,
) -> Result<(), Errno> {
    match net::connect(socket, &to) {
        Ok(()) => {}
        Err(Errno::INPROGRESS) => {
            wait(socket, until)?;
            sockopt::socket_error(socket)??;
        }
        Err(errno) => return Err(errno),
    }
    ioctl_fionbio(socket, false)
}

fn wait(socket: &OwnedFd, until: Option<Instant>) -> Result<(), Errno> {
    loop {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let left = left.map(Timespec::try_from).transpose().map_err(|_| Errno::INVAL)?;
        match poll(&mut [PollFd::new(socket, PollFlags::OUT)], left.as_ref()) {
            Ok(0) => return Err(Errno::TIMEDOUT),
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Whether somebody else has the port or the four-tuple, so that another port may do.
pub(super) fn is_taken(error: &ConnectError) -> bool {
    use super::error::Obstacle;
    matches!(error.obstacle(), Obstacle::PortInUse | Obstacle::FourTupleTaken)
}

/// Whether the kernel lends the whole range to whoever names no port. Of another it would heed a part.
fn is_lent(range: PortRange) -> bool {
    let lent = host::sysctls().map(|settings| settings.local_port_range);
    lent.is_ok_and(|lent| {
        range.low <= range.high && lent.contains(range.low) && lent.contains(range.high)
    })
}
