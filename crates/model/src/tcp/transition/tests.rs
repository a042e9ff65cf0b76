//! The table against the machine: in every state, by every event.

use super::*;
use crate::tcp::profile::Profile;
use crate::tcp::segment::{Control, Segment};
use crate::tcp::seq::SeqNumber;
use crate::tcp::tcb::{Effects, Tcb, Timer, Wait};

const RFC: Profile = Profile::RFC_9293;
const WINDOW: u32 = 1000;
/// Our SYN, our FIN, what follows it.
const SYN: u32 = 100;
const FIN: u32 = SYN + 1;
const END: u32 = FIN + 1;
/// The peer's SYN and FIN.
const PEER_SYN: u32 = 500;
const PEER_FIN: u32 = PEER_SYN + 1;
/// With which a new connection begins.
const NEXT_SYN: SeqNumber = SeqNumber(9000);

#[test]
fn every_state_has_a_cell_for_every_event_in_its_place() {
    for (state, row) in State::ALL.into_iter().zip(&CELLS) {
        for (event, inside) in Event::ALL.into_iter().zip(row) {
            assert_eq!((inside.from, inside.event), (state, event));
            assert_eq!(cell(state, event), inside);
            let cites = inside.source.starts_with("RFC 9293 §3.");
            assert!(cites || event == Event::FinWait2Over, "{inside:?}");
        }
    }
}

#[test]
fn what_is_the_same_as_another_event_is_not_a_chain_of_such() {
    for inside in CELLS.iter().flatten() {
        if let Outcome::SameAs(event) = inside.outcome {
            let other = cell(inside.from, event).outcome;
            assert!(!matches!(other, Outcome::SameAs(_) | Outcome::Never(_)), "{inside:?}");
        }
    }
}

#[test]
fn the_machine_does_in_every_cell_what_the_table_says() {
    let faults: Vec<String> = CELLS.iter().flatten().filter_map(fault).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Where the machine and the table part.
fn fault(inside: &Cell) -> Option<String> {
    let before = end_in(inside.from, inside.event);
    assert_eq!(before.state, inside.from, "the way into the state");
    let outcome = match inside.outcome {
        Outcome::SameAs(event) => cell(inside.from, event).outcome,
        // Nothing distinguishes it from an event that can occur.
        Outcome::Never(_) if inside.event == Event::RstToListener => return None,
        outcome => outcome,
    };
    let mut end = before;
    let effects = apply(&mut end, inside.event);
    let (to, sends, wait) = match outcome {
        Outcome::Moves { to: State::TimeWait, sends, .. } => (State::TimeWait, sends, Wait::Starts),
        Outcome::Moves { to, sends, .. } => (to, sends, Wait::Unchanged),
        Outcome::Stays(sends) => (inside.from, sends, Wait::Unchanged),
        Outcome::WaitsAnew(sends) => (inside.from, sends, Wait::Starts),
        Outcome::Refused(_) | Outcome::Never(_) | Outcome::SameAs(_) => {
            if (Tcb { program: before.program, ..end }) != before {
                return Some(format!("{inside:?} changes the block to {end:?}"));
            }
            (inside.from, Sends::Nothing, Wait::Unchanged)
        }
    };
    let sent: Vec<Sends> = effects.segments().map(|segment| kind(&segment)).collect();
    let expected: Vec<Sends> = [sends].into_iter().filter(|s| *s != Sends::Nothing).collect();
    let got = (end.state, sent, effects.wait);
    (got != (to, expected, wait)).then(|| format!("{inside:?}: {got:?}"))
}

#[test]
fn a_timer_that_cannot_run_out_in_a_state_does_not_run_there() {
    for inside in CELLS.iter().flatten() {
        let timer = match inside.event {
            Event::TimeWaitOver => Timer::TimeWait,
            Event::FinWait2Over => Timer::FinWait2,
            Event::GiveUp => Timer::GiveUp,
            _ => continue,
        };
        if matches!(inside.outcome, Outcome::Never(_)) {
            for profile in Profile::ALL {
                assert!(!end_in(inside.from, inside.event).wants(timer, &profile), "{inside:?}");
            }
        }
    }
}

/// An end in this state, come there by calls and segments. The way to `SYN_RECEIVED` depends on who opened.
fn end_in(state: State, event: Event) -> Tcb {
    let mut end = Tcb::closed(WINDOW);
    let syn = segment(PEER_SYN, None, Control::SYN);
    let by_listener = matches!(event, Event::RstToListener | Event::SynOfNewIncarnation);
    match state {
        State::Closed => {}
        State::Listen => {
            end.listen();
        }
        State::SynReceived if by_listener => {
            end.listen();
            end.arrive(&syn, SeqNumber(SYN), &RFC);
        }
        State::SynSent | State::SynReceived => {
            end.open(SeqNumber(SYN));
            if state == State::SynReceived {
                end.arrive(&syn, NEXT_SYN, &RFC);
            }
        }
        State::Established
        | State::FinWait1
        | State::FinWait2
        | State::CloseWait
        | State::Closing
        | State::LastAck
        | State::TimeWait => {
            [end, _] = Tcb::pair([SeqNumber(SYN), SeqNumber(PEER_SYN)], WINDOW);
            for event in way(state) {
                apply(&mut end, *event);
            }
        }
    }
    end
}

/// From `ESTABLISHED`.
const fn way(state: State) -> &'static [Event] {
    match state {
        State::FinWait1 => &[Event::Close],
        State::FinWait2 => &[Event::Close, Event::AckOfFin],
        State::CloseWait => &[Event::Fin],
        State::Closing => &[Event::Close, Event::Fin],
        State::LastAck => &[Event::Fin, Event::Close],
        State::TimeWait => &[Event::Close, Event::AckOfFin, Event::FinAckOfFin],
        State::Established
        | State::Listen
        | State::SynSent
        | State::SynReceived
        | State::Closed => &[],
    }
}

