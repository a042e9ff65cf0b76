//! Whether the figure is all there is, and all of it is needed: arcs, pairs of states, and the way to CLOSED.

use super::Value::{After, Count, Never};
use super::arcs::arcs;
use super::search::Searched;
use super::{Found, Table, row};
use crate::tcp::profile::Profile;
use crate::tcp::transition::{TRANSITIONS, Transition};
use crate::tcp::world::{Calls, Closing, Initial, Packed, Setting, Side, Start};

pub(super) const TABLE: Table = Table {
    name: "reach",
    question: "Is every arc of the figure taken, and can every state still end?",
    answer: "Every change of state is an arc of the figure, and every arc is taken but one: SYN_RECEIVED is left by \
             the acknowledgement of the SYN before the FIN in the same segment is looked at. From every state, \
             however much is lost, both ends can still get rid of the connection.",
    scope: "Loss without limit is allowed: what is asked is what can still happen. The end of a connection is CLOSED, or LISTEN \
            for a listener. The last row goes along all arcs; there both sides open at will, which no real pair of \
            programs does, so its pairs of states are more than those of `lastack figure pairs`.",
    columns: &[
        "pairs of states",
        "states from which the end is out of reach",
        "arcs taken",
        "changes without an arc",
    ],
    rows: &[
        row(
            "both close, at most 4 under way",
            &[Count(29), Count(0), Count(13), Count(0)],
            |threads| reach(Setting::<4>::BASIC, threads),
        ),
        row("the same, aborts", &[Count(37), Count(0), Count(23), Count(0)], |threads| {
            reach(Setting::<4> { aborts: true, ..Setting::BASIC }, threads)
        }),
        row(
            "from the opening on, aborts, at most 2 under way",
            &[Count(45), Count(0), Count(34), Count(0)],
            |threads| {
                reach(
                    Setting::<2> { start: Start::Closed, aborts: true, ..Setting::BASIC },
                    threads,
                )
            },
        ),
        row(
            "every call in every state, every timer, a second connection",
            &[Count(116), Count(0), Count(51), Count(0)],
            every_arc,
        ),
    ],
};

/// Everything that the table of transitions has an arc for.
const EVERYTHING: Setting<2> = Setting {
    start: Start::Closed,
    profile: Profile { fin_wait_2_ends: true, ..Profile::RFC_9293 },
    calls: Calls::Every,
    closing: Closing::FullClose,
    aborts: true,
    gives_up: true,
    keeps_alive: true,
    incarnations: 2,
    initial: Initial::RisingSlowly,
    ..Setting::BASIC
};

fn reach<const N: usize>(setting: Setting<N>, threads: usize) -> Found {
    let searched = Searched::all(setting, threads);
    let (depths, unexplained) = depths(&searched);
    found(&searched, &depths, unexplained)
}

/// Beside that, how many steps each arc takes, from the very beginning.
fn every_arc(threads: usize) -> Found {
    let searched = Searched::all(EVERYTHING, threads);
    let (depths, unexplained) = depths(&searched);
    let depth = |depth: &Option<u64>| depth.map_or(Never, After);
    let details = TRANSITIONS.iter().zip(&depths).map(|(arc, steps)| (words(arc), depth(steps)));
    Found { details: details.collect(), ..found(&searched, &depths, unexplained) }
}

fn found<const N: usize>(searched: &Searched<N>, depths: &Depths, unexplained: usize) -> Found {
    let mut pairs: Vec<_> = searched.explored.iter().map(Packed::states).collect();
    pairs.sort_unstable();
    pairs.dedup();
    let (stuck, story) = searched.stuck();
    let taken = depths.iter().flatten().count();
    let values = [pairs.len(), stuck.len(), taken, unexplained];
    let values = values.map(|count| Count(count as u64)).to_vec();
    Found { values, story, ..searched.found() }
}

fn words(arc: &Transition) -> String {
    format!("{}, {}: {}", arc.from, arc.event.label(), arc.to)
}

/// For each arc, after how many steps it can be taken.
type Depths = [Option<u64>; TRANSITIONS.len()];

/// After how many steps each arc can be taken, and how many changes of state no arc explains.
fn depths<const N: usize>(searched: &Searched<N>) -> (Depths, usize) {
    let mut first = [None; TRANSITIONS.len()];
    let mut unexplained = 0;
    searched.each_step(|taken| {
        for side in Side::BOTH {
            let Some(arcs) = arcs(taken, side) else {
                unexplained += 1;
                continue;
            };
            for arc in arcs {
                let at = TRANSITIONS.iter().position(|known| known == arc).unwrap_or(0);
                first[at].get_or_insert(taken.before);
            }
        }
        false
    });
    let depth = |state| searched.reached(|known| *known == state).map(|story| story.steps + 1);
    (first.map(|state| depth(state?)), unexplained)
}
