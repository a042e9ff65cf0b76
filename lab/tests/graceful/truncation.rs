//! What of an answer arrives when the client still sends.

use lastack_graceful::close::Outcome;
use lastack_lab::driver::Driver;
use lastack_lab::link::{HERE, OtherHost};
use lastack_lab::namespace::Namespace;
use lastack_lab::truncation::{Client, Exchange, Strategy, Trial};
use std::net::TcpListener;
use std::thread::spawn;

fn trials(listener: &TcpListener, client: Client, strategy: Strategy, count: usize) -> Vec<Trial> {
    let exchange = Exchange { receive_buffer: Some(SMALL), ..Exchange::of(client, strategy) };
    (0..count).map(|_| exchange.run(listener)).collect()
}

fn spoiled(trials: &[Trial]) -> usize {
    trials.iter().filter(|trial| trial.lost > 0 || trial.send_error).count()
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a listener")
}

/// Every other way to close harms some, an orderly one nobody, by the same client. Waiting for all to be acknowledged
/// saves the answer, but not the client's sending, if it still does.
fn is_spared_by_an_orderly_close(client: Client) {
    let _namespace = Namespace::enter();
    let listener = listener();
    for strategy in Strategy::ALL {
        if let Strategy::Orderly(driver) = strategy {
            let count = if driver == Driver::Blocking { MANY } else { TRIALS };
            for trial in trials(&listener, client, strategy, count) {
                let outcome = trial.report.map(|report| report.outcome);
                assert!(trial.lost == 0 && !trial.send_error && !trial.read_error, "{trial:?}");
                assert_eq!(outcome, Some(Outcome::Orderly), "{strategy:?}: {trial:?}");
            }
        } else {
            let spoiled = spoiled(&trials(&listener, client, strategy, FEW));
            let told = format!("{client:?}, {strategy:?}: {spoiled} of {FEW} spoiled");
            match (client, strategy) {
                (Client::Extra, Strategy::WaitForAcknowledgement) => {
                    assert_eq!(spoiled, 0, "{told}");
                }
                // Whether the two octets are there when it looks is luck.
                (Client::Extra, Strategy::DrainQueued) => eprintln!("{told}"),
                _ => assert!(spoiled > 0, "{told}"),
            }
        }
    }
}

#[test]
fn a_client_that_sent_two_octets_too_many_gets_the_whole_answer() {
    is_spared_by_an_orderly_close(Client::Extra);
}

#[test]
fn a_client_that_uploads_and_reads_at_once_gets_the_whole_answer() {
    is_spared_by_an_orderly_close(Client::Duplex);
}

#[test]
fn a_client_that_uploads_first_and_reads_later_gets_the_whole_answer() {
    is_spared_by_an_orderly_close(Client::SendThenRead);
}

#[test]
fn a_plain_close_cuts_answers_without_the_client_seeing_an_error() {
    let _namespace = Namespace::enter();
    let listener = listener();
    let is_silent = |trial: Trial| trial.lost > 0 && !trial.read_error;
    let exchange = Exchange::of(Client::Duplex, Strategy::Naive);
    let silent = (0..TRIALS * 10).any(|_| is_silent(exchange.run(&listener)));
    assert!(silent, "no answer was cut silently in {} trials", TRIALS * 10);
}

#[test]
fn an_answer_larger_than_all_buffers_reaches_a_client_that_does_not_read_yet() {
    let _namespace = Namespace::enter();
    let usual = Exchange::of(Client::SendThenRead, Strategy::Orderly(Driver::Blocking));
    let trial = Exchange { answer: 32 << 20, ..usual }.run(&listener());
    assert!(trial.lost == 0 && !trial.send_error && !trial.read_error, "{trial:?}");
}

/// So many trials over 100 Mbit/s. Nearly all of one is the wire's time, so several wires carry trials side by side.
fn slow_trials(client: Client, strategy: Strategy, count: usize) -> Vec<Trial> {
    let exchange = Exchange { upload: SLOW_UPLOAD, ..Exchange::of(client, strategy) };
    let carry = move || -> Vec<_> {
        let namespace = Namespace::enter();
        let far = OtherHost::joined_to(&namespace);
        far.slow_down();
        let listener = TcpListener::bind((HERE, 0)).expect("a listener");
        (0..count / WIRES).map(|_| exchange.run_from(&far, &listener)).collect()
    };
    let wires: Vec<_> = (0..WIRES).map(|_| spawn(carry)).collect();
    wires.into_iter().flat_map(|wire| wire.join().expect("trials")).collect()
}

/// Over 100 Mbit/s a plain close harms most, an orderly one nobody.
fn over_a_slow_link(client: Client) {
    // Not always all: where the server is held up before it closes, the link has the time to carry everything.
    let naive = spoiled(&slow_trials(client, Strategy::Naive, FEW));
    assert!(naive > FEW / 2, "a plain close harmed only {naive} of {FEW}");
    for (driver, count) in [(Driver::Blocking, TRIALS), (Driver::Tokio, FEW)] {
        let trials = slow_trials(client, Strategy::Orderly(driver), count);
        assert_eq!((trials.len(), spoiled(&trials)), (count, 0), "{driver:?}");
    }
}

#[test]
fn over_a_slow_link_a_plain_close_cuts_most_answers_and_an_orderly_one_none() {
    over_a_slow_link(Client::Extra);
}

#[test]
fn over_a_slow_link_a_client_that_uploads_and_reads_at_once_gets_the_whole_answer() {
    over_a_slow_link(Client::Duplex);
}

#[test]
fn over_a_slow_link_a_client_that_uploads_first_and_reads_later_gets_the_whole_answer() {
    over_a_slow_link(Client::SendThenRead);
}

/// Of what loses nothing; under tokio fewer, for the plan is the same.
const MANY: usize = 1000;
const TRIALS: usize = 100;
/// Where nearly every one shows it.
const FEW: usize = 20;
const WIRES: usize = 5;
/// An answer does not fit in by far.
const SMALL: usize = 64 << 10;
/// More than the buffers take, and not more than a slow link carries soon.
const SLOW_UPLOAD: usize = 1 << 20;
