//! One connection of a probe, made and carried through as the model says, with what this end's kernel tells on the way.
//!
//! In the calling thread's network namespace. It judges nothing, sends nothing but what the trial says, and no wait is
//! longer than the trial's or than the moment given. What is said may go through a [`Layer`], such as TLS.

mod layer;
mod layered;

pub use layer::Layer;

use crate::sock_diag::{self, Detail, Filter, States};
use crate::{connection, sys};
use lastack_model::facts::{PortRange, Transport};
use lastack_model::ids::Port;
use lastack_model::probe::{Moment, Observed, Reading, Seen, Talk, Told, Trial, Want};
use lastack_model::state::State;
use layer::Above;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::sockopt;
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A connection that is made.
#[derive(Debug)]
pub struct Dialogue {
    socket: OwnedFd,
    here: SocketAddr,
    there: SocketAddr,
    /// Whether this kernel is the other end's kernel too, and shows its sockets.
    shares_kernel: bool,
    /// Whether it was reset before it could be looked at.
    was_reset: bool,
    began: Instant,
    /// What its octets go through.
    above: Option<Above>,
}

/// How a connection went.
#[derive(Debug)]
pub enum Went {
    /// To the end of its trial.
    Through(Observed),
    /// The time was over before that.
    OutOfTime(Observed),
}

