//! Who must wait after the last acknowledgement, and why the other need not.

use super::Value::{After, Never};
use super::arcs::side_of;
use super::incarnations::kept;
use super::search::{Searched, Taken};
use super::{Found, Table, row};
use crate::state::State;
use crate::tcp::segment::Control;
use crate::tcp::world::{Packed, Setting, Side, Waits};

pub(super) const TABLE: Table = Table {
    name: "waits",
    question: "Who must wait, and why does the second closer need no TIME_WAIT?",
    answer: "Who sent the last ACK, and nobody else: it alone cannot know whether that arrived. The second closer \
             leaves LAST_ACK only when its FIN was acknowledged, and then the first one waits. A wait of the second \
             closer alone guards nothing, since it begins only where it is not needed; a second wait adds nothing.",
    scope: "Two connections that begin with the same sequence number, at most 3 segments under way, a window of 4. \
            Resets do not end TIME_WAIT; where there is one, the last ACK arrives in time.",
    columns: &["a closer is reset instead of acknowledged", "an old segment is accepted"],
    rows: &[
        row("the first closer waits (RFC 9293)", &[Never, Never], |threads| {
            waiting(Waits { active: true, passive: false }, threads)
        }),
        row("both wait", &[Never, Never], |threads| {
            waiting(Waits { active: true, passive: true }, threads)
        }),
        row("the second closer waits, and not the first", &[After(6), After(10)], |threads| {
            waiting(Waits { active: false, passive: true }, threads)
        }),
        row("nobody waits", &[After(6), After(10)], |threads| {
            waiting(Waits { active: false, passive: false }, threads)
        }),
    ],
};

fn waiting(waits: Waits, threads: usize) -> Found {
    let searched = Searched::all(Setting::<3> { waits, ..kept() }, threads);
    let reset = searched.taken(|taken| Side::BOTH.iter().any(|side| is_refused(taken, *side)));
    searched.found().and(reset).and(searched.reached(Packed::is_deceived))
}

/// Whether an end that waits for the acknowledgement of its FIN is told that there is no such connection.
fn is_refused<const N: usize>(taken: &Taken<'_, N>, side: Side) -> bool {
    let was = side_of(taken.before.states(), side);
    let waits = matches!(was, State::LastAck | State::Closing);
    let ends = side_of(taken.after.states(), side) != was;
    waits && ends && taken.delivered(side).is_some_and(|segment| segment.has(Control::RST))
}
