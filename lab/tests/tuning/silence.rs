//! How long the kernel goes on without an answer: a second host falls silent, and what is left here is watched.

use crate::bench::{
    LOCAL, client_of, connect, local, reusing, send, timeout_ms, wait_for_retransmits,
};
use lastack_lab::link::{HERE, OtherHost, THERE};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::undisturbed;
use lastack_lab::sockets;
use lastack_lab::states::{self, on_port, wait_for, wait_until};
use lastack_model::facts::TimerKind;
use lastack_model::state::State;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::sockopt;

const PORT: u16 = 3000;

/// The error that the kernel keeps for a socket's program.
fn error(socket: &OwnedFd) -> Result<(), Errno> {
    sockopt::socket_error(socket).expect("SO_ERROR")
}

fn wait_until_timed_out(socket: &OwnedFd) {
    wait_until("the kernel gives the connection up", || error(socket) == Err(Errno::TIMEDOUT));
}

#[test]
fn tcp_retries2_ends_a_connection_whose_data_is_not_acknowledged() {
    let namespace = Namespace::enter();
    let host = OtherHost::joined_to(&namespace);
    let (client, _listener) = client_of(&host, PORT);
    host.fall_silent();
    send(&client);
    let socket = wait_for_retransmits(PORT, 3);
    assert_eq!(socket.state, State::Established, "15 is far from over");
    namespace.set("ipv4/tcp_retries2", "1");
    wait_until_timed_out(&client);
    assert!(!on_port(PORT).iter().any(|socket| socket.state == State::Established));
}

#[test]
fn tcp_orphan_retries_ends_a_closed_connection_whose_fin_is_not_acknowledged() {
    let namespace = Namespace::enter();
    let host = OtherHost::joined_to(&namespace);
    let (client, _listener) = client_of(&host, PORT);
    host.fall_silent();
    undisturbed(|| drop(client));
    let socket = wait_for_retransmits(PORT, 3);
    assert_eq!(socket.state, State::FinWait1, "0 stands for 8, which is far from over");
    namespace.set("ipv4/tcp_orphan_retries", "1");
    wait_until("the orphan is given up", || on_port(PORT).is_empty());
}

/// A connection attempt that nobody answers.
fn attempt(host: &OtherHost, from: u16) -> OwnedFd {
    let (first, _listener) = client_of(host, PORT);
    host.fall_silent();
    drop(first);
    attempt_again(from)
}

fn attempt_again(from: u16) -> OwnedFd {
    let client = states::bound(&reusing(HERE, from));
    sockets::connect(&client, (THERE, 999).into()).expect("it is under way");
    client
}

#[test]
fn tcp_syn_retries_ends_a_connection_attempt_that_nobody_answers() {
    let namespace = Namespace::enter();
    let host = OtherHost::joined_to(&namespace);
    let client = attempt(&host, 3001);
    let socket = wait_for_retransmits(3001, 1);
    assert_eq!(socket.state, State::SynSent, "6 is far from over");
    namespace.set("ipv4/tcp_syn_linear_timeouts", "0");
    namespace.set("ipv4/tcp_syn_retries", "1");
    wait_until_timed_out(&client);
    assert!(on_port(3001).iter().all(|socket| socket.state == State::Closed));
}

#[test]
fn tcp_syn_linear_timeouts_keeps_the_first_intervals_from_doubling() {
    let namespace = Namespace::enter();
    let host = OtherHost::joined_to(&namespace);
    namespace.set("ipv4/tcp_syn_linear_timeouts", "0");
    let _doubling = attempt(&host, 3001);
    let left = wait_for_retransmits(3001, 1).timer.remaining_ms;
    assert!((1_500..=2_200).contains(&left), "2 s to the next one, {left} ms are shown");
    namespace.set("ipv4/tcp_syn_linear_timeouts", "4");
    let _linear = attempt_again(3002);
    let left = wait_for_retransmits(3002, 1).timer.remaining_ms;
    assert!((500..=1_200).contains(&left), "1 s to the next one, {left} ms are shown");
}

