//! Whole probes told without a server: what a driver would report, and the verdicts that follow.

mod tls;

use super::http::Extent;
use super::log::{Happened, Told};
use super::talk::Talk;
use super::trial::{Bounds, Kind, Protocol, Reading, Request, Trial, trials};
use super::want::{Seen, Want};
use super::{Finding, Maker, Observed, Question, Tls, Verdict, fix, judge, ladder};
use crate::ladder::{Moment, What};
use crate::state::State;
use proptest::prelude::*;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfour";

fn http() -> Protocol {
    Protocol::Http(Request {
        method: "GET".into(),
        host: "example.org".into(),
        path: "/".into(),
        agent: "lastack".into(),
    })
}

fn trial(kind: Kind) -> Trial {
    let all = trials(&http(), &Bounds::DEFAULT);
    all.into_iter().find(|trial| trial.kind == kind).expect("there is one")
}

fn seen(at: u64, here: State) -> Seen {
    Seen { at: Moment(at), here: Some(here), there: None, unacked: Some(0) }
}

/// Takes everything that is sent, up to the first wait.
fn begun(kind: Kind) -> Talk {
    let mut talk = Talk::new(&trial(kind), Bounds::DEFAULT.most_read, seen(0, State::Established));
    while let Want::Write(octets, ..) = talk.want() {
        let length = octets.len();
        talk.handle_written(length, seen(1, State::Established));
    }
    talk
}

fn verdict(talk: Talk, question: Question) -> Finding {
    let found = judge(&[talk.into_observed()]);
    found.into_iter().find(|finding| finding.question == question).expect("an answer")
}

#[test]
fn a_server_that_closes_after_its_answer_closes_first_and_by_fin() {
    let mut talk = begun(Kind::Close);
    talk.handle_octets(ANSWER, seen(2, State::Established));
    talk.handle_end(seen(5, State::CloseWait));
    assert!(matches!(talk.want(), Want::Acknowledged(_)));
    talk.handle_acknowledged(seen(5, State::CloseWait));
    assert_eq!(talk.want(), Want::Shutdown);
    talk.handle_shutdown(seen(6, State::LastAck));
    assert_eq!(talk.want(), Want::Over);
    assert!(!talk.is_unfinished());
    let finding = verdict(talk.clone(), Question::ClosesFirst);
    assert_eq!(finding.verdict, Verdict::Good);
    assert!(finding.says.starts_with("the server, 3 ms after"), "{}", finding.says);
    assert_eq!(verdict(talk, Question::FinOrReset).verdict, Verdict::Good);
}

#[test]
fn a_server_that_was_asked_to_close_and_does_not_is_at_fault() {
    let mut talk = begun(Kind::Close);
    talk.handle_octets(ANSWER, seen(2, State::Established));
    talk.handle_time(seen(3002, State::Established));
    talk.handle_acknowledged(seen(3002, State::Established));
    talk.handle_shutdown(seen(3002, State::FinWait2));
    talk.handle_time(seen(6002, State::FinWait2));
    assert_eq!(talk.want(), Want::Over);
    assert!(talk.is_unfinished());
    let finding = verdict(talk.clone(), Question::ClosesFirst);
    assert_eq!(finding.verdict, Verdict::Fault, "{finding:?}");
    let finding = verdict(talk, Question::LetsGo);
    assert_eq!(finding.verdict, Verdict::Fault);
    assert!(finding.because.is_some_and(|words| words.contains("inferred")), "{}", finding.says);
}

#[test]
fn an_answer_shorter_than_it_says_is_cut() {
    let mut talk = begun(Kind::Stray);
    talk.handle_readable(seen(2, State::Established));
    assert!(matches!(talk.want(), Want::Write(b"\r\n", Reading::Later, _)));
    talk.handle_written(2, seen(2, State::Established));
    assert!(matches!(talk.want(), Want::Hold(_)));
    talk.handle_time(seen(202, State::Closed));
    talk.handle_octets(&ANSWER[..ANSWER.len() - 1], seen(203, State::Closed));
    talk.handle_reset(Told::Reader, seen(203, State::Closed));
    assert_eq!(talk.want(), Want::Over);
    let finding = verdict(talk, Question::UnreadInput);
    assert_eq!(finding.verdict, Verdict::Fault);
    assert_eq!(finding.says, "the answer is cut: 3 of 4 octets arrived, then a reset");
}

