//! What an orderly close comes to over links that lose segments and take their time, and where both sides close at once.

use lastack_graceful::close::{
    CloseOrderly as _, ClosePolicy, CloseReport, FirstFin, Outcome, TimeWait,
};
use lastack_lab::driver::Driver;
use lastack_lab::namespace::Namespace;
use lastack_lab::random::Random;
use lastack_lab::segment::Segment;
use lastack_lab::truncation::{Client, Exchange, Strategy, Trial};
use lastack_lab::wire::{FAR, Fate, NEAR, Wire};
use lastack_model::state::State;
use lastack_os::connection;
use rustix::net::{self, AddressFamily, SendFlags, SocketType};
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Barrier};
use std::time::Duration;

/// So many trials of one client over a wire that follows this rule.
fn trials(
    client: Client,
    strategy: Strategy,
    rule: impl FnMut(&Segment) -> Fate + Send + 'static,
) -> Vec<Trial> {
    let namespace = Namespace::enter();
    let wire = Wire::laid_from(&namespace);
    wire.follow(rule);
    let listener = TcpListener::bind((NEAR, 0)).expect("a listener");
    let exchange = Exchange { upload: UPLOAD, ..Exchange::of(client, strategy) };
    let count = if strategy == Strategy::Orderly(Driver::Tokio) { FEW } else { TRIALS };
    (0..count).map(|_| exchange.run_from(&wire.far, &listener)).collect()
}

/// Loses one in twenty segments, either way, by chance that can be had again. Those that open a connection are spared:
/// each would cost a second, and no close is about them.
fn losses() -> impl FnMut(&Segment) -> Fate + Send + 'static {
    let mut random = Random::seeded(SEED);
    move |segment| {
        let is_lost = !segment.is_syn() && random.below(20) == 0;
        if is_lost { Fate::Lose } else { Fate::Pass }
    }
}

fn assert_whole(trials: &[Trial]) {
    for trial in trials {
        assert!(trial.lost == 0 && !trial.send_error && !trial.read_error, "{trial:?}");
        assert_eq!(trial.report.map(|report| report.outcome), Some(Outcome::Orderly), "{trial:?}");
    }
}

#[test]
fn losses_cut_no_answer_of_a_client_that_sent_too_much() {
    for driver in Driver::ALL {
        assert_whole(&trials(Client::Extra, Strategy::Orderly(driver), losses()));
    }
}

#[test]
fn losses_cut_no_answer_of_a_client_that_uploads_meanwhile() {
    for driver in Driver::ALL {
        assert_whole(&trials(Client::Duplex, Strategy::Orderly(driver), losses()));
    }
}

#[test]
fn losses_cut_no_answer_of_a_client_that_reads_later() {
    for driver in Driver::ALL {
        assert_whole(&trials(Client::SendThenRead, Strategy::Orderly(driver), losses()));
    }
}

#[test]
fn a_long_way_cuts_no_answer() {
    for client in Client::ALL {
        for driver in Driver::ALL {
            assert_whole(&trials(client, Strategy::Orderly(driver), |_| Fate::Delay(ONE_WAY)));
        }
    }
}

#[test]
fn over_a_long_way_a_plain_close_cuts_nearly_every_answer() {
    let naive = trials(Client::Duplex, Strategy::Naive, |_| Fate::Delay(ONE_WAY));
    let cut = naive.iter().filter(|trial| trial.lost > 0 || trial.send_error).count();
    assert!(cut > TRIALS / 2, "only {cut} of {TRIALS}");
}

/// Both sides close a connection in the same moment.
fn close_both(wire: &Wire, listener: &TcpListener) -> [CloseReport; 2] {
    let to = listener.local_addr().expect("an address");
    let client = wire.far.run(move |_| TcpStream::connect(to).expect("a connection"));
    let (server, _) = listener.accept().expect("a connection");
    let start = Arc::new(Barrier::new(2));
    let together = Arc::clone(&start);
    let close = |stream: TcpStream, start: Arc<Barrier>| {
        start.wait();
        let policy = ClosePolicy::server().within(PATIENCE).idle(PATIENCE);
        stream.close_orderly(&policy).expect("a close")
    };
    let far = std::thread::spawn(move || close(client, together));
    [close(server, start), far.join().expect("the far side closes")]
}

