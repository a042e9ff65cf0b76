//! What is left for ever when the peer's host goes, comes back without a memory, or the link is cut.

use super::Value::Count;
use super::search::Searched;
use super::{Found, Table, row};
use crate::state::State;
use crate::tcp::profile::Profile;
use crate::tcp::world::{Closing, Setting, Side};

pub(super) const TABLE: Table = Table {
    name: "vanishing",
    question: "When the peer vanishes, what stays for ever?",
    answer: "If retransmission is never given up, whatever A has not yet seen acknowledged. If it is, FIN_WAIT_2 alone: the \
             one state in which an end owes nothing and waits for ever. With a limit on FIN_WAIT_2, nothing, unless a \
             program reads on or never closes first: then keepalive is what is missing. A peer that reboots answers \
             with resets, and a link that comes back lets every retransmission through, but in FIN_WAIT_2 nothing is \
             sent that they could answer.",
    scope: "At most 4 segments under way, no octets, no aborts. B's host goes at any time, the link is cut at any time \
            and any number of times. Programs close both directions, unless it says that one reads on. A state is \
            stuck when there is no way on by which both ends become CLOSED; a host that is gone counts as that.",
    columns: &[
        "stuck states",
        "of them with an end in FIN_WAIT_2",
        "of them with an end in ESTABLISHED",
    ],
    rows: &[
        row(
            "B's host goes, A retransmits for ever",
            &[Count(380), Count(35), Count(5)],
            |threads| stuck(GOES, threads),
        ),
        row(
            "B's host goes, retransmission is given up",
            &[Count(50), Count(50), Count(0)],
            |threads| stuck(given_up(GOES), threads),
        ),
        row(
            "B's host goes, given up, FIN_WAIT_2 has a limit",
            &[Count(0), Count(0), Count(0)],
            |threads| stuck(limited(given_up(GOES)), threads),
        ),
        row(
            "B's host goes, both limits, but A's program reads on",
            &[Count(50), Count(50), Count(0)],
            |threads| {
                stuck(Setting { closing: Closing::HalfClose, ..limited(given_up(GOES)) }, threads)
            },
        ),
        row(
            "B's host goes, both limits, A never closes first",
            &[Count(2), Count(0), Count(2)],
            |threads| stuck(patient(limited(given_up(GOES))), threads),
        ),
        row(
            "B's host goes, both limits, A never closes first, keepalive",
            &[Count(0), Count(0), Count(0)],
            |threads| {
                stuck(Setting { keeps_alive: true, ..patient(limited(given_up(GOES))) }, threads)
            },
        ),
        row(
            "B's host goes and may reboot, A retransmits for ever",
            &[Count(30), Count(30), Count(0)],
            |threads| stuck(REBOOTS, threads),
        ),
        row(
            "B's host goes and may reboot, FIN_WAIT_2 has a limit",
            &[Count(0), Count(0), Count(0)],
            |threads| stuck(limited(REBOOTS), threads),
        ),
        row(
            "the link is cut and restored, both retransmit for ever",
            &[Count(0), Count(0), Count(0)],
            |threads| stuck(CUT, threads),
        ),
        row(
            "the link is cut and restored, retransmission is given up",
            &[Count(32), Count(32), Count(0)],
            |threads| stuck(given_up(CUT), threads),
        ),
        row(
            "the link is cut and restored, given up, FIN_WAIT_2 has a limit",
            &[Count(0), Count(0), Count(0)],
            |threads| stuck(limited(given_up(CUT)), threads),
        ),
    ],
};

const GOES: Setting<4> =
    Setting { closing: Closing::FullClose, vanishes: Some(Side::B), ..Setting::BASIC };

const REBOOTS: Setting<4> = Setting { reboots: true, ..GOES };

const CUT: Setting<4> = Setting { vanishes: None, cuts: true, ..GOES };

const fn given_up(setting: Setting<4>) -> Setting<4> {
    Setting { gives_up: true, ..setting }
}

const fn limited(setting: Setting<4>) -> Setting<4> {
    Setting { profile: Profile { fin_wait_2_ends: true, ..setting.profile }, ..setting }
}

/// A's program waits to read and closes only when B has.
const fn patient(setting: Setting<4>) -> Setting<4> {
    Setting { first_to_close: Some(Side::B), ..setting }
}

fn stuck(setting: Setting<4>, threads: usize) -> Found {
    let searched = Searched::all(setting, threads);
    let (states, story) = searched.stuck();
    let with = |wanted| {
        let is_in = |(one, other)| one == wanted || other == wanted;
        states.iter().filter(|state| is_in(state.states())).count()
    };
    let values = [states.len(), with(State::FinWait2), with(State::Established)];
    let values = values.map(|count| Count(count as u64)).to_vec();
    Found { values, story, ..searched.found() }
}