#[test]
fn when_the_writer_is_told_of_the_reset_the_reader_sees_a_proper_end() {
    let all = trial(Kind::Upload);
    let mut talk = Talk::new(&all, Bounds::DEFAULT.most_read, seen(0, State::Established));
    let Want::Write(first, Reading::Later, _) = talk.want() else { panic!("{:?}", talk.want()) };
    let length = first.len();
    talk.handle_written(length, seen(1, State::Established));
    talk.handle_readable(seen(2, State::Established));
    talk.handle_reset(Told::Writer, seen(3, State::Closed));
    assert!(matches!(talk.want(), Want::Read(_)));
    talk.handle_octets(&ANSWER[..ANSWER.len() - 2], seen(3, State::Closed));
    talk.handle_end(seen(3, State::Closed));
    assert_eq!(talk.want(), Want::Over);
    let finding = verdict(talk, Question::EarlyAnswer);
    assert_eq!(finding.verdict, Verdict::Fault);
    assert!(finding.because.is_some_and(|words| words.contains("proper end")));
}

#[test]
fn a_server_that_reads_everything_first_cannot_be_judged_for_early_answers() {
    let mut talk = begun(Kind::Upload);
    talk.handle_time(seen(3001, State::Established));
    while let Want::Write(octets, ..) = talk.want() {
        let length = octets.len();
        talk.handle_written(length, seen(3002, State::Established));
    }
    talk.handle_octets(ANSWER, seen(3003, State::Established));
    talk.handle_end(seen(3003, State::CloseWait));
    let finding = verdict(talk, Question::EarlyAnswer);
    assert_eq!(finding.verdict, Verdict::Undecided, "{finding:?}");
}

#[test]
fn an_answer_without_an_end_is_given_up_at_the_limit() {
    let mut talk = begun(Kind::Close);
    let octets = vec![b'x'; 1 << 20];
    talk.handle_octets(b"HTTP/1.0 200 OK\r\n\r\n", seen(1, State::Established));
    for _ in 0..4 {
        talk.handle_octets(&octets, seen(2, State::Established));
    }
    assert_eq!(talk.want(), Want::Over);
    let seen = talk.into_observed();
    assert!(seen.log.iter().any(|entry| entry.what == Happened::TooMuch));
    assert_eq!(seen.extent, Some(Extent::Part { body: 4 << 20, of: None }));
}

#[test]
fn what_cannot_be_sent_makes_it_read() {
    let all = trial(Kind::Upload);
    let mut talk = Talk::new(&all, Bounds::DEFAULT.most_read, seen(0, State::Established));
    talk.handle_written(10, seen(1, State::Established));
    talk.handle_time(seen(251, State::Established));
    assert!(matches!(talk.want(), Want::Write(_, Reading::Meanwhile, Moment(3251))));
}

#[test]
fn nothing_after_the_clients_fin_is_noted_and_no_fault() {
    let words = Protocol::Plain(Some(b"hello\n".to_vec()));
    let plain = trials(&words, &Bounds::DEFAULT);
    let begin = |trial: &Trial| {
        let mut talk = Talk::new(trial, 100, seen(0, State::Established));
        talk.handle_written(6, seen(0, State::Established));
        talk
    };
    let mut answered = begin(&plain[0]);
    answered.handle_octets(b"hello\n", seen(1, State::Established));
    let mut half = begin(&plain[1]);
    half.handle_shutdown(seen(1, State::FinWait1));
    half.handle_end(seen(2, State::TimeWait));
    let found = judge(&[answered.into_observed(), half.into_observed()]);
    let finding = found.iter().find(|finding| finding.question == Question::HalfClose);
    assert_eq!(finding.map(|finding| finding.verdict), Some(Verdict::Noted));
}

#[test]
fn a_ladder_shows_what_was_seen_and_marks_what_was_not() {
    let mut talk = begun(Kind::Close);
    talk.handle_octets(ANSWER, seen(2, State::Established));
    talk.handle_end(seen(5, State::CloseWait));
    let drawn = ladder(&talk.into_observed());
    let last = drawn.events.last().expect("events");
    assert_eq!(last.states.map(crate::ladder::Known::words), ["CLOSE_WAIT", "(FIN_WAIT_2)"]);
    let fins = drawn.events.iter().filter(|event| match &event.what {
        What::Arrived(flight) => flight.segment.to_string() == "FIN,ACK seq 43 ack 91",
        _ => false,
    });
    assert_eq!(fins.count(), 1, "{:?}", drawn.events);
}

