//! What every event does in every state, from the one table of [`transition::CELLS`]: as a sheet, as a list of one state's
//! cells with their sources, and as the tables of the book.

use super::pairs::short;
use crate::state::State;
use crate::tcp::transition::{self, Cell, Event, Outcome, Sends};
use std::fmt::Write as _;

/// The whole as text.
pub fn text() -> String {
    let mut text = format!("{:18}", "");
    for state in State::ALL {
        let _ = write!(text, "{:>5}", short(state));
    }
    text.push('\n');
    for event in Event::ALL {
        let _ = write!(text, "{:18}", event.name());
        for state in State::ALL {
            let _ = write!(text, "{:>5}", mark(transition::cell(state, event)));
        }
        text.push('\n');
    }
    text.push('\n');
    for (mark, meaning) in MARKS {
        let _ = writeln!(text, "  {mark:5}{meaning}");
    }
    text
}

/// One state's cells, each in a line.
pub fn list(state: State) -> Vec<String> {
    let line = |cell: &Cell| format!("{}: {} ({})", cell.event.name(), words(cell), cell.source);
    row(state).map(line).collect()
}

/// Every state's cells as tables in Markdown.
pub fn markdown() -> String {
    let mut text = String::new();
    for state in State::ALL {
        let _ =
            write!(text, "## {state}\n\n| Event | What comes of it | Source |\n|---|---|---|\n");
        for cell in row(state) {
            let name = cell.event.name();
            let _ = writeln!(text, "| {name} | {} | {} |", words(cell), cell.source);
        }
        text.push('\n');
    }
    text
}

/// What comes of an event, in words.
pub fn words(cell: &Cell) -> String {
    let with = |sends: Sends| match sends {
        Sends::Nothing => String::new(),
        sends => format!(", {}", sends.label()),
    };
    match cell.outcome {
        Outcome::Moves { to, sends, .. } => format!("-> {to}{}", with(sends)),
        Outcome::Stays(sends) => format!("stays{}", with(sends)),
        Outcome::WaitsAnew(sends) => format!("stays{}, the wait starts anew", with(sends)),
        Outcome::Refused(error) => format!("error: {error}"),
        Outcome::SameAs(event) => format!("as {}", event.name()),
        Outcome::Never(reason) => format!("never: {reason}"),
    }
}

fn row(state: State) -> impl Iterator<Item = &'static Cell> {
    Event::ALL.into_iter().map(move |event| transition::cell(state, event))
}

/// A cell of the sheet.
fn mark(cell: &Cell) -> &'static str {
    match cell.outcome {
        Outcome::Moves { to, .. } => short(to),
        Outcome::Stays(Sends::Nothing) => ".",
        Outcome::Stays(Sends::Rst) => "rst",
        Outcome::Stays(Sends::Syn | Sends::SynAck | Sends::Ack | Sends::Fin) => "ack",
        Outcome::WaitsAnew(_) => "ack+",
        Outcome::Refused(_) => "err",
        Outcome::SameAs(event) => mark(transition::cell(cell.from, event)),
        Outcome::Never(_) => "-",
    }
}

/// What the table is called.
pub const TITLE: &str = "What every event does in every state, by the letter of RFC 9293";

const MARKS: [(&str, &str); 7] = [
    ("LSTN", "goes to that state; likewise the others by their names above"),
    (".", "stays, and nothing is sent"),
    ("ack", "stays, and acknowledges"),
    ("ack+", "also starts the wait of twice the segment lifetime anew"),
    ("rst", "stays, and resets the sender"),
    ("err", "the call fails"),
    ("-", "cannot occur"),
];