impl Dialogue {
    /// Connects; waits for the other side's answer at most so long.
    ///
    /// # Errors
    ///
    /// What the kernel says: `ConnectionRefused`, `HostUnreachable` and their kin; `TimedOut` where nobody answered.
    pub fn begin(to: SocketAddr, at_most: Duration) -> io::Result<Self> {
        let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = net::socket_with(family, SocketType::STREAM, flags, None)?;
        sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER)?;
        match net::connect(&socket, &to) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(cause) => return Err(cause.into()),
        }
        if ready(&socket, PollFlags::OUT, Instant::now() + at_most)?.is_empty() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "nobody answers"));
        }
        let was_reset = match sockopt::socket_error(&socket)? {
            Ok(()) => false,
            // A refusal of the SYN is told as `ECONNREFUSED`; this one came to a connection (`tcp_reset`).
            Err(Errno::CONNRESET | Errno::PIPE) => true,
            Err(cause) => return Err(cause.into()),
        };
        let here = SocketAddr::try_from(net::getsockname(&socket)?)?;
        let is_with_itself = here == to;
        if is_with_itself {
            // Nobody listens: the first segment met itself (RFC 9293 §3.5).
            sys::set_linger(&socket, true, 0)?;
            return Err(Errno::CONNREFUSED.into());
        }
        let shares_kernel = here.ip().to_canonical() == to.ip().to_canonical();
        let began = Instant::now();
        Ok(Self { socket, here, there: to, shares_kernel, was_reset, began, above: None })
    }

    /// The same through this layer, whose handshake the trial begins with ([`Trial::within_tls`]).
    #[must_use]
    pub fn through(self, layer: Box<dyn Layer>) -> Self {
        Self { above: Some(Above::new(layer)), ..self }
    }

    /// Does what the trial says, until that moment at the latest, and closes. What the trial leaves unfinished is
    /// reset, so that neither side keeps anything of it.
    ///
    /// # Errors
    ///
    /// Where the kernel refuses what every connection can do.
    pub fn hold(mut self, trial: &Trial, most_read: u64, until: Instant) -> io::Result<Went> {
        let mut talk = Talk::new(trial, most_read, self.seen()?);
        let mut room = vec![0; ROOM];
        if self.was_reset {
            talk.handle_reset(Told::Nobody, self.seen()?);
        }
        while talk.want() != Want::Over {
            if Instant::now() >= until {
                connection::reset_on_close(&self.socket)?;
                return Ok(Went::OutOfTime(talk.into_observed()));
            }
            self.step(&mut talk, &mut room, until)?;
        }
        if talk.is_unfinished() {
            connection::reset_on_close(&self.socket)?;
        }
        Ok(Went::Through(talk.into_observed()))
    }

    fn step(&mut self, talk: &mut Talk, room: &mut [u8], most: Instant) -> io::Result<()> {
        match talk.want() {
            Want::Over => Ok(()),
            Want::Secure(until) => self.secure(talk, room, until, most),
            Want::Notify(until) => self.notify(talk, until, most),
            Want::Shutdown => match net::shutdown(&self.socket, Shutdown::Write) {
                Ok(()) => {
                    talk.handle_shutdown(self.seen()?);
                    Ok(())
                }
                Err(error) => self.broken(error, Told::Writer, talk),
            },
            Want::Write(octets, reading, until) => {
                let flags = match reading {
                    Reading::Meanwhile => PollFlags::OUT | PollFlags::IN,
                    Reading::Later => PollFlags::OUT,
                };
                if reading == Reading::Meanwhile && self.has_heard() {
                    return self.read(talk, room);
                }
                let events = ready(&self.socket, flags, self.moment(until).min(most))?;
                if reading == Reading::Meanwhile && events.intersects(PollFlags::IN) {
                    return self.read(talk, room);
                }
                if events.is_empty() {
                    return self.time(talk, until);
                }
                if let Some(above) = &mut self.above {
                    return match above.say(octets) {
                        Ok(()) => self.send_record(talk),
                        Err(cause) => self.fails(cause, talk),
                    };
                }
                let piece = &octets[..octets.len().min(ROOM)];
                match net::send(&self.socket, piece, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                    Ok(sent) => talk.handle_written(sent, self.seen()?),
                    Err(Errno::AGAIN | Errno::INTR) => {}
                    Err(error) => return self.broken(error, Told::Writer, talk),
                }
                Ok(())
            }
            Want::Look(until) => {
                let events = ready(&self.socket, PollFlags::IN, self.moment(until).min(most))?;
                if events.is_empty() {
                    return self.time(talk, until);
                }
                if self.above.is_some() {
                    return self.look_through(talk, room);
                }
                // A reset is readable too; what it left in the queue comes first.
                talk.handle_readable(self.seen()?);
                Ok(())
            }
            Want::Hold(until) => {
                let events = ready(&self.socket, PollFlags::empty(), self.moment(until).min(most))?;
                if events.intersects(PollFlags::ERR) {
                    return self.error(talk);
                }
                // A hang-up without an error is both FINs, and ends no pause.
                if !events.is_empty() {
                    std::thread::sleep(PAUSE);
                }
                self.time(talk, until)
            }
            Want::Read(_) if self.has_heard() => self.read(talk, room),
            Want::Read(until) => {
                let events = ready(&self.socket, PollFlags::IN, self.moment(until).min(most))?;
                if events.is_empty() { self.time(talk, until) } else { self.read(talk, room) }
            }
            Want::Acknowledged(until) => self.acknowledged(talk, until, most),
        }
    }

    fn read(&mut self, talk: &mut Talk, room: &mut [u8]) -> io::Result<()> {
        if self.above.is_some() {
            return self.read_through(talk, room);
        }
        match net::recv(&self.socket, &mut *room, RecvFlags::DONTWAIT) {
            Ok((_, 0)) => talk.handle_end(self.seen()?),
            Ok((_, length)) => talk.handle_octets(&room[..length], self.seen()?),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return self.broken(error, Told::Reader, talk),
        }
        Ok(())
    }

    /// Nothing wakes a program when octets are acknowledged.
    fn acknowledged(&self, talk: &mut Talk, until: Moment, most: Instant) -> io::Result<()> {
        let seen = self.seen()?;
        // A reset that comes after the peer's FIN is told by the socket's error alone.
        let events = ready(&self.socket, PollFlags::empty(), Instant::now())?;
        if events.intersects(PollFlags::ERR) {
            return self.error(talk);
        }
        if seen.unacked == Some(0) {
            talk.handle_acknowledged(seen);
            return Ok(());
        }
        let next = (Instant::now() + PAUSE).min(self.moment(until)).min(most);
        if ready(&self.socket, PollFlags::empty(), next)?.is_empty() {
            self.time(talk, until)?;
        } else {
            // A hang-up that stays would make this a busy loop.
            std::thread::sleep(PAUSE);
            self.time(talk, until)?;
        }
        Ok(())
    }

    fn error(&self, talk: &mut Talk) -> io::Result<()> {
        match sockopt::socket_error(&self.socket)? {
            Err(error) => self.broken(error, Told::Nobody, talk),
            Ok(()) => Ok(()),
        }
    }

    /// A reset is told as `ECONNRESET`, after the peer's FIN as `EPIPE` (`tcp_reset`); whoever writes later is told `EPIPE`
    /// of either.
    fn broken(&self, error: Errno, told: Told, talk: &mut Talk) -> io::Result<()> {
        let seen = self.seen()?;
        match error {
            Errno::PIPE => talk.handle_reset_after_fin(told, seen),
            Errno::CONNRESET | Errno::NOTCONN => talk.handle_reset(told, seen),
            other => talk.handle_failure(io::Error::from(other).to_string(), seen),
        }
        Ok(())
    }

    /// The moment has come, if it has.
    fn time(&self, talk: &mut Talk, until: Moment) -> io::Result<()> {
        if Instant::now() >= self.moment(until) {
            let there = self.other_end();
            talk.handle_time(Seen { there, ..self.seen()? });
        }
        Ok(())
    }

    fn moment(&self, at: Moment) -> Instant {
        self.began + Duration::from_millis(at.0)
    }

    fn seen(&self) -> io::Result<Seen> {
        let at = Moment(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX));
        let here = Some(connection::info(&self.socket)?.state);
        let unacked = Some(connection::unacknowledged(&self.socket)?);
        Ok(Seen { at, here, there: None, unacked })
    }

    /// The state of the other end, where this kernel has it: every user may see that.
    fn other_end(&self) -> Option<State> {
        if !self.shares_kernel {
            return None;
        }
        let port = Port(self.there.port());
        let filter = Filter {
            ports: Some(PortRange { low: port, high: port }),
            remote: Some((self.here.ip(), Port(self.here.port()))),
            states: States::ALL,
            detail: Detail::Plain,
            ..Filter::all(Transport::Tcp)
        };
        let found = sock_diag::fold(&filter, |found: &mut Option<State>, socket| {
            let (local, remote) = (socket.local, socket.remote);
            let same = |one: SocketAddr, other: SocketAddr| {
                (one.ip().to_canonical(), one.port()) == (other.ip().to_canonical(), other.port())
            };
            if same(local, self.there) && remote.is_some_and(|remote| same(remote, self.here)) {
                *found = Some(socket.state);
            }
        });
        found.ok().and_then(|dump| dump.folded)
    }
}

/// Waits until one of these is there, an error or a hang-up too, or until that moment.
fn ready(socket: &OwnedFd, wanted: PollFlags, until: Instant) -> io::Result<PollFlags> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut sockets = [PollFd::new(socket, wanted)];
        match poll(&mut sockets, Some(&left)) {
            Ok(_) => return Ok(sockets[0].revents()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// So small that an answer of some length waits in the server, where a reset destroys it.
const RECEIVE_BUFFER: usize = 16 << 10;
/// How much is read or sent at once.
const ROOM: usize = 16 << 10;
/// How often acknowledgements are looked for.
const PAUSE: Duration = Duration::from_millis(5);
