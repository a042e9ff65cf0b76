//! A ladder as a Mermaid sequence diagram, for issues and pages that render it. Its arrows are level: a segment is drawn
//! where it arrives, and one that other things overtook says so.

use super::{Fate, Flight, Incarnations, Ladder, Make, Side, View, What, index};
use std::fmt::Write as _;

/// The ladder in Mermaid.
pub fn mermaid(ladder: &Ladder) -> String {
    let mut text = String::from("sequenceDiagram\n");
    for side in Side::BOTH {
        let _ = writeln!(text, "    participant {side:?} as {}", safe(&ladder.ends[index(side)]));
    }
    for side in Side::BOTH {
        note(&mut text, side, &ladder.start[index(side)].words());
    }
    for at in 0..ladder.events.len() {
        event(&mut text, ladder, at);
    }
    if let View::OnlyFrom(side) = ladder.view {
        let end = safe(&ladder.ends[index(side)]);
        let _ = writeln!(text, "    Note over A,B: only what {end} sent was seen");
    }
    text
}

fn event(text: &mut String, ladder: &Ladder, at: usize) {
    let event = &ladder.events[at];
    match &event.what {
        What::Sent(flight) | What::Arrived(flight) => arrow(text, ladder, at, flight),
        What::Lost(_) => {}
        What::Note(remark) => {
            let _ = writeln!(text, "    Note over A,B: {}", safe(remark));
        }
        what => {
            if let Some((side, words)) = what.side().zip(what.words()) {
                note(text, side, &words);
            }
        }
    }
    let before = ladder.states_before(at);
    for side in Side::BOTH {
        let now = event.states[index(side)];
        if now != before[index(side)] {
            note(text, side, &now.words());
        }
    }
}

/// A segment where it arrives; where it does not, at its sending.
fn arrow(text: &mut String, ladder: &Ladder, at: usize, flight: &Flight) {
    let is_sending = matches!(ladder.events[at].what, What::Sent(_));
    let (line, aside) = match (is_sending, ladder.fate(at, flight), ladder.origin(at, flight)) {
        (true, Fate::Arrives(_), _) => return,
        (true, Fate::Lost, _) => ("-x", " (lost)"),
        (true, Fate::Unknown, _) => ("-)", " (not seen to arrive)"),
        (false, _, origin) => {
            let line = if flight.make == Make::Doubled { "-->>" } else { "->>" };
            match origin {
                Some(sent) if sent + 1 == at => (line, ""),
                Some(_) => (line, " (sent earlier)"),
                None => (line, " (sending not seen)"),
            }
        }
    };
    let (from, to) = (flight.from, flight.from.other());
    let words = safe(&flight.words(Incarnations::of(ladder)));
    let _ = writeln!(text, "    {from:?}{line}{to:?}: {words}{aside}");
}

fn note(text: &mut String, side: Side, words: &str) {
    let place = match side {
        Side::A => "left of A",
        Side::B => "right of B",
    };
    let _ = writeln!(text, "    Note {place}: {}", safe(words));
}

/// Without what ends a statement of Mermaid or begins a comment.
fn safe(text: &str) -> String {
    let safe: String = text
        .chars()
        .map(|letter| match letter {
            ';' | ':' | '\n' | '\r' | '%' => ' ',
            '#' => '№',
            other => other,
        })
        .collect();
    if safe.trim().is_empty() { "-".into() } else { safe }
}
