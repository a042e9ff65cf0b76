//! Within TLS: what ends an answer, who says `close_notify`, and how a handshake ends.

use super::*;

pub(super) fn agreed() -> Tls {
    let (version, cipher) = ("TLS 1.3".into(), "TLS13_AES_128_GCM_SHA256".into());
    Tls { version, cipher, alpn: None, verified: false, close_notify: false }
}

/// A handshake that is over, and everything sent up to the first wait.
fn secured(kind: Kind) -> Talk {
    let trial = trial(kind).within_tls(3000);
    let mut talk = Talk::new(&trial, Bounds::DEFAULT.most_read, seen(0, State::Established));
    assert_eq!(talk.want(), Want::Secure(Moment(3000)));
    talk.handle_sealed(0, 500, seen(1, State::Established));
    talk.handle_unsealed(&[], 900, seen(1, State::Established));
    assert_eq!(talk.want(), Want::Secure(Moment(3000)));
    talk.handle_secured(agreed(), seen(2, State::Established));
    while let Want::Write(octets, ..) = talk.want() {
        let length = octets.len();
        talk.handle_sealed(length, length + 22, seen(2, State::Established));
    }
    talk
}

const TO_THE_CLOSE: &[u8] = b"HTTP/1.0 200 OK\r\n\r\nfour";

#[test]
fn within_tls_an_answer_up_to_the_close_ends_by_close_notify_and_not_by_a_fin() {
    let mut bare = secured(Kind::Close);
    bare.handle_unsealed(TO_THE_CLOSE, 50, seen(3, State::Established));
    let mut told = bare.clone();
    bare.handle_end(seen(4, State::CloseWait));
    let finding = verdict(bare.clone(), Question::CloseNotify);
    assert_eq!((finding.verdict, finding.shown_by), (Verdict::Fault, Some(0)), "{finding:?}");
    assert_eq!(bare.into_observed().extent, Some(Extent::Part { body: 4, of: None }));
    told.handle_close_notify(seen(4, State::Established));
    told.handle_end(seen(4, State::CloseWait));
    assert_eq!(verdict(told.clone(), Question::CloseNotify).verdict, Verdict::Good);
    assert_eq!(told.into_observed().extent, Some(Extent::ToTheClose { body: 4 }));
}

#[test]
fn within_tls_an_answer_that_says_its_length_is_whole_without_close_notify() {
    let mut talk = secured(Kind::Close);
    talk.handle_unsealed(ANSWER, 60, seen(3, State::Established));
    talk.handle_end(seen(4, State::CloseWait));
    assert_eq!(verdict(talk, Question::CloseNotify).verdict, Verdict::Noted);
}

#[test]
fn who_says_close_notify_and_leaves_the_fin_to_the_client_is_noted() {
    let mut talk = secured(Kind::Close);
    talk.handle_unsealed(ANSWER, 60, seen(3, State::Established));
    talk.handle_close_notify(seen(3, State::Established));
    talk.handle_time(seen(3003, State::Established));
    let finding = verdict(talk, Question::ClosesFirst);
    assert_eq!(finding.verdict, Verdict::Noted, "{finding:?}");
    assert!(finding.says.contains("close_notify, and no FIN after 3.0 s"), "{}", finding.says);
}

#[test]
fn tickets_are_no_answer_and_close_notify_goes_before_the_fin() {
    let mut talk = secured(Kind::Stray);
    talk.handle_unsealed(&[], 200, seen(3, State::Established));
    assert!(matches!(talk.want(), Want::Look(_)), "{:?}", talk.want());
    let mut talk = secured(Kind::HalfClose);
    assert!(matches!(talk.want(), Want::Notify(_)), "{:?}", talk.want());
    talk.handle_notified(24, seen(3, State::Established));
    assert_eq!(talk.want(), Want::Shutdown);
    talk.handle_shutdown(seen(3, State::FinWait1));
    talk.handle_end(seen(4, State::TimeWait));
    assert_eq!(verdict(talk, Question::FinOrReset).verdict, Verdict::Good);
}

#[test]
fn a_server_that_has_closed_is_not_sent_what_it_could_only_answer_by_a_reset() {
    let mut talk = secured(Kind::Close);
    talk.handle_unsealed(ANSWER, 60, seen(3, State::Established));
    talk.handle_end(seen(4, State::CloseWait));
    talk.handle_acknowledged(seen(4, State::CloseWait));
    assert_eq!(talk.want(), Want::Shutdown);
}

#[test]
fn a_handshake_ends_in_its_time_and_its_failure_is_said() {
    let begin = || {
        let trial = trial(Kind::Close).within_tls(3000);
        Talk::new(&trial, 100, seen(0, State::Established))
    };
    let mut late = begin();
    late.handle_time(seen(3000, State::Established));
    let mut closed = begin();
    closed.handle_end(seen(1, State::CloseWait));
    let mut reset = begin();
    reset.handle_reset(Told::Reader, seen(1, State::Closed));
    for (talk, says) in [(late, "not over after 3.0 s"), (closed, "closed"), (reset, "reset")] {
        assert_eq!(talk.want(), Want::Over);
        let one = talk.into_observed();
        assert!(one.handshake_failure().is_some_and(|cause| cause.contains(says)), "{one:?}");
        for finding in judge(&[one]) {
            assert!(finding.verdict >= Verdict::Noted, "{finding:?}");
        }
    }
}

#[test]
fn a_ladder_counts_the_octets_of_segments_and_not_those_of_the_message() {
    let mut talk = secured(Kind::Close);
    talk.handle_unsealed(ANSWER, 60, seen(3, State::Established));
    let observed = talk.into_observed();
    let sent = u32::try_from(observed.sent).expect("few octets");
    let drawn = ladder(&observed);
    let last = drawn.events.last().expect("events");
    let What::Arrived(flight) = &last.what else { panic!("{last:?}") };
    assert_eq!((flight.segment.seq.0, flight.segment.length), (901, 60));
    assert_eq!(flight.segment.ack.map(|ack| ack.0), Some(501 + sent + 22));
}
