//! Ladders of our own scripts.

use super::super::tests::SCRIPTS;
use super::*;
use crate::draw::canvas::Strokes;
use crate::draw::svg::well_formed::assert_well_formed;
use crate::ladder::{Make, Side, WaitMark, What, plot, sequence, svg, text};
use crate::script::parse;
use crate::tcp::segment::Control;
use crate::tcp::tcb::Timer;
use crate::tcp::transition::TRANSITIONS;

fn drawn(name: &str, dialect: &Dialect) -> Ladder {
    let (_, text) = SCRIPTS.iter().find(|(known, _)| *known == name).expect("one of our own");
    ladder(&parse(text, dialect.defined).expect("a script"), dialect, name)
}

#[test]
fn every_script_of_our_own_can_be_drawn_against_every_profile() {
    for (name, _) in SCRIPTS {
        for dialect in [Dialect::LINUX, Dialect::RFC_9293, Dialect::FREE_BSD] {
            let ladder = drawn(name, &dialect);
            assert_well_formed(&svg::svg(&ladder));
            assert_well_formed(&plot::svg(&ladder));
            assert!(sequence::mermaid(&ladder).starts_with("sequenceDiagram\n"));
            let text = text::ladder(&ladder).to_text(Strokes::Ascii);
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
            assert!(!ladder.events.is_empty(), "{name}");
        }
    }
}

#[test]
fn only_the_end_under_test_is_known_and_it_moves_along_the_arcs() {
    let arc = |from, to| TRANSITIONS.iter().any(|row| (row.from, row.to) == (from, to));
    for (name, _) in SCRIPTS {
        let ladder = drawn(name, &Dialect::RFC_9293);
        let mut before = State::Closed;
        for event in &ladder.events {
            assert_eq!(event.states[1], Known::Unknown, "{name}");
            let now = event.states[0].state().expect("the state of the end under test");
            let by_two = || State::ALL.into_iter().any(|way| arc(before, way) && arc(way, now));
            // Where one connection is over, a script may speak of another.
            let anew = before == State::Closed || now == State::Listen;
            assert!(now == before || arc(before, now) || by_two() || anew, "{name}: {event:?}");
            before = now;
        }
    }
}

#[test]
fn every_segment_of_the_script_is_on_its_ladder_in_its_numbers() {
    let ladder = drawn("we-close-first-and-keep-time-wait", &Dialect::LINUX);
    let sent = ladder.events.iter().filter_map(|event| match event.what {
        What::Sent(flight) => Some((flight.from, flight.segment.to_string())),
        _ => None,
    });
    let expected = [
        (Side::B, "SYN seq 0"),
        (Side::A, "SYN,ACK seq 0 ack 1"),
        (Side::B, "ACK seq 1 ack 1"),
        (Side::A, "FIN,ACK seq 1 ack 1"),
        (Side::B, "ACK seq 1 ack 2"),
        (Side::B, "FIN,ACK seq 1 ack 2"),
        (Side::A, "ACK seq 2 ack 2"),
    ];
    let expected = expected.map(|(side, text)| (side, text.to_owned()));
    assert_eq!(sent.collect::<Vec<_>>(), expected);
    assert_eq!(ladder.title, "we-close-first-and-keep-time-wait against linux: passes.");
}

#[test]
fn waits_and_timers_are_marked_where_they_happen() {
    let waits = |name: &str| {
        let events = drawn(name, &Dialect::LINUX).events;
        let marks = events.into_iter().filter_map(|event| match event.what {
            What::Wait(Side::A, mark) => Some((mark, event.at.map_or(0, |at| at.0 / 1000))),
            _ => None,
        });
        marks.collect::<Vec<_>>()
    };
    let again = waits("a-fin-repeated-in-time-wait-is-acknowledged-again");
    let (starts, anew) = ((WaitMark::Starts, 0), WaitMark::Restarts);
    assert_eq!(again, [starts, (anew, 1), (anew, 3)]);
    let over = waits("time-wait-ends-by-itself");
    assert_eq!(over.last(), Some(&(WaitMark::Ends, over[0].1 + 60)), "{over:?}");
    let events = drawn("a-lost-fin-is-sent-again", &Dialect::LINUX).events;
    let timer = events.iter().position(|e| e.what == What::Timer(Side::A, Timer::Retransmit));
    let repeated = |event: &crate::ladder::Event| {
        matches!(event.what, What::Sent(flight)
            if flight.make == Make::Repeated && flight.segment.has(Control::FIN))
    };
    assert!(repeated(&events[timer.expect("a timer") + 1]), "{events:?}");
}

#[test]
fn where_a_script_does_not_go_on_its_ladder_says_why() {
    let fails = drawn("a-reset-ends-time-wait", &Dialect::FREE_BSD);
    assert!(fails.title.ends_with(": fails."), "{}", fails.title);
    let text = text::ladder(&fails).to_text(Strokes::Ascii);
    let rows: Vec<&str> = text.lines().map(|line| line.trim().trim_matches('|').trim()).collect();
    let told =
        ["(fail: line 18: expected 0 in TIME_WAIT,", "got 1, and the connection in TIME_WAIT)"];
    assert_eq!(rows[rows.len() - 2..], told, "{text}");
    let script = parse("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 `reboot`\n", &[]);
    let skipped = ladder(&script.expect("a script"), &Dialect::LINUX, "odd");
    let last = skipped.events.last().expect("a rung");
    assert!(matches!(&last.what, What::Note(text) if text.starts_with("skipped: ")), "{last:?}");
}
