//! A wait that is promised is kept: a port held by what remains of closed connections is free when the kernel's timer
//! says so, neither before nor much after.

use lastack_lab::namespace::Namespace;
use lastack_lab::{sockets, states};
use lastack_model::bind::{Options, Request};
use lastack_model::errno::Errno;
use lastack_model::facts::{Host, Sockets, Transport};
use lastack_model::ids::{Port, Uid};
use lastack_model::lifetime::{Lifetime, Prolonged, SpanSource, lifetime};
use lastack_os::sock_diag::{Filter, fold};
use rustix::fd::OwnedFd;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// A port that nothing holds but a minisock, and when that ends.
struct Remains {
    request: Request,
    earliest: Instant,
    latest: Instant,
    /// Closing it would prolong the wait.
    _peer: OwnedFd,
}

#[test]
fn a_port_held_by_orphans_is_free_when_their_timers_say() {
    let namespace = Namespace::enter();
    let host = lastack_os::host::host().expect("the facts of this host");
    let mut waiting = Vec::new();
    for seconds in [1, 2, 3] {
        namespace.set("ipv4/tcp_fin_timeout", &seconds.to_string());
        for turn in 0..2 {
            waiting.push(remains(3000 + 10 * seconds + turn, &host));
        }
    }
    for one in &waiting {
        assert_eq!(bind(one), Err(Errno::AddressInUse), "{}", one.request.port);
    }
    while !waiting.is_empty() {
        waiting.retain(|one| !is_over(one));
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Asks once; a bind that succeeds must do so in time, and none may be refused past the time.
fn is_over(one: &Remains) -> bool {
    let before = Instant::now();
    let answer = bind(one);
    let port = one.request.port;
    match answer {
        Ok(()) => assert!(Instant::now() + TICK >= one.earliest, "{port} was free too early"),
        Err(_) => assert!(before <= one.latest, "{port} is still refused: {answer:?}"),
    }
    answer.is_ok()
}

fn bind(one: &Remains) -> sockets::Answer {
    let socket = sockets::prepare(&one.request);
    sockets::bind(&socket, sockets::address(&one.request))
}

/// Leaves an orphaned `FIN_WAIT_2` on the port, and asks how long it lives.
fn remains(port: u16, host: &Host) -> Remains {
    let address = Ipv4Addr::LOCALHOST;
    let request = Request {
        transport: Transport::Tcp,
        address: address.into(),
        port: Port(port),
        options: Options::default(),
        uid: Uid(0),
        may_bind_reserved: true,
    };
    let listener = states::listening(&request);
    let pair = states::established(&listener, SocketAddr::from((address, port)));
    drop(listener);
    let peer = states::orphan_fin_wait_2(pair);
    let before = Instant::now();
    let dump = fold(&Filter::on_port(Transport::Tcp, Port(port)), Sockets::add);
    let after = Instant::now();
    let sockets = dump.expect("a dump of the port").folded;
    let [group] = sockets.groups() else { panic!("one minisock on {port}: {sockets:?}") };
    let Lifetime::Ends(span) = lifetime(group, host) else { panic!("it ends: {group:?}") };
    assert_eq!(span.source, SpanSource::Timer);
    assert_eq!(span.prolonged_by, Some(Prolonged::PeerCloses));
    let least = Duration::from_millis(span.least_ms);
    Remains { request, earliest: before + least, latest: after + least + SLACK, _peer: peer }
}

/// The kernel rounds a timer to its tick of at most ten milliseconds.
const TICK: Duration = Duration::from_millis(10);
/// How late a minisock's timer may fire: an eighth of its time by the wheel's coarseness, and a loaded machine.
const SLACK: Duration = Duration::from_millis(3_500);
