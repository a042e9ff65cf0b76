//! Listeners: handshakes without an end, queues that are full, and queues whose listener closes.

use crate::bench::{LOCAL, connect, counters, half_open, local, request, reusing, send};
use lastack_lab::link::{HERE, OtherHost, THERE, ip};
use lastack_lab::namespace::Namespace;
use lastack_lab::program::undisturbed;
use lastack_lab::sockets;
use lastack_lab::states::{self, on_port, wait_for, wait_until};
use lastack_model::bind::{Options, Request};
use lastack_model::ids::Uid;
use lastack_model::state::State;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::sockopt;

/// A client on the other host whose handshake does not end: what is sent to it is lost on the wire.
fn unfinished(host: &OtherHost, server: u16) -> OwnedFd {
    ip(&format!("neighbour replace {THERE} lladdr 02:00:00:00:00:99 dev out nud permanent"));
    let client = host.run(move |_| {
        let client = states::bound(&request(THERE, 3000));
        sockets::connect(&client, (HERE, server).into()).expect("it is under way");
        client
    });
    wait_until("a handshake is half open", || !half_open(server).is_empty());
    client
}

#[test]
fn tcp_synack_retries_ends_a_handshake_that_the_client_does_not_finish() {
    let namespace = Namespace::enter();
    let host = OtherHost::joined_to(&namespace);
    let _listener = states::listening(&request(HERE, 300));
    let client = unfinished(&host, 300);
    undisturbed(|| drop(client));
    wait_until("the answer is sent again", || {
        half_open(300).iter().any(|half| half.timer.retransmits >= 1)
    });
    namespace.set("ipv4/tcp_synack_retries", "0");
    wait_until("the handshake is dropped", || half_open(300).is_empty());
}

#[test]
fn tcp_abort_on_overflow_resets_a_client_that_meets_a_full_queue() {
    let namespace = Namespace::enter();
    let host = OtherHost::joined_to(&namespace);
    let listener = states::bound(&request(HERE, 300));
    sockets::listen(&listener, 0).expect("a listener with the shortest queue");
    let late = unfinished(&host, 300);
    let (_first, connected) = connect((HERE, 300).into());
    connected.expect("a connection that fills the queue");
    wait_for(300, |socket| socket.state == State::Listen && socket.receive_queue == 1);
    ip(&format!("neighbour delete {THERE} dev out"));
    let is_connected = || host.run(|_| on_port(3000)[0].state == State::Established);
    wait_until("the late client believes to be connected", is_connected);
    wait_until("it met a full queue", || counters().listen_overflows >= 1);
    assert_eq!(half_open(300).len(), 1, "with 0 it is kept waiting");
    assert_eq!(sockopt::socket_error(&late).expect("SO_ERROR"), Ok(()));
    namespace.set("ipv4/tcp_abort_on_overflow", "1");
    send(&late);
    wait_until("it is reset", || {
        sockopt::socket_error(&late).expect("SO_ERROR") == Err(Errno::CONNRESET)
    });
}

#[test]
fn somaxconn_limits_the_queue_of_listeners_to_come() {
    let namespace = Namespace::enter();
    let backlog = |port| on_port(port)[0].send_queue;
    let early = states::listening(&request(LOCAL, 300));
    assert_eq!(backlog(300), 64, "as it asked");
    namespace.set("core/somaxconn", "7");
    let _late = states::listening(&request(LOCAL, 301));
    assert_eq!((backlog(300), backlog(301)), (64, 7), "the early one keeps its own");
    sockets::listen(&early, 64).expect("it listens again");
    assert_eq!(backlog(300), 7, "until it calls listen() again");
}

#[test]
fn tcp_migrate_req_moves_a_closed_listeners_queue_to_its_sibling() {
    for migrate in [false, true] {
        let namespace = Namespace::enter();
        namespace.set("ipv4/tcp_migrate_req", if migrate { "1" } else { "0" });
        let options = Options { reuse_port: true, ..Options::default() };
        let shared = Request { options, ..reusing(LOCAL, 300) };
        let (closes, stays) = (states::listening(&shared), states::listening(&shared));
        let clients: Vec<OwnedFd> = (0..CLIENTS).map(|_| connect(local(300)).0).collect();
        wait_until("all are in a queue", || {
            let queued = on_port(300).into_iter().filter(|socket| socket.state == State::Listen);
            queued.map(|socket| socket.receive_queue).sum::<u32>() == CLIENTS
        });
        undisturbed(|| drop(closes));
        let accepted: Vec<OwnedFd> =
            std::iter::from_fn(|| sockets::accept(&stays, Uid(0))).collect();
        let reset = clients.iter().filter(|client| {
            sockopt::socket_error(client).expect("SO_ERROR") == Err(Errno::CONNRESET)
        });
        let reset = reset.count();
        assert_eq!(accepted.len() + reset, CLIENTS as usize);
        assert_eq!(reset == 0, migrate, "{reset} of {CLIENTS} were reset");
        assert_eq!(counters().migrated > 0, migrate);
    }
}

/// So many that both listeners get some, save once in a million runs.
const CLIENTS: u32 = 24;
