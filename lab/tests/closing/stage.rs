//! Connections between addresses of one's choice, and the proof that they live or have ended.

use lastack_lab::paper::assert_clean;
use lastack_lab::program::{Run, User, lastack_as, undisturbed};
use lastack_lab::states::{self, Pair, wait_until};
use lastack_lab::{sockets, states::on_port};
use lastack_model::bind::{Options, Request};
use lastack_model::facts::Transport;
use lastack_model::ids::{Cookie, Port, Uid};
use lastack_model::state::State;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};

/// Runs `lastack close` as root, and checks what holds for every answer.
pub(crate) fn close(arguments: &[&str]) -> Run {
    close_as(User::Root, arguments)
}

/// The same as another user.
pub(crate) fn close_as(user: User, arguments: &[&str]) -> Run {
    let run = lastack_as(user, &[&["close"], arguments].concat());
    assert_eq!(run.stderr, "", "{arguments:?}: {}", run.stdout);
    if arguments.contains(&"--json") {
        assert_eq!(run.json()["exit"], run.code.expect("an exit code"), "{}", run.stdout);
    } else {
        assert_clean(&run.stdout);
    }
    run
}

/// Closes without asking, and checks that this is all that it says to have done: so many, and all have ended.
pub(crate) fn assert_closes(arguments: &[&str], count: u64) {
    let run = close(&[arguments, &["--yes"]].concat());
    assert_eq!(run.code, Some(0), "{arguments:?}: {}", run.stdout);
    let words = match count {
        1 => "It has ended.".to_owned(),
        n => format!("All {n} have ended."),
    };
    assert!(run.stdout.contains(&words), "{words:?} is not said: {}", run.stdout);
}

/// How many connections the filter selects.
pub(crate) fn selected(arguments: &[&str]) -> u64 {
    let run = close(&[arguments, &["--dry-run", "--json"]].concat());
    let connections = run.json()["connections"].as_array().expect("connections").clone();
    connections.iter().map(|group| group["sockets"]["count"].as_u64().expect("a count")).sum()
}

/// The one object that a run printed, with its list of that name.
pub(crate) fn list<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    answer[name].as_array().unwrap_or_else(|| panic!("no list {name} in {answer}"))
}

/// A listener on this address, on a port of its own, that others may follow.
pub(crate) fn listener(address: impl Into<IpAddr>) -> (OwnedFd, SocketAddr) {
    let place = request(address, fresh_port());
    let to = SocketAddr::new(place.address, place.port.0);
    (states::listening(&place), to)
}

/// A connection to the listener from this address.
pub(crate) fn connect(listener: &OwnedFd, to: SocketAddr, from: impl Into<IpAddr>) -> Pair {
    connect_of(Uid(0), listener, to, from)
}

/// The same, whose accepted end belongs to this user.
pub(crate) fn connect_of(
    uid: Uid,
    listener: &OwnedFd,
    to: SocketAddr,
    from: impl Into<IpAddr>,
) -> Pair {
    sockets::shrink_buffers(listener);
    let peer = states::bound(&request(from, 0));
    sockets::shrink_buffers(&peer);
    sockets::connect(&peer, to).expect("a connection");
    let remote = sockets::local(&peer);
    states::wait_for(to.port(), |socket| {
        socket.state == State::Established
            && socket.remote.is_some_and(|there| there.port() == remote.port())
    });
    Pair { ours: sockets::accept(listener, uid).expect("a connection in the queue"), peer }
}

/// Connects from this address, closes our end first and the peer's then: `TIME_WAIT` here.
pub(crate) fn time_wait(listener: &OwnedFd, to: SocketAddr, from: impl Into<IpAddr>) -> Cookie {
    let pair = connect(listener, to, from);
    let remote = sockets::local(&pair.peer);
    undisturbed(|| states::time_wait(pair));
    let waits = |socket: &lastack_model::facts::Socket| {
        socket.state == State::TimeWait && socket.remote == Some(remote)
    };
    on_port(to.port()).into_iter().find(waits).expect("it waits").cookie
}

/// A bind of root's with `SO_REUSEADDR`.
pub(crate) fn request(address: impl Into<IpAddr>, port: u16) -> Request {
    Request {
        transport: Transport::Tcp,
        address: address.into(),
        port: Port(port),
        options: Options { reuse_address: true, ..Options::default() },
        uid: Uid(0),
        may_bind_reserved: true,
    }
}

/// A port that no other test uses. Below the ephemeral range.
pub(crate) fn fresh_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(7000);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Checks that what one end sends arrives at the other, both ways.
pub(crate) fn assert_lives(pair: &Pair) {
    for (from, to) in [(&pair.ours, &pair.peer), (&pair.peer, &pair.ours)] {
        assert_eq!(send(from, b"x", SendFlags::NOSIGNAL), Ok(1), "it can send");
        let arrived = || recv(to, &mut [0; 1][..], RecvFlags::empty()) == Ok((1, 1));
        wait_until("a byte arrives", arrived);
    }
}

/// Checks that the program on our end sees `ECONNABORTED` and the peer a reset.
pub(crate) fn assert_ended(pair: &Pair) {
    assert_eq!(error_of(&pair.ours), Errno::CONNABORTED, "our end");
    assert_eq!(error_of(&pair.peer), Errno::CONNRESET, "the peer");
}

/// What the next read says, once it says something.
pub(crate) fn error_of(socket: &OwnedFd) -> Errno {
    let read = || recv(socket, &mut [0; 1 << 12][..], RecvFlags::empty());
    loop {
        match read() {
            Ok((0, _)) => panic!("an orderly end instead of an error"),
            Ok(_) | Err(Errno::AGAIN) => std::thread::yield_now(),
            Err(error) => return error,
        }
    }
}

/// Checks that the listener accepts a new connection.
pub(crate) fn assert_listens(listener: &OwnedFd, to: SocketAddr) {
    assert_lives(&connect(listener, to, to.ip()));
}

/// Whether the socket of this cookie is on the port.
pub(crate) fn is_there(port: u16, cookie: Cookie) -> bool {
    on_port(port).iter().any(|socket| socket.cookie == cookie)
}

/// The server's address in most tests.
pub(crate) const HERE: [u8; 4] = [127, 0, 0, 1];
/// A peer's.
pub(crate) const ONE: [u8; 4] = [127, 0, 0, 2];
/// Another peer's.
pub(crate) const OTHER: [u8; 4] = [127, 0, 0, 3];
