//! What every driver does between two waits: as much of the plan as can be done at once, on any socket.

use super::half_close::LastWords;
use super::plan::{Finish, Plan, Seen, Want};
use super::policy::ClosePolicy;
use super::report::CloseReport;
use lastack_model::state::State;
use lastack_os::connection;
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{self, RecvFlags, SendFlags, Shutdown, sockopt};
use std::io;
use std::mem::MaybeUninit;
use std::time::Instant;

/// A plan, and the octets that it wants sent.
#[derive(Clone, Debug)]
pub(super) struct Course {
    plan: Plan,
    words: LastWords,
}

/// What a driver does next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// Wait until something can be read, or until this moment.
    Readable(Instant),
    /// Wait until something can be sent or read, or until this moment.
    ReadableOrWritable(Instant),
    /// Wait until something can be sent, or until this moment.
    Writable(Instant),
    /// Wait until this moment.
    Pause(Instant),
    /// Nothing: the peer keeps sending, and others may want a turn.
    Again,
    /// Drop the socket, which ends the connection as planned.
    Over(CloseReport),
}

impl Course {
    /// Begins now.
    pub(super) fn new(policy: ClosePolicy, words: LastWords) -> Self {
        let plan = Plan::layered(policy, Instant::now(), words.kept(), words.farewell());
        Self { plan, words }
    }
}

/// Does what can be done without waiting.
pub(super) fn advance(socket: &impl Discard, course: &mut Course) -> io::Result<Step> {
    let Course { plan, words } = course;
    for _ in 0..TURN {
        match plan.want() {
            Want::SendAndRead(octets, until) => {
                let received = receive(socket, plan)?;
                let sent = say(octets, words, socket, plan)?;
                if received == Progress::None && sent == Progress::None {
                    if Instant::now() < until {
                        return Ok(Step::ReadableOrWritable(until));
                    }
                    look_again(socket, plan)?;
                }
            }
            Want::Send(octets, until) => {
                if say(octets, words, socket, plan)? == Progress::None {
                    if Instant::now() < until {
                        return Ok(Step::Writable(until));
                    }
                    look_again(socket, plan)?;
                }
            }
            Want::Shutdown => shut_down(socket, plan)?,
            Want::Read(until) => match read(socket, plan) {
                Ok(None) if Instant::now() < until => return Ok(Step::Readable(until)),
                read => take(read, socket, plan)?,
            },
            Want::Pause(until) if Instant::now() < until => return Ok(Step::Pause(until)),
            Want::Pause(_) => look_again(socket, plan)?,
            Want::Finish(finish) => {
                if finish == Finish::Reset {
                    connection::reset_on_close(socket)?;
                }
                let report = plan.report(Instant::now());
                let report = report.ok_or_else(|| io::Error::other("a close without an outcome"));
                return report.map(Step::Over);
            }
        }
    }
    Ok(Step::Again)
}

/// Whether a call changed anything.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Progress {
    Some,
    None,
}

fn receive(socket: &impl Discard, plan: &mut Plan) -> io::Result<Progress> {
    match read(socket, plan) {
        Ok(None) => Ok(Progress::None),
        read => take(read, socket, plan).map(|()| Progress::Some),
    }
}

/// Asks the kernel in any case while its answer tells more than whether there is something.
fn read(socket: &impl Discard, plan: &mut Plan) -> Result<Option<u64>, Errno> {
    if !plan.doubts_an_end() {
        return socket.discard();
    }
    let read = socket.discard_now();
    if read == Ok(None) {
        plan.handle_nothing();
    }
    read
}

