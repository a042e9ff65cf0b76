//! Peers that do not play along: by either driver each close ends within its bounds, with the outcome that fits, and
//! nothing is left.

use lastack_graceful::close::{AtDeadline, ClosePolicy, CloseReport, Delivered, Outcome, abort};
use lastack_lab::driver::Driver;
use lastack_lab::link::{HERE, OtherHost};
use lastack_lab::namespace::Namespace;
use lastack_lab::states::{on_port, wait_until};
use lastack_model::state::State;
use lastack_os::connection;
use rustix::net::sockopt;
use std::fs::{read_dir, read_link};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

const IDLE: Duration = Duration::from_millis(200);
const TOTAL: Duration = Duration::from_millis(600);
/// A busy machine may be late by as much; far less than what a close without bounds would take.
const LATE: Duration = Duration::from_secs(3);

fn policy() -> ClosePolicy {
    ClosePolicy::server().idle(IDLE).within(TOTAL)
}

/// Ours, and the peer's end.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
    let peer = TcpStream::connect(listener.local_addr().expect("an address")).expect("connected");
    (listener.accept().expect("a connection").0, peer)
}

/// Closes, and checks what every close must keep: the bound, and that the descriptor is gone.
fn close(driver: Driver, stream: TcpStream, policy: &ClosePolicy) -> CloseReport {
    let socket = read_link(format!("/proc/self/fd/{}", stream.as_raw_fd())).expect("a descriptor");
    let began = Instant::now();
    let report = driver.close(stream, policy);
    let took = began.elapsed();
    // For whoever reads of a failure.
    eprintln!("{driver:?}: {report:?}");
    assert!(took < policy.total + LATE, "{report:?} took {took:?}");
    assert!(report.elapsed <= took, "{report:?} took {took:?}");
    let descriptors = read_dir("/proc/self/fd").expect("the descriptors");
    let left = descriptors.flatten().filter_map(|entry| read_link(entry.path()).ok());
    assert!(!left.into_iter().any(|target| target == socket), "{} is left", socket.display());
    report
}

/// What the kernel still has of a connection's end on this port.
fn state_of(local: SocketAddr) -> Option<State> {
    let socket = on_port(local.port())
        .into_iter()
        .find(|socket| socket.local.port() == local.port() && socket.state != State::Listen);
    socket.map(|socket| socket.state)
}

/// Sends until told that nobody wants it; `pause` between the octets of a trickle.
fn sender(mut peer: TcpStream, octets: usize, pause: Duration) -> JoinHandle<()> {
    spawn(move || {
        let block = vec![0; octets];
        while peer.write_all(&block).is_ok() {
            std::thread::sleep(pause);
        }
    })
}

#[test]
fn a_peer_that_never_closes_is_reset_after_the_silence() {
    let _namespace = Namespace::enter();
    for driver in Driver::ALL {
        let (mut ours, mut peer) = pair();
        let local = ours.local_addr().expect("an address");
        ours.write_all(b"answer").expect("sent");
        let report = close(driver, ours, &policy());
        assert_eq!(report.outcome, Outcome::Acknowledged);
        assert_eq!((report.unacked, report.delivered()), (Some(0), Delivered::ToKernel));
        assert!(report.elapsed >= IDLE, "{report:?}");
        // A child that another test starts at this moment may still have a copy of the descriptor.
        wait_until("nothing is left", || state_of(local).is_none());
        let mut answer = Vec::new();
        let end = peer.read_to_end(&mut answer);
        assert_eq!(answer, b"answer", "{end:?}");
    }
}

#[test]
fn a_peer_that_never_closes_may_be_left_to_the_kernel() {
    let _namespace = Namespace::enter();
    for driver in Driver::ALL {
        let (ours, _peer) = pair();
        let local = ours.local_addr().expect("an address");
        let report = close(driver, ours, &policy().at_deadline(AtDeadline::Orphan));
        assert_eq!(report.outcome, Outcome::Acknowledged);
        assert_eq!(state_of(local), Some(State::FinWait2));
    }
}

#[test]
fn a_peer_that_never_reads_is_told_apart_by_what_it_has_not_acknowledged() {
    let _namespace = Namespace::enter();
    for driver in Driver::ALL {
        let (ours, _peer) = pair();
        ours.set_nonblocking(true).expect("a mode");
        while (&ours).write(&[0; 1 << 12]).is_ok() {}
        let waiting = connection::unacknowledged(&ours).expect("SIOCOUTQ");
        let report = close(driver, ours, &policy());
        assert_eq!(report.outcome, Outcome::TimedOut);
        assert!(report.unacked > Some(0) && report.unacked <= Some(waiting.into()), "{report:?}");
        assert_eq!(report.delivered(), Delivered::No);
    }
}

#[test]
fn a_peer_that_trickles_is_left_when_the_whole_time_is_up() {
    let _namespace = Namespace::enter();
    for driver in Driver::ALL {
        let (ours, peer) = pair();
        let trickle = sender(peer, 1, IDLE / 10);
        let report = close(driver, ours, &policy());
        assert_eq!(report.outcome, Outcome::Acknowledged);
        assert!(report.elapsed >= TOTAL && report.discarded > 1, "{report:?}");
        trickle.join().expect("the reset ends it");
    }
}

