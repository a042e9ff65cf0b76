//! Smaller proofs: `CLOSING`, two waits at once, `LAST_ACK`, and what a killed program or a closed queue leaves.

use super::Value::{After, Never};
use super::arcs::{arcs, side_of};
use super::incarnations::kept;
use super::search::{Searched, Taken};
use super::{Found, Table, row};
use crate::state::State;
use crate::tcp::transition::Event;
use crate::tcp::world::{Action, Calls, Closing, Setting, Side, Start, TimeWait};

pub(super) const TABLE: Table = Table {
    name: "endings",
    question: "Which ways to end are there, and which are not?",
    answer: "CLOSING comes of FINs that cross, and of nothing else. If both close before either hears of it, both end \
             in TIME_WAIT; the exceptions are losses that outlast the other's wait, giving up, and an abort. LAST_ACK \
             lasts until its FIN is acknowledged, refused or given up, and while it waits for that, so does the other \
             end. A program that dies leaves the wait to its own side, and a reset leaves none.",
    scope: "At most 4 segments under way, one connection, no octets unless said otherwise. TIME_WAIT lasts until the \
            last ACK has arrived, unless it says otherwise.",
    columns: &["happens"],
    rows: &[
        row(
            "one end is in CLOSING, and the other heard of its FIN before it closed",
            &[Never],
            |threads| {
                let heard =
                    |state| matches!(state, State::CloseWait | State::LastAck | State::Established);
                let is_wanted = |one, other| one == State::Closing && heard(other);
                let searched = Searched::all(KEPT, threads);
                let story = searched.reached(|state| {
                    let (one, other) = state.states();
                    is_wanted(one, other) || is_wanted(other, one)
                });
                searched.found().and(story)
            },
        ),
        row("the FINs cross: both are in TIME_WAIT at once", &[After(4)], |threads| {
            pair(CROSSING, threads, |one, other| (one, other) == (State::TimeWait, State::TimeWait))
        }),
        row("the FINs cross: an end is CLOSED without TIME_WAIT", &[Never], |threads| {
            unwaited(CROSSING, threads)
        }),
        row(
            "the FINs cross: an end is CLOSED without TIME_WAIT, as losses outlast the wait",
            &[After(8)],
            |threads| unwaited(Setting { time_wait: TimeWait::Drained, ..CROSSING }, threads),
        ),
        row(
            "the FINs cross: an end is CLOSED without TIME_WAIT, as retransmission is given up",
            &[After(1)],
            |threads| unwaited(Setting { gives_up: true, ..CROSSING }, threads),
        ),
        row(
            "the FINs cross: an end is CLOSED without TIME_WAIT, as a program aborts",
            &[After(1)],
            |threads| unwaited(Setting { aborts: true, ..CROSSING }, threads),
        ),
        row("an ACK ends LAST_ACK, and the other end is not in TIME_WAIT", &[Never], |threads| {
            last_ack(KEPT, threads, |taken, side, event| {
                let other = side_of(taken.before.states(), side.other());
                event == Some(Event::AckOfFin) && other != State::TimeWait
            })
        }),
        row("LAST_ACK ends, but by no ACK, reset, abort or giving up", &[Never], |threads| {
            let setting =
                Setting { aborts: true, gives_up: true, time_wait: TimeWait::Any, ..KEPT };
            last_ack(setting, threads, |_, _, event| {
                let known = [Event::AckOfFin, Event::Rst, Event::Abort, Event::GiveUp];
                event.is_none_or(|event| !known.contains(&event))
            })
        }),
        row("B's program dies first: A is in TIME_WAIT", &[Never], |threads| {
            pair(DIES, threads, |one, _| one == State::TimeWait)
        }),
        row("B's program dies first: B is in TIME_WAIT", &[After(4)], |threads| {
            pair(DIES, threads, |_, other| other == State::TimeWait)
        }),
        row(
            "B's program dies with an octet unread: it is CLOSED at once",
            &[After(3)],
            |threads| {
                let searched = Searched::all(UNREAD, threads);
                searched.found().and(searched.taken(|taken| {
                    taken.action == Action::Close(Side::B)
                        && taken.after.states().1 == State::Closed
                }))
            },
        ),
        row(
            "a listener resets what is in its queue: anybody is in TIME_WAIT",
            &[Never],
            |threads| {
                pair(QUEUED, threads, |one, other| {
                    one == State::TimeWait || other == State::TimeWait
                })
            },
        ),
    ],
};

const KEPT: Setting<4> = Setting { incarnations: 1, ..kept() };

const CROSSING: Setting<4> = Setting { start: Start::Crossing, ..KEPT };

/// The kernel closes for a program that died: B's side is closed first, and it reads no more.
const DIES: Setting<4> =
    Setting { first_to_close: Some(Side::B), closing: Closing::FullClose, ..KEPT };

/// A writes an octet, and nobody reads it.
const UNREAD: Setting<4> = Setting { octets: 1, reads: false, ..DIES };

/// Nobody closes, and aborts are all that happens: what a listener does with its queue when it is closed, opened
/// connections and half-open ones.
const QUEUED: Setting<2> =
    Setting { start: Start::Closed, aborts: true, calls: Calls::Abort, ..kept() };

fn pair<const N: usize>(
    setting: Setting<N>,
    threads: usize,
    is_wanted: fn(State, State) -> bool,
) -> Found {
    let searched = Searched::all(setting, threads);
    let story = searched.reached(|state| {
        let (one, other) = state.states();
        is_wanted(one, other)
    });
    searched.found().and(story)
}

/// Whether an end becomes CLOSED that never was in `TIME_WAIT`.
fn unwaited(setting: Setting<4>, threads: usize) -> Found {
    let searched = Searched::all(setting, threads);
    let story = searched.taken(|taken| {
        Side::BOTH.into_iter().any(|side| {
            let arcs = arcs(taken, side).unwrap_or_default();
            arcs.iter().any(|arc| arc.to == State::Closed && arc.from != State::TimeWait)
        })
    });
    searched.found().and(story)
}

/// Whether `LAST_ACK` is left in such a way; the event is `None` where no arc says why.
fn last_ack(
    setting: Setting<4>,
    threads: usize,
    is_wanted: fn(&Taken<'_, 4>, Side, Option<Event>) -> bool,
) -> Found {
    let searched = Searched::all(setting, threads);
    let story = searched.taken(|taken| {
        Side::BOTH.into_iter().any(|side| {
            let was = side_of(taken.before.states(), side);
            let left = was == State::LastAck && side_of(taken.after.states(), side) != was;
            let event = arcs(taken, side).and_then(|arcs| Some(arcs.first()?.event));
            left && is_wanted(taken, side, event)
        })
    });
    searched.found().and(story)
}