/// Sends what it can of the layer's last words, if the plan still wants them.
fn say(
    octets: u64,
    words: &mut LastWords,
    socket: &impl AsFd,
    plan: &mut Plan,
) -> io::Result<Progress> {
    if !matches!(plan.want(), Want::Send(..) | Want::SendAndRead(..)) {
        return Ok(Progress::Some);
    }
    // Sending would say of a socket that cannot send only that it cannot.
    if let Err(error) = sockopt::socket_error(socket)? {
        return over(error, socket, plan).map(|()| Progress::Some);
    }
    match connection::info(socket)?.state {
        State::Closed | State::TimeWait => gone(socket, plan)?,
        State::FinWait1 | State::FinWait2 | State::Closing | State::LastAck => {
            let seen = seen(socket, plan)?;
            plan.handle_sealed(seen);
        }
        State::Established
        | State::CloseWait
        | State::SynSent
        | State::SynReceived
        | State::Listen => {
            match net::send(socket, words.next(octets), SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(sent) => {
                    words.advance(sent);
                    let seen = seen(socket, plan)?;
                    plan.handle_sent(sent as u64, seen);
                }
                Err(Errno::AGAIN | Errno::INTR) => return Ok(Progress::None),
                Err(error) => over(error, socket, plan)?,
            }
        }
    }
    Ok(Progress::Some)
}

