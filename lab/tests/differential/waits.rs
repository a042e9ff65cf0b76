//! Waits sampled side by side: a port is refused until the time that was told, and bindable soon after.

use lastack_lab::namespace::Namespace;
use lastack_lab::{sockets, states};
use lastack_model::bind::{Options, Request};
use lastack_model::facts::{SocketGroup, Transport};
use lastack_model::ids::{Port, Uid};
use lastack_model::lifetime::{Lifetime, TIMER_SLACK_MS, lifetime};
use rustix::fd::OwnedFd;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A port that something holds for a time that was told.
struct Held {
    request: Request,
    since: Instant,
    told: Duration,
    /// The peer that keeps the connection half-open.
    _peer: Option<OwnedFd>,
}

/// How long past what was told a held port was bindable.
#[derive(Debug)]
pub(crate) struct Freed {
    pub(crate) port: Port,
    pub(crate) told: Duration,
    pub(crate) took: Duration,
}

impl Freed {
    /// Not before the time told, up to what a timer may fire early, and not later than the slack that is told too.
    pub(crate) fn is_as_told(&self) -> bool {
        let latest = self.told + Duration::from_millis(TIMER_SLACK_MS);
        self.took + EARLY >= self.told && self.took <= latest
    }
}

/// Orphans in `FIN_WAIT_2`, two for each setting of `tcp_fin_timeout` from 1 to 3, all at once.
pub(crate) fn orphans() -> Vec<Freed> {
    let namespace = Namespace::enter();
    let held = (0..6).map(|n| {
        namespace.set("ipv4/tcp_fin_timeout", &(1 + n % 3).to_string());
        let request = plain(2_001 + n);
        let pair = connected(&request);
        hold(request, Some(states::orphan_fin_wait_2(pair)))
    });
    freed(held.collect())
}

/// Connections in `TIME_WAIT`, all at once.
pub(crate) fn time_waits() -> Vec<Freed> {
    Namespace::enter();
    let held = (0..5).map(|n| {
        let request = plain(2_001 + n);
        states::time_wait(connected(&request));
        hold(request, None)
    });
    freed(held.collect())
}

fn plain(port: u16) -> Request {
    Request {
        transport: Transport::Tcp,
        address: [127, 0, 0, 1].into(),
        port: Port(port),
        options: Options::default(),
        uid: Uid(0),
        may_bind_reserved: true,
    }
}

fn connected(request: &Request) -> states::Pair {
    let listener = states::listening(request);
    states::established(&listener, SocketAddr::new(request.address, request.port.0))
}

/// Reads how long the only socket on the port is said to hold it.
fn hold(request: Request, peer: Option<OwnedFd>) -> Held {
    let since = Instant::now();
    let mut sockets = states::on_port(request.port.0);
    let group = SocketGroup::of(sockets.pop().expect("a socket on the port"));
    assert!(sockets.is_empty(), "{sockets:?} is there as well");
    let host = lastack_os::host::host().expect("the facts of this host");
    let Lifetime::Ends(span) = lifetime(&group, &host) else {
        panic!("{group:?} is not said to end")
    };
    Held { request, since, told: Duration::from_millis(span.least_ms), _peer: peer }
}

/// Tries to bind every port until each was bound.
fn freed(mut held: Vec<Held>) -> Vec<Freed> {
    let mut freed = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(90);
    while !held.is_empty() {
        assert!(Instant::now() < deadline, "{} ports were never freed", held.len());
        std::thread::sleep(Duration::from_millis(5));
        held.retain(|one| {
            let socket = sockets::prepare(&one.request);
            let free = sockets::bind(&socket, sockets::address(&one.request)).is_ok();
            if free {
                let took = one.since.elapsed();
                freed.push(Freed { port: one.request.port, told: one.told, took });
            }
            !free
        });
    }
    freed
}

/// `idiag_expires` is rounded up from ticks to milliseconds.
const EARLY: Duration = Duration::from_millis(20);