#[test]
fn every_fault_has_a_remedy_whoever_made_the_server() {
    for server in [Some("nginx/1.22.1"), Some("SimpleHTTP/0.6 Python/3.11"), Some("x"), None] {
        for question in [
            Question::EarlyAnswer,
            Question::UnreadInput,
            Question::ClosesFirst,
            Question::FinOrReset,
            Question::HalfClose,
            Question::LetsGo,
            Question::CloseNotify,
        ] {
            assert!(!fix(Maker::of(server), question).is_empty(), "{server:?} {question:?}");
        }
    }
    assert_eq!(Maker::of(Some("nginx/1.22.1")), Maker::Nginx);
}

#[test]
fn a_connection_that_was_not_made_decides_nothing() {
    let all: Vec<Observed> = trials(&http(), &Bounds::DEFAULT)
        .iter()
        .map(|trial| Observed::unreached(trial, "connection refused".into()))
        .collect();
    for finding in judge(&all) {
        assert_eq!(finding.verdict, Verdict::Undecided, "{finding:?}");
    }
}

/// As it is on this very host: the answer and the FIN are here before the stray octets draw the reset.
#[test]
fn an_answer_that_only_the_close_ends_is_whole_where_the_fin_came_before_the_reset() {
    let play = |after_fin: bool| {
        let mut talk = begun(Kind::Stray);
        talk.handle_readable(seen(2, State::CloseWait));
        talk.handle_written(2, seen(2, State::CloseWait));
        if after_fin {
            talk.handle_reset_after_fin(Told::Nobody, seen(3, State::Closed));
        } else {
            talk.handle_reset(Told::Nobody, seen(3, State::Closed));
        }
        talk.handle_octets(b"HTTP/1.0 200 OK\r\n\r\nhello", seen(3, State::Closed));
        talk.handle_end(seen(3, State::Closed));
        verdict(talk, Question::UnreadInput)
    };
    let whole = play(true);
    assert_eq!(whole.verdict, Verdict::Noted, "{whole:?}");
    assert!(whole.says.contains("5 octets") && whole.says.contains("then a reset"), "{whole:?}");
    assert_eq!(play(false).verdict, Verdict::Fault);
}

#[test]
fn an_early_answer_that_only_the_close_ends_is_at_risk_as_any_other() {
    let all = trial(Kind::Upload);
    let mut talk = Talk::new(&all, Bounds::DEFAULT.most_read, seen(0, State::Established));
    let Want::Write(first, ..) = talk.want() else { panic!("{:?}", talk.want()) };
    let length = first.len();
    talk.handle_written(length, seen(1, State::Established));
    talk.handle_readable(seen(2, State::CloseWait));
    talk.handle_octets(b"HTTP/1.0 413 No\r\n\r\nhello", seen(3, State::CloseWait));
    talk.handle_end(seen(3, State::CloseWait));
    talk.handle_reset_after_fin(Told::Writer, seen(4, State::Closed));
    let finding = verdict(talk, Question::EarlyAnswer);
    assert_eq!(finding.verdict, Verdict::Fault, "{finding:?}");
}

#[test]
fn a_server_that_still_owes_its_answer_is_slow_and_holds_on_to_nothing() {
    for came in [&b""[..], b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"] {
        let mut talk = begun(Kind::HalfClose);
        assert_eq!(talk.want(), Want::Shutdown);
        talk.handle_shutdown(seen(1, State::FinWait2));
        if !came.is_empty() {
            talk.handle_octets(came, seen(2, State::FinWait2));
        }
        talk.handle_time(seen(3002, State::FinWait2));
        talk.handle_time(seen(6002, State::FinWait2));
        assert_eq!(talk.want(), Want::Over);
        let finding = verdict(talk, Question::LetsGo);
        assert_eq!(finding.verdict, Verdict::Undecided, "{finding:?}");
        assert!(finding.because.is_some_and(|words| words.contains("--patience")));
    }
}

#[test]
fn a_server_that_closes_on_the_silent_alone_is_not_said_to_close_always() {
    let mut owing = begun(Kind::HalfClose);
    owing.handle_shutdown(seen(1, State::FinWait2));
    owing.handle_time(seen(3002, State::FinWait2));
    owing.handle_time(seen(6002, State::FinWait2));
    let mut silent = begun(Kind::Silent);
    silent.handle_end(seen(2000, State::CloseWait));
    let all = [owing.into_observed(), silent.into_observed()];
    let found = judge(&all).into_iter().find(|finding| finding.question == Question::LetsGo);
    assert_eq!(found.expect("an answer").verdict, Verdict::Undecided);
}