#[test]
fn tcp_rto_min_us_sets_when_a_lost_fin_is_sent_again() {
    let namespace = Namespace::enter();
    let host = OtherHost::joined_to(&namespace);
    let (usual, _one) = client_of(&host, PORT);
    namespace.set("ipv4/tcp_rto_min_us", "20000000");
    let (slow, _two) = client_of(&host, 3001);
    let (before, after) = (timeout_ms(PORT), timeout_ms(3001));
    assert!((200..2_000).contains(&before), "a socket from before keeps its own: {before} ms");
    assert!((20_000..22_000).contains(&after), "{after} ms");
    host.fall_silent();
    undisturbed(|| drop((usual, slow)));
    wait_for(3001, |socket| socket.state == State::FinWait1);
    let left = on_port(3001)[0].timer.remaining_ms;
    assert!((10_000..=41_000).contains(&left), "the FIN is sent again in {left} ms");
    wait_for_retransmits(PORT, 1);
    assert_eq!(on_port(3001)[0].timer.retransmits, 0);
}

#[test]
fn tcp_rto_max_ms_limits_the_pause_between_retransmissions() {
    let namespace = Namespace::enter();
    let host = OtherHost::joined_to(&namespace);
    let (before, _one) = client_of(&host, PORT);
    namespace.set("ipv4/tcp_rto_max_ms", "1000");
    let (after, _two) = client_of(&host, 3001);
    host.fall_silent();
    send(&before);
    send(&after);
    wait_for_retransmits(PORT, 3);
    wait_for_retransmits(3001, 3);
    assert!(timeout_ms(PORT) > 1_500, "a socket from before keeps its own: {}", timeout_ms(PORT));
    assert_eq!(timeout_ms(3001), 1_000);
}

#[test]
fn keepalive_settings_decide_when_an_idle_connection_to_a_dead_peer_ends() {
    let namespace = Namespace::enter();
    namespace.set("ipv4/tcp_keepalive_time", "1");
    namespace.set("ipv4/tcp_keepalive_intvl", "2");
    namespace.set("ipv4/tcp_keepalive_probes", "1");
    let host = OtherHost::joined_to(&namespace);
    let (probed, _one) = client_of(&host, PORT);
    let (_idle, _two) = client_of(&host, 3001);
    host.fall_silent();
    sockopt::set_socket_keepalive(&probed, true).expect("SO_KEEPALIVE");
    let timer = on_port(PORT)[0].timer;
    assert_eq!(timer.kind, TimerKind::Keepalive);
    assert!(timer.remaining_ms <= 1_000, "tcp_keepalive_time: {timer:?}");
    let left = wait_for_retransmits(PORT, 1).timer.remaining_ms;
    assert!((1_200..=2_000).contains(&left), "tcp_keepalive_intvl: {left} ms");
    wait_until_timed_out(&probed);
    let idle = &on_port(3001)[0];
    assert_eq!((idle.state, idle.timer.kind), (State::Established, TimerKind::Off));
}

#[test]
fn without_a_keepalive_probe_an_idle_connection_to_a_live_peer_is_reset() {
    let namespace = Namespace::enter();
    namespace.set("ipv4/tcp_keepalive_time", "1");
    namespace.set("ipv4/tcp_keepalive_probes", "0");
    let listener = states::listening(&reusing(LOCAL, 300));
    let (client, connected) = connect(local(300));
    connected.expect("a connection");
    let accepted = sockets::accept(&listener, lastack_model::ids::Uid(0)).expect("accepted");
    sockopt::set_socket_keepalive(&client, true).expect("SO_KEEPALIVE");
    wait_until_timed_out(&client);
    wait_until("the peer is told", || error(&accepted) == Err(Errno::CONNRESET));
}