fn shut_down(socket: &impl Discard, plan: &mut Plan) -> io::Result<()> {
    let before = look_before_fin(socket, plan)?;
    if plan.want() != Want::Shutdown {
        return Ok(());
    }
    match net::shutdown(socket, Shutdown::Write) {
        Ok(()) => {
            let seen = seen_after_fin(socket, plan)?;
            plan.handle_shutdown(before, seen);
        }
        // The connection is gone already. Why is said once, to whoever asks first.
        Err(Errno::NOTCONN) => gone(socket, plan)?,
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// There is no connection any more. Only after that is it known that an error would have been said.
fn gone(socket: &impl AsFd, plan: &mut Plan) -> io::Result<()> {
    let seen = seen(socket, plan)?;
    match sockopt::socket_error(socket)? {
        Err(error) => over(error, socket, plan)?,
        Ok(()) => plan.handle_gone(seen),
    }
    Ok(())
}

/// The state, where the peer's FIN may be here already. What has come in is thrown away in any case, and trying to read
/// costs half of what asking for the state does.
fn look_before_fin(socket: &impl Discard, plan: &mut Plan) -> io::Result<Option<State>> {
    if !plan.looks_at_end() {
        return Ok(None);
    }
    match read(socket, plan) {
        Ok(None) => Ok(None),
        read => {
            take(read, socket, plan)?;
            state(socket, plan)
        }
    }
}

fn take(
    read: Result<Option<u64>, Errno>,
    socket: &impl Discard,
    plan: &mut Plan,
) -> io::Result<()> {
    let seen = match read {
        Ok(Some(0)) => seen_at_end(socket, plan)?,
        _ => seen(socket, plan)?,
    };
    match read {
        Ok(Some(0)) => plan.handle_end(seen),
        Ok(Some(octets)) => plan.handle_octets(octets, seen),
        Ok(None) => plan.handle_timeout(seen),
        Err(error) => over(error, socket, plan)?,
    }
    Ok(())
}

/// After both FINs a reset is no longer seen by reading, only as the socket's error.
fn look_again(socket: &impl AsFd, plan: &mut Plan) -> io::Result<()> {
    let seen = seen(socket, plan)?;
    match sockopt::socket_error(socket)? {
        Err(error) => over(error, socket, plan)?,
        Ok(()) => plan.handle_timeout(seen),
    }
    Ok(())
}

/// Tells the plan of an error of the connection's: a reset (`tcp_reset`), the kernel's giving up (`tcp_write_err`), or
/// what a router or a host said (`icmp_err_convert`, `icmpv6_err_convert`), which need not end it: it is told at once where
/// the program asked for that (`IP_RECVERR`), and by `SO_ERROR` (`tcp_v4_err`, `tcp_v6_err`). Any other is the caller's.
fn over(error: Errno, socket: &impl AsFd, plan: &mut Plan) -> io::Result<()> {
    let seen = seen(socket, plan)?;
    match error {
        Errno::CONNRESET | Errno::PIPE => plan.handle_reset(seen),
        Errno::TIMEDOUT
        | Errno::CONNABORTED
        | Errno::CONNREFUSED
        | Errno::HOSTUNREACH
        | Errno::NETUNREACH
        | Errno::HOSTDOWN
        | Errno::NONET
        | Errno::NOPROTOOPT
        | Errno::OPNOTSUPP
        | Errno::ACCESS
        | Errno::PROTO => {
            if matches!(connection::info(socket)?.state, State::Closed | State::TimeWait) {
                plan.handle_lost(seen);
            } else {
                plan.handle_timeout(seen);
            }
        }
        Errno::NOTCONN => plan.handle_gone(seen),
        _ => return Err(error.into()),
    }
    Ok(())
}

fn seen(socket: &impl AsFd, plan: &Plan) -> io::Result<Seen> {
    let state = state(socket, plan)?;
    let unacked = if plan.looks_at_unacked() && !is_opening(state) {
        Some(connection::unacknowledged(socket)?)
    } else {
        None
    };
    Ok(Seen { now: Instant::now(), state, unacked })
}

/// Whether the handshake is not over, as with TCP Fast Open (RFC 7413): nothing is counted as unacknowledged until then
/// (`tcp_ioctl`).
const fn is_opening(state: Option<State>) -> bool {
    matches!(state, Some(State::SynSent | State::SynReceived))
}

/// As [`seen`], with no more than the end of the stream makes necessary. Before our FIN it can only tell who was first.
fn seen_at_end(socket: &impl Discard, plan: &Plan) -> io::Result<Seen> {
    let state = if !plan.looks_at_end() {
        None
    } else if plan.trusts_an_end() && socket.is_only_receiving_shut() {
        // The peer's FIN is here, and ours was not sent.
        Some(State::CloseWait)
    } else {
        Some(connection::info(socket)?.state)
    };
    let unacked = if plan.is_fin_sent() && plan.looks_at_unacked() {
        Some(connection::unacknowledged(socket)?)
    } else {
        None
    };
    Ok(Seen { now: Instant::now(), state, unacked })
}

/// As [`seen`], where the state may tell as much of the FIN just sent as is to be known at once.
fn seen_after_fin(socket: &impl AsFd, plan: &Plan) -> io::Result<Seen> {
    let state = state(socket, plan)?;
    let unacked = match state {
        Some(State::FinWait2) => Some(0),
        // The acknowledgement mostly comes with the peer's own FIN (`tcp_fin`, `inet_csk_enter_pingpong_mode`).
        Some(State::FinWait1) => None,
        _ if is_opening(state) => None,
        _ => Some(connection::unacknowledged(socket)?),
    };
    Ok(Seen { now: Instant::now(), state, unacked })
}

/// The state, as long as it can tell the plan anything: each look is a system call.
fn state(socket: &impl AsFd, plan: &Plan) -> io::Result<Option<State>> {
    if !plan.looks_at_state() {
        return Ok(None);
    }
    connection::info(socket).map(|info| Some(info.state))
}

/// A socket from which what has come in can be thrown away.
pub(super) trait Discard: AsFd + Sized {
    /// Throws away what is there: how many octets, 0 at the end of the stream, `None` when there is nothing yet. Whoever
    /// remembers that there is nothing need not ask the kernel.
    fn discard(&self) -> Result<Option<u64>, Errno> {
        self.discard_now()
    }

    /// The same by asking the kernel in any case.
    fn discard_now(&self) -> Result<Option<u64>, Errno> {
        discard(self, RecvFlags::DONTWAIT)
    }

    /// Whether the last wait saw the receiving side shut and not the sending side: `false` where it did not, or where that
    /// is not known without a system call.
    fn is_only_receiving_shut(&self) -> bool {
        false
    }
}

/// Closes it with a reset; plainly where the kernel refuses the option.
pub(super) fn reset(socket: impl AsFd) -> io::Result<()> {
    let set = connection::reset_on_close(&socket);
    drop(socket);
    set
}

/// Throws away what is there, which the kernel does without a copy (`MSG_TRUNC`; `tcp_recvmsg_locked`).
pub(super) fn discard(socket: &impl AsFd, flags: RecvFlags) -> Result<Option<u64>, Errno> {
    let mut room = [MaybeUninit::<u8>::uninit(); ROOM];
    match net::recv(socket, &mut room[..], flags | RecvFlags::TRUNC) {
        Ok((_, length)) => Ok(Some(length as u64)),
        Err(Errno::AGAIN | Errno::INTR) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Discard for std::net::TcpStream {}

impl Discard for OwnedFd {}

/// How much is thrown away at once.
const ROOM: usize = 16 << 10;
/// How many calls one connection may make before the others have their turn.
const TURN: u32 = 64;