#[test]
fn when_fins_cross_both_reports_say_so_and_both_sides_keep_time_wait() {
    let namespace = Namespace::enter();
    let wire = Wire::laid_from(&namespace);
    wire.follow(|_| Fate::Delay(ONE_WAY));
    let listener = TcpListener::bind((NEAR, 0)).expect("a listener");
    for _ in 0..TRIALS {
        for report in close_both(&wire, &listener) {
            assert_eq!(report.outcome, Outcome::Orderly, "{report:?}");
            assert_eq!(report.first_fin, FirstFin::Both, "{report:?}");
            assert_eq!(report.time_wait, TimeWait::Both, "{report:?}");
        }
    }
    let near = super::time_wait::time_waits();
    let far = wire.far.run(|_| super::time_wait::time_waits());
    assert_eq!((near, far), (TRIALS, TRIALS), "near {NEAR}, far {FAR}");
}

#[test]
fn fins_that_cross_and_get_lost_end_all_the_same() {
    let namespace = Namespace::enter();
    let wire = Wire::laid_from(&namespace);
    let listener = TcpListener::bind((NEAR, 0)).expect("a listener");
    for _ in 0..5 {
        // The first FIN of each side is lost, and that of the repetition arrives.
        let mut lost = Vec::new();
        wire.follow(move |segment| {
            if !segment.is_fin() || lost.contains(&segment.from) {
                return Fate::Delay(ONE_WAY);
            }
            lost.push(segment.from);
            Fate::Lose
        });
        for report in close_both(&wire, &listener) {
            assert_eq!(report.outcome, Outcome::Orderly, "{report:?}");
        }
    }
}

/// With TCP Fast Open (RFC 7413) a connection is accepted before its handshake is over, and until then the kernel counts
/// nothing as unacknowledged.
#[test]
fn what_was_sent_before_the_end_of_the_handshake_is_not_called_acknowledged() {
    let namespace = Namespace::enter();
    namespace.set("ipv4/tcp_fastopen", SERVE_WITHOUT_COOKIES);
    let wire = Wire::laid_from(&namespace);
    wire.follow(|segment| {
        let is_lost = *segment.from.ip() == FAR && !segment.is_syn();
        if is_lost { Fate::Lose } else { Fate::Pass }
    });
    let listener = TcpListener::bind((NEAR, 0)).expect("a listener");
    let to = listener.local_addr().expect("an address");
    let _client = wire.far.run(move |namespace| {
        namespace.set("ipv4/tcp_fastopen", ASK_WITHOUT_COOKIES);
        let client = net::socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
        net::sendto(&client, b"question", FAST_OPEN, &to).expect("sent with the SYN");
        client
    });
    let (mut server, _) = listener.accept().expect("a connection");
    let state = connection::info(&server).expect("TCP_INFO").state;
    assert_eq!(state, State::SynReceived);
    server.write_all(b"answer").expect("sent");
    let policy = ClosePolicy::server().within(MOMENT);
    let report = server.close_orderly(&policy).expect("a close");
    assert_eq!(report.outcome, Outcome::TimedOut, "{report:?}");
    assert_ne!(report.unacked, Some(0), "{report:?}");
}

const TRIALS: usize = 20;
/// Under tokio, for the plan is the same.
const FEW: usize = 5;
const SEED: u64 = 0x1a57_ac4b;
const ONE_WAY: Duration = Duration::from_millis(10);
const UPLOAD: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(20);
const MOMENT: Duration = Duration::from_millis(600);
/// `TFO_SERVER_ENABLE`, `TFO_SERVER_COOKIE_NOT_REQD` and `TFO_SERVER_WO_SOCKOPT1` (`include/net/tcp.h`).
const SERVE_WITHOUT_COOKIES: &str = "1538";
/// `TFO_CLIENT_ENABLE` and `TFO_CLIENT_NO_COOKIE`.
const ASK_WITHOUT_COOKIES: &str = "5";
/// `MSG_FASTOPEN`.
const FAST_OPEN: SendFlags = SendFlags::from_bits_retain(0x2000_0000);
