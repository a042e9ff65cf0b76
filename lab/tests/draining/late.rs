//! Clients whose handshake lacks nothing but its last acknowledgement, which is on its way while the listener is
//! closed: half open the usual way. Their question is right behind it.

use crate::scene::{CLIENTS, Site, answer, ask, at_each, outcomes, serve_queue};
use crate::tokio::{answer_one, of_tokio, runtime};
use ::tokio::task::spawn_blocking;
use lastack_graceful::listener::{self, DrainReport, Method, Successor, close_draining};
use lastack_lab::handover::become_nobody;
use lastack_lab::namespace::Namespace;
use lastack_lab::program::undisturbed;
use lastack_lab::segment::Segment;
use lastack_lab::states::wait_until;
use lastack_lab::wire::{FAR, Fate, NEAR, Wire};
use lastack_os::listener::{accept_queue, half_open};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Clients on the other host, and the wire that keeps what they send.
struct Late {
    wire: Wire,
    /// It came before the others and is in the queue: that it is accepted shows that the drain has begun.
    prompt: TcpStream,
    clients: Vec<TcpStream>,
}

impl Late {
    /// From now on the wire keeps all that a client sends after its SYN, but for the first.
    fn of(wire: Wire, site: Site, listener: &TcpListener) -> Self {
        let prompt = wire.far.run(move |_| {
            let mut client = TcpStream::connect(site.door(0)).expect("a connection");
            ask(std::slice::from_mut(&mut client));
            client
        });
        wait_until("the first is in the queue", || waiting(site, listener) == (1, 0));
        let prompt_port = prompt.local_addr().expect("its address").port();
        wire.follow(move |segment| {
            let is_kept = is_late(segment) && segment.from.port() != prompt_port;
            if is_kept { Fate::Hold } else { Fate::Pass }
        });
        let clients = asking(&wire, site);
        wait_until("all questions are on their way", || {
            let held = wire.held();
            let asking = held.iter().filter(|segment| segment.length > 0);
            asking.map(|segment| segment.from.port()).collect::<BTreeSet<_>>().len()
                == clients.len()
        });
        assert_eq!(waiting(site, listener), (1, CLIENTS));
        Self { wire, prompt, clients }
    }

    /// Lets everything arrive, in its order.
    fn release(&self) {
        self.wire.follow(|_| Fate::Pass);
        let released = self.wire.release(is_late);
        assert!(released >= CLIENTS as usize, "{released} segments were on their way");
    }

    /// Drains it, and lets the acknowledgements arrive once new clients are kept away.
    fn drained(&self, site: Site, listener: TcpListener, successor: Successor) -> DrainReport {
        let mut is_first = true;
        let deadline = Instant::now() + PATIENCE;
        let report = close_draining(listener, successor, deadline, |stream| {
            if std::mem::take(&mut is_first) {
                assert_eq!(count_half_open(site), CLIENTS);
                self.release();
            }
            answer(stream);
        });
        report.expect("a report")
    }

    /// What becomes of the first, and of the others.
    fn outcomes(self) -> [(u32, u32); 2] {
        [outcomes(vec![self.prompt]), outcomes(self.clients)]
    }
}

fn is_late(segment: &Segment) -> bool {
    *segment.from.ip() == FAR && !segment.is_syn()
}

/// Clients on the other host that are connected, in their own view, and have sent their question.
fn asking(wire: &Wire, site: Site) -> Vec<TcpStream> {
    wire.far.run(move |_| {
        let mut clients = site.connected();
        ask(&mut clients);
        clients
    })
}

/// How many are in the queue, and how many half open.
fn waiting(site: Site, listener: &TcpListener) -> (u32, u32) {
    (accept_queue(listener).expect("the queue").length, count_half_open(site))
}

fn count_half_open(site: Site) -> u32 {
    half_open(site.server()).expect("the handshakes").len() as u32
}

fn behind_a_wire() -> Wire {
    Wire::laid_from(&Namespace::enter())
}

#[test]
fn a_plain_close_resets_whose_last_acknowledgement_is_on_its_way() {
    at_each(&SITES, |site| {
        let wire = behind_a_wire();
        become_nobody();
        let listener = site.alone();
        let late = Late::of(wire, site, &listener);
        undisturbed(|| drop(listener));
        late.release();
        assert_eq!(late.outcomes(), [(0, 1), (0, CLIENTS)]);
    });
}

#[test]
fn a_sibling_does_not_save_whose_last_acknowledgement_is_on_its_way() {
    at_each(&SITES, |site| {
        let wire = behind_a_wire();
        become_nobody();
        let listener = site.of_group();
        let late = Late::of(wire, site, &listener);
        let sibling = site.of_group();
        undisturbed(|| drop(listener));
        late.release();
        assert_eq!(late.outcomes(), [(0, 1), (0, CLIENTS)]);
        assert_eq!(serve_queue(&sibling), 0);
    });
}