#[test]
fn a_reset_instead_of_an_answer_is_said_as_that() {
    for (kind, verdict_of) in [
        (Kind::KeepAlive, Verdict::Fault),
        (Kind::HalfClose, Verdict::Noted),
        (Kind::Silent, Verdict::Noted),
    ] {
        let mut talk = begun(kind);
        if talk.want() == Want::Shutdown {
            talk.handle_shutdown(seen(1, State::FinWait2));
        }
        talk.handle_reset(Told::Reader, seen(2, State::Closed));
        let finding = verdict(talk, Question::FinOrReset);
        assert_eq!(finding.verdict, verdict_of, "{finding:?}");
        let is_asked = kind != Kind::Silent;
        assert_eq!(finding.says.contains("instead of an answer"), is_asked, "{finding:?}");
    }
}

/// Something that a driver may report.
#[derive(Clone, Debug)]
enum News {
    Time,
    Octets(Vec<u8>),
    End,
    Reset(Told),
}

fn news() -> impl Strategy<Value = News> {
    prop_oneof![
        Just(News::Time),
        proptest::collection::vec(any::<u8>(), 1..60).prop_map(News::Octets),
        Just(News::Octets(ANSWER.to_vec())),
        Just(News::End),
        prop_oneof![Just(Told::Reader), Just(Told::Writer), Just(Told::Nobody)]
            .prop_map(News::Reset),
    ]
}

proptest! {
    /// Whatever a server does, a connection ends, and its log can be judged and drawn.
    #[test]
    fn every_connection_ends_whatever_the_server_does(
        which in 0..6_usize,
        is_secured in any::<bool>(),
        story in proptest::collection::vec(news(), 0..30),
    ) {
        let trial = trials(&http(), &Bounds { upload: 100, ..Bounds::DEFAULT }).remove(which);
        let trial = if is_secured { trial.within_tls(3000) } else { trial };
        let mut talk = Talk::new(&trial, 500, seen(0, State::Established));
        let mut news = story.into_iter();
        for turn in 1..200_u64 {
            let now = seen(turn, State::Established);
            match talk.want() {
                Want::Over => break,
                Want::Shutdown => talk.handle_shutdown(now),
                Want::Secure(_) => match news.next() {
                    Some(News::Octets(octets)) => talk.handle_unsealed(&[], octets.len(), now),
                    Some(News::End) => talk.handle_end(now),
                    Some(News::Reset(told)) => talk.handle_reset(told, now),
                    Some(News::Time) => talk.handle_time(now),
                    None => talk.handle_secured(tls::agreed(), now),
                },
                Want::Notify(_) => match news.next() {
                    Some(News::Time) => talk.handle_time(now),
                    Some(News::Reset(told)) => talk.handle_reset(told, now),
                    _ => talk.handle_notified(24, now),
                },
                Want::Acknowledged(_) => talk.handle_acknowledged(now),
                Want::Write(octets, reading, _) => match (news.next(), reading) {
                    (Some(News::Reset(told)), _) => talk.handle_reset(told, now),
                    (Some(News::Octets(octets)), Reading::Meanwhile) => {
                        talk.handle_octets(&octets, now);
                    }
                    (Some(News::End), Reading::Meanwhile) => talk.handle_end(now),
                    (Some(News::Time), _) => talk.handle_time(now),
                    _ => {
                        let length = octets.len();
                        talk.handle_written(length, now);
                    }
                },
                Want::Look(_) | Want::Hold(_) => match news.next() {
                    Some(News::Reset(told)) => talk.handle_reset(told, now),
                    Some(News::Octets(_)) if matches!(talk.want(), Want::Look(_)) => {
                        talk.handle_readable(now);
                    }
                    _ => talk.handle_time(now),
                },
                Want::Read(_) => match news.next() {
                    Some(News::Octets(octets)) => talk.handle_octets(&octets, now),
                    Some(News::End) => talk.handle_end(now),
                    Some(News::Reset(told)) => talk.handle_reset(told, now),
                    Some(News::Time) | None => talk.handle_time(now),
                },
            }
        }
        prop_assert_eq!(talk.want(), Want::Over);
        let observed = talk.into_observed();
        prop_assert!(observed.sent <= observed.planned);
        let _any = (judge(std::slice::from_ref(&observed)), ladder(&observed));
    }
}
