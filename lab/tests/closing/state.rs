//! By state: on one port with connections in every state, those in the named one end and no other.

use crate::stage::{
    HERE, ONE, OTHER, assert_closes, assert_listens, close, connect, error_of, fresh_port, list,
    listener, request, selected, time_wait,
};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::undisturbed;
use lastack_lab::sockets;
use lastack_lab::states::{self, on_port, wait_for};
use lastack_model::facts::{Family, Transport};
use lastack_model::ids::Cookie;
use lastack_model::state::State;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{Shutdown, shutdown};
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// A port with a connection in every state that an accepted one can be in, and a listener.
struct Port {
    server: OwnedFd,
    to: SocketAddr,
    established: OwnedFd,
    /// Ends that are open and were not said what happens to them.
    kept: Vec<OwnedFd>,
}

fn port_in_every_state() -> Port {
    let (server, to) = listener(HERE);
    let mut kept = Vec::new();
    time_wait(&server, to, ONE);
    kept.push(undisturbed(|| states::orphan_fin_wait_2(connect(&server, to, ONE))));
    kept.push(undisturbed(|| states::orphan_fin_wait_1(connect(&server, to, ONE))));
    kept.push(undisturbed(|| states::orphan_last_ack(connect(&server, to, ONE))));
    let closing = undisturbed(|| states::orphan_fin_wait_1(connect(&server, to, OTHER)));
    shutdown(&closing, Shutdown::Write).expect("the peer can half-close");
    wait_for(to.port(), |socket| socket.state == State::Closing);
    kept.push(closing);
    let half = connect(&server, to, ONE);
    shutdown(&half.ours, Shutdown::Write).expect("we can half-close");
    kept.extend([half.ours, half.peer]);
    let leak = connect(&server, to, ONE);
    shutdown(&leak.peer, Shutdown::Write).expect("the peer can half-close");
    wait_for(to.port(), |socket| socket.state == State::CloseWait);
    kept.extend([leak.ours, leak.peer]);
    let live = connect(&server, to, ONE);
    kept.push(live.ours);
    Port { server, to, established: live.peer, kept }
}

/// The sockets of our ends, by state.
fn in_state(port: u16, wanted: impl Fn(State) -> bool) -> BTreeSet<Cookie> {
    let all = on_port(port).into_iter();
    all.filter(|socket| wanted(socket.state)).map(|socket| socket.cookie).collect()
}

#[test]
fn each_state_ends_alone_and_the_listener_never() {
    Namespace::enter();
    let port = port_in_every_state();
    let number = port.to.port();
    let local = port.to.to_string();
    for (state, typed, count) in [
        (State::TimeWait, "time-wait", 1),
        (State::FinWait2, "FIN_WAIT_2", 2),
        (State::FinWait1, "fin-wait-1", 1),
        (State::Closing, "closing", 1),
        (State::LastAck, "last_ack", 1),
        (State::CloseWait, "Close-Wait", 1),
        (State::Established, "estab", 1),
    ] {
        let others = in_state(number, |there| there != state);
        assert_eq!(in_state(number, |there| there == state).len() as u64, count, "{state}");
        assert_closes(&["--local", &local, "--state", typed], count);
        assert_eq!(in_state(number, |there| there == state), BTreeSet::new(), "{state}");
        let left = in_state(number, |there| there != State::Closed);
        let missing: Vec<_> = others.difference(&left).collect();
        assert!(missing.is_empty(), "{missing:?} ended with {state}");
    }
    assert_eq!(error_of(&port.established), Errno::CONNRESET);
    assert_eq!(in_state(number, |state| state == State::Listen).len(), 1);
    assert_listens(&port.server, port.to);
    drop(port.kept);
}

#[test]
fn several_states_are_any_of_them() {
    Namespace::enter();
    let port = port_in_every_state();
    let local = port.to.to_string();
    assert_closes(&["--local", &local, "--state", "closing", "--state", "last-ack"], 2);
    let gone = |state| matches!(state, State::Closing | State::LastAck);
    assert_eq!(in_state(port.to.port(), gone), BTreeSet::new());
    assert_eq!(in_state(port.to.port(), |state| state == State::FinWait1).len(), 1);
    drop(port.kept);
}

#[test]
fn a_connection_that_is_still_being_made_ends_and_its_program_learns_it() {
    Namespace::enter();
    let server = states::bound(&request(HERE, fresh_port()));
    sockets::listen(&server, 0).expect("the socket can listen");
    let to = sockets::local(&server);
    // The queue takes one; the next SYN is dropped, and is sent again and again.
    let queued = states::queued(&server, to);
    let waits = sockets::open(Transport::Tcp, Family::V4);
    sockets::connect(&waits, to).expect("a connection under way");
    let port = sockets::local(&waits).port();
    wait_for(port, |socket| socket.state == State::SynSent);
    assert_eq!(selected(&["--state", "syn-sent", "--idle", "1s"]), 0, "nobody knows how idle");
    assert_closes(&["--state", "syn-sent"], 1);
    assert_eq!(error_of(&waits), Errno::CONNABORTED);
    assert_eq!(selected(&["--local", &to.to_string(), "--state", "established"]), 1);
    drop(queued);
}

#[test]
fn the_harm_of_each_state_is_said_and_unsent_bytes_are_counted() {
    Namespace::enter();
    let port = port_in_every_state();
    let local = port.to.to_string();
    let answer = close(&["--local", &local, "--dry-run", "--json"]).json();
    let roles: Vec<&str> = list(&answer["plan"], "steps")
        .iter()
        .map(|step| step["act"]["destroy"]["role"].as_str().expect("only sockets are ended"))
        .collect();
    let expected = [
        "time_wait",
        "orphan_fin_wait2",
        "orphan_unacknowledged",
        "close_wait",
        "half_closed",
        "accepted",
    ];
    assert_eq!(roles, expected, "gentlest first");
    let text = close(&["--local", &local, "--dry-run"]).stdout;
    assert!(text.contains("bytes are not acknowledged"), "{text}");
    assert!(text.contains("ECONNABORTED"), "{text}");
    drop(port.kept);
}