fn apply(end: &mut Tcb, event: Event) -> Effects {
    let expected = end.rcv_nxt.0;
    let arriving = match event {
        Event::PassiveOpen => return end.listen(),
        Event::ActiveOpen => return end.open(NEXT_SYN),
        Event::Close => return end.shutdown(),
        Event::Abort => return end.abort(),
        Event::TimeWaitOver => return end.timeout(Timer::TimeWait),
        Event::FinWait2Over => return end.timeout(Timer::FinWait2),
        Event::GiveUp => return end.timeout(Timer::GiveUp),
        Event::Syn => segment(PEER_SYN, None, Control::SYN),
        Event::SynOfNewIncarnation => segment(expected + 10, None, Control::SYN),
        Event::SynAck => segment(PEER_SYN, Some(FIN), Control::SYN),
        Event::AckOfSyn => segment(expected, Some(FIN), Control::NONE),
        Event::AckOfFin => segment(expected, Some(END), Control::NONE),
        Event::Fin => segment(PEER_FIN, Some(FIN), Control::FIN),
        Event::FinAckOfFin => segment(PEER_FIN, Some(END), Control::FIN),
        Event::Rst | Event::RstToListener => segment(expected, Some(FIN), Control::RST),
    };
    end.arrive(&arriving, NEXT_SYN, &RFC)
}

fn segment(seq: u32, ack: Option<u32>, control: Control) -> Segment {
    Segment { window: WINDOW, ..Segment::new(SeqNumber(seq), ack.map(SeqNumber), control) }
}

fn kind(segment: &Segment) -> Sends {
    match (segment.has(Control::SYN), segment.has(Control::FIN), segment.has(Control::RST)) {
        (true, _, _) if segment.ack.is_some() => Sends::SynAck,
        (true, _, _) => Sends::Syn,
        (_, true, _) => Sends::Fin,
        (_, _, true) => Sends::Rst,
        (false, false, false) => Sends::Ack,
    }
}