#[test]
fn the_end_of_a_server_waits_for_acknowledgements_on_their_way() {
    at_each(&SITES, |site| {
        let wire = behind_a_wire();
        let listener = site.alone();
        let late = Late::of(wire, site, &listener);
        let report = late.drained(site, listener, Successor::None);
        assert_eq!((report.method, report.accepted), (Method::SynFilter, u64::from(1 + CLIENTS)));
        assert!(report.lost_nobody(), "{report:?}");
        assert_eq!(late.outcomes(), [(1, 0), (CLIENTS, 0)]);
    });
}

#[test]
fn an_ordinary_users_end_of_a_server_waits_for_acknowledgements_on_their_way() {
    at_each(&SITES, |site| {
        let wire = behind_a_wire();
        become_nobody();
        let listener = site.alone();
        let late = Late::of(wire, site, &listener);
        let report = late.drained(site, listener, Successor::None);
        // A filter on a TCP socket needed no privilege before 2026.
        assert!(matches!(report.method, Method::SynFilter | Method::TtlFloor), "{report:?}");
        assert_eq!(report.accepted, u64::from(1 + CLIENTS), "{report:?}");
        assert!(report.lost_nobody(), "{report:?}");
        assert_eq!(late.outcomes(), [(1, 0), (CLIENTS, 0)]);
    });
}

#[test]
fn steering_waits_for_acknowledgements_on_their_way() {
    at_each(&SITES, |site| {
        let wire = behind_a_wire();
        become_nobody();
        let listener = site.of_group();
        let late = Late::of(wire, site, &listener);
        let successor = site.of_group();
        let report = late.drained(site, listener, Successor::SameGroup { index: 1 });
        assert_eq!((report.method, report.accepted), (Method::Steered, u64::from(1 + CLIENTS)));
        assert!(report.lost_nobody(), "{report:?}");
        assert_eq!(late.outcomes(), [(1, 0), (CLIENTS, 0)]);
        listener::stop_steering(&successor).expect("the group's rule is dropped");
        assert_eq!(serve_queue(&successor), 0);
    });
}

#[test]
fn acknowledgements_that_come_after_the_deadline_are_told_as_half_open() {
    for become_somebody in [|| {}, become_nobody] {
        at_each(&SITES, |site| {
            let wire = behind_a_wire();
            become_somebody();
            let listener = site.alone();
            let late = Late::of(wire, site, &listener);
            let deadline = Instant::now() + SHORTLY;
            let report =
                undisturbed(|| close_draining(listener, Successor::None, deadline, answer));
            let report = report.expect("a report");
            assert_eq!((report.half_open_left, report.accepted), (Some(CLIENTS), 1), "{report:?}");
            assert!(!report.lost_nobody(), "{report:?}");
            late.release();
            assert_eq!(late.outcomes(), [(1, 0), (0, CLIENTS)]);
        });
    }
}

#[test]
fn under_tokio_too_acknowledgements_on_their_way_are_waited_for() {
    at_each(&SITES, |site| {
        let wire = behind_a_wire();
        become_nobody();
        let listener = site.alone();
        let late = Late::of(wire, site, &listener);
        let mut is_first = true;
        let report = runtime().block_on(async {
            let (listener, deadline) = (of_tokio(listener), Instant::now() + PATIENCE);
            listener::tokio::close_draining(listener, Successor::None, deadline, |stream| {
                if std::mem::take(&mut is_first) {
                    late.release();
                }
                spawn_blocking(|| answer_one(stream));
            })
            .await
        });
        let report = report.expect("a report");
        assert_eq!(report.accepted, u64::from(1 + CLIENTS), "{report:?}");
        assert!(report.lost_nobody(), "{report:?}");
        assert_eq!(late.outcomes(), [(1, 0), (CLIENTS, 0)]);
    });
}

/// The wire knows IPv4 only: to a listener of it, and to two of IPv6.
const SITES: [Site; 3] = [
    Site::of(IpAddr::V4(NEAR), &[IpAddr::V4(NEAR)]),
    Site::of(IpAddr::V6(Ipv6Addr::UNSPECIFIED), &[IpAddr::V4(NEAR)]),
    Site::of(IpAddr::V6(NEAR.to_ipv6_mapped()), &[IpAddr::V4(NEAR)]),
];
const PATIENCE: Duration = Duration::from_secs(20);
/// Before the server repeats its part of the handshake.
const SHORTLY: Duration = Duration::from_millis(100);