#[test]
fn a_peer_that_sends_for_ever_is_left_at_the_limit_or_when_time_is_up() {
    let _namespace = Namespace::enter();
    for driver in Driver::ALL {
        for (limit, outcome) in
            [(1 << 20, Outcome::DiscardLimit), (u64::MAX, Outcome::Acknowledged)]
        {
            let (ours, peer) = pair();
            let flood = sender(peer, 1 << 16, Duration::ZERO);
            let report = close(driver, ours, &policy().discard_limit(limit));
            assert_eq!(report.outcome, outcome, "{report:?}");
            assert!(report.discarded > 1 << 20, "{report:?}");
            flood.join().expect("the reset ends it");
        }
    }
}

#[test]
fn a_peer_that_resets_in_mid_drain_ends_it_at_once() {
    let _namespace = Namespace::enter();
    for driver in Driver::ALL {
        let (ours, mut peer) = pair();
        let local = ours.local_addr().expect("an address");
        peer.write_all(b"unwanted").expect("sent");
        let closing = spawn(move || close(driver, ours, &ClosePolicy::server()));
        wait_until("the FIN is acknowledged", || state_of(local) == Some(State::FinWait2));
        abort(peer).expect("a reset");
        let report = closing.join().expect("a report");
        assert_eq!((report.outcome, report.discarded), (Outcome::PeerReset, 8), "{report:?}");
        assert!(report.elapsed < ClosePolicy::server().idle, "{report:?}");
    }
}

#[test]
fn a_reset_that_the_program_was_told_of_is_not_told_twice_as_something_else() {
    let _namespace = Namespace::enter();
    for driver in Driver::ALL {
        let (mut ours, peer) = pair();
        abort(peer).expect("a reset");
        wait_until("the reset is here", || {
            connection::info(&ours).expect("info").state == State::Closed
        });
        assert_eq!(ours.read(&mut [0]).expect_err("a reset").kind(), ErrorKind::ConnectionReset);
        assert_eq!(close(driver, ours, &policy()).outcome, Outcome::Gone);

        let (ours, peer) = pair();
        abort(peer).expect("a reset");
        wait_until("the reset is here", || {
            connection::info(&ours).expect("info").state == State::Closed
        });
        assert_eq!(close(driver, ours, &policy()).outcome, Outcome::PeerReset);
    }
}

#[test]
fn a_peer_that_vanishes_is_given_up_with_what_it_did_not_acknowledge() {
    for driver in Driver::ALL {
        let (_namespace, far, mut ours, _peer) = across_a_wire();
        far.fall_silent();
        ours.write_all(b"answer").expect("sent");
        let report = close(driver, ours, &policy());
        assert_eq!((report.outcome, report.unacked), (Outcome::TimedOut, Some(6)), "{report:?}");
        assert_eq!(report.delivered(), Delivered::No);
    }
}

#[test]
fn a_peer_that_closes_and_vanishes_does_not_leave_last_ack_waiting() {
    for driver in Driver::ALL {
        let (_namespace, far, mut ours, peer) = across_a_wire();
        peer.shutdown(Shutdown::Write).expect("its FIN");
        assert_eq!(ours.read(&mut [0]).expect("the end"), 0);
        far.fall_silent();
        let report = close(driver, ours, &policy().remote_first(TOTAL));
        assert_eq!((report.outcome, report.unacked), (Outcome::TimedOut, Some(0)), "{report:?}");
    }
}

#[test]
fn what_the_kernel_gives_up_is_not_called_a_reset() {
    for driver in Driver::ALL {
        let (_namespace, far, mut ours, _peer) = across_a_wire();
        sockopt::set_tcp_user_timeout(&ours, 300).expect("TCP_USER_TIMEOUT");
        far.fall_silent();
        ours.write_all(b"answer").expect("sent");
        let patient = ClosePolicy::server();
        let report = close(driver, ours, &patient);
        assert_eq!((report.outcome, report.unacked), (Outcome::Lost, Some(6)), "{report:?}");
        assert!(report.elapsed < patient.idle, "{report:?}");
    }
}

/// Ours, and the end on another host.
fn across_a_wire() -> (Namespace, OtherHost, TcpStream, TcpStream) {
    let namespace = Namespace::enter();
    let far = OtherHost::joined_to(&namespace);
    let listener = TcpListener::bind((HERE, 0)).expect("a listener");
    let to = listener.local_addr().expect("an address");
    let peer = far.run(move |_| TcpStream::connect(to).expect("connected"));
    let (ours, _) = listener.accept().expect("a connection");
    (namespace, far, ours, peer)
}

#[test]
fn writing_to_a_peer_that_does_not_read_ends_in_time_too() {
    let _namespace = Namespace::enter();
    let answer = vec![0; 64 << 20];
    for driver in Driver::ALL {
        for (octets, limit, kind) in [
            (0, u64::MAX, ErrorKind::TimedOut),
            (1, u64::MAX, ErrorKind::TimedOut),
            (1 << 16, u64::MAX, ErrorKind::TimedOut),
            (1 << 16, 1 << 20, ErrorKind::InvalidData),
        ] {
            let (ours, peer) = pair();
            let second = peer.try_clone().expect("a second handle");
            let sends = (octets > 0).then(|| sender(second, octets, IDLE / 50));
            let began = Instant::now();
            let written = driver.write_all_draining(&ours, &answer, TOTAL, limit);
            let took = began.elapsed();
            let told = format!("{driver:?} {octets} {limit}: {written:?} after {took:?}");
            assert_eq!(written.map_err(|error| error.kind()), Err(kind), "{told}");
            assert!(took < TOTAL + LATE, "{told}");
            assert!(took >= TOTAL || kind != ErrorKind::TimedOut, "{told}");
            abort(ours).expect("a reset");
            sends.map(JoinHandle::join).transpose().expect("the reset ends it");
        }
    }
}
