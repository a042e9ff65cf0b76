//! What an orderly close comes to over links that lose segments and take their time, and where both sides close at once.

use lastack_graceful::close::{
    CloseOrderly as _, ClosePolicy, CloseReport, FirstFin, Outcome, TimeWait,
};
use lastack_lab::namespace::Namespace;
use lastack_lab::random::Random;
use lastack_lab::segment::Segment;
use lastack_lab::truncation::{Client, Exchange, Strategy, Trial};
use lastack_lab::wire::{FAR, Fate, NEAR, Wire};
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
    (0..TRIALS).map(|_| exchange.run_from(&wire.far, &listener)).collect()
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
    assert_whole(&trials(Client::Extra, Strategy::Orderly, losses()));
}

#[test]
fn losses_cut_no_answer_of_a_client_that_uploads_meanwhile() {
    assert_whole(&trials(Client::Duplex, Strategy::Orderly, losses()));
}

#[test]
fn losses_cut_no_answer_of_a_client_that_reads_later() {
    assert_whole(&trials(Client::SendThenRead, Strategy::Orderly, losses()));
}

#[test]
fn a_long_way_cuts_no_answer() {
    for client in Client::ALL {
        assert_whole(&trials(client, Strategy::Orderly, |_| Fate::Delay(ONE_WAY)));
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

const TRIALS: usize = 20;
const SEED: u64 = 0x1a57_ac4b;
const ONE_WAY: Duration = Duration::from_millis(10);
const UPLOAD: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(20);
