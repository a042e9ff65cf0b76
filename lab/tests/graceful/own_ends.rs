//! Programs that have shut a side down themselves before they ask for the close: an end of their own making is not taken
//! for the peer's.

use lastack_graceful::close::{ClosePolicy, CloseReport, FirstFin, Outcome, TimeWait};
use lastack_lab::driver::Driver;
use lastack_lab::namespace::Namespace;
use lastack_lab::states::{on_port, wait_until};
use lastack_model::state::State;
use std::io::Write as _;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);
const MOMENT: Duration = Duration::from_millis(400);

/// A close under way of a side that the program had shut down, the peer's end, and where ours is.
struct Scene {
    closing: JoinHandle<CloseReport>,
    peer: TcpStream,
    local: SocketAddr,
}

impl Scene {
    /// The peer's octets are here when the program shuts its side down.
    fn begin(driver: Driver, how: Shutdown, octets: &[u8], policy: ClosePolicy) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let local = listener.local_addr().expect("an address");
        let mut peer = TcpStream::connect(local).expect("connected");
        let (ours, _) = listener.accept().expect("a connection");
        peer.write_all(octets).expect("sent");
        wait_until("they are here", || {
            octets.is_empty() || ours.peek(&mut [0; 64]).is_ok_and(|count| count == octets.len())
        });
        ours.shutdown(how).expect("shut down");
        let policy = policy.within(PATIENCE).idle(PATIENCE);
        let (sender, begun) = channel();
        let closing = spawn(move || {
            sender.send(()).expect("told");
            driver.close(ours, &policy)
        });
        begun.recv().expect("it begins");
        Self { closing, peer, local }
    }

    fn wait_for(&self, state: State) {
        wait_until("our end is there", || {
            on_port(self.local.port()).iter().any(|it| it.local == self.local && it.state == state)
        });
    }

    fn report(self) -> CloseReport {
        self.closing.join().expect("a report")
    }

    fn report_once_the_peer_closes(self) -> CloseReport {
        drop(self.peer);
        self.closing.join().expect("a report")
    }

    /// Our FIN went, the peer's is awaited for as long as it likes, and then all is over.
    fn ends_by_our_fin_first(self, told: &str) -> CloseReport {
        self.wait_for(State::FinWait2);
        sleep(MOMENT);
        assert!(!self.closing.is_finished(), "{told}: {:?}", self.report());
        let report = self.report_once_the_peer_closes();
        assert_eq!(
            (report.outcome, report.first_fin, report.time_wait),
            (Outcome::Orderly, FirstFin::Local, TimeWait::Here),
            "{told}: {report:?}"
        );
        report
    }
}

#[test]
fn our_fin_goes_and_the_peers_is_awaited_whatever_was_shut_down_before() {
    let _namespace = Namespace::enter();
    for driver in Driver::ALL {
        for how in [Shutdown::Read, Shutdown::Write, Shutdown::Both] {
            for octets in [&b""[..], b"unread"] {
                let scene = Scene::begin(driver, how, octets, ClosePolicy::server());
                let told = format!("{driver:?} {how:?} {octets:?}");
                let report = scene.ends_by_our_fin_first(&told);
                assert_eq!(report.discarded, octets.len() as u64, "{told}");
            }
        }
    }
}

#[test]
fn a_peer_that_may_close_first_is_waited_for_with_a_receiving_side_shut_down() {
    let _namespace = Namespace::enter();
    for driver in Driver::ALL {
        let policy = ClosePolicy::server().remote_first(PATIENCE);
        let scene = Scene::begin(driver, Shutdown::Read, b"", policy);
        sleep(MOMENT);
        scene.wait_for(State::Established);
        scene.peer.shutdown(Shutdown::Write).expect("its FIN");
        let report = scene.report();
        assert_eq!(
            (report.outcome, report.first_fin, report.time_wait),
            (Outcome::Orderly, FirstFin::Remote, TimeWait::Peer),
            "{driver:?}: {report:?}"
        );
    }
}

#[test]
fn a_peer_that_does_not_close_first_has_not_closed_with_a_receiving_side_shut_down_either() {
    let _namespace = Namespace::enter();
    for driver in Driver::ALL {
        let policy = ClosePolicy::server().remote_first(MOMENT);
        let scene = Scene::begin(driver, Shutdown::Read, b"", policy);
        let _ = scene.ends_by_our_fin_first(&format!("{driver:?}"));
    }
}

#[test]
fn a_connection_that_ends_by_fins_while_the_peer_is_waited_for_was_not_over_before() {
    let _namespace = Namespace::enter();
    for driver in Driver::ALL {
        for how in [Shutdown::Write, Shutdown::Both] {
            for last in [&b""[..], b"its last"] {
                let policy = ClosePolicy::server().remote_first(PATIENCE);
                let mut scene = Scene::begin(driver, how, b"", policy);
                scene.wait_for(State::FinWait2);
                sleep(MOMENT);
                scene.peer.write_all(last).expect("sent");
                let report = scene.report_once_the_peer_closes();
                let told = format!("{driver:?} {how:?} {last:?}: {report:?}");
                // Octets for a receiving side that is shut down end it by a reset (`tcp_rcv_state_process`).
                let is_reset = how == Shutdown::Both && !last.is_empty();
                let outcome = if is_reset { Outcome::PeerReset } else { Outcome::Orderly };
                assert_eq!((report.outcome, report.unacked), (outcome, Some(0)), "{told}");
                assert!(matches!(report.first_fin, FirstFin::Local | FirstFin::Unknown), "{told}");
            }
        }
    }
}
