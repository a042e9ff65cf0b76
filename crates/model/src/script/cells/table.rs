//! The cells as a table: a line for each segment in a state, a mark of few characters for each place beside the window.

use super::{Acked, Cell, Kind, Row};
use crate::script::replay::{Observed, Told};
use crate::state::State;
use crate::tcp::segment::{Control, Segment};

/// One line: what arrives, and the marks of the places where it may lie.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Line {
    /// The state.
    pub row: Row,
    /// What arrives.
    pub kind: Kind,
    /// What that acknowledges; all for which the marks are the same.
    pub acked: Vec<Acked>,
    /// A mark for each position of the row.
    pub marks: Vec<String>,
    /// Whether the public suite leaves these cells out.
    pub is_new: bool,
}

/// The lines of these cells, in their order; acknowledgements that make no difference share one.
pub fn lines(cells: &[Cell], mut mark: impl FnMut(usize) -> String) -> Vec<Line> {
    let mut all: Vec<Line> = Vec::new();
    let mut at = 0;
    while let Some(first) = cells.get(at) {
        let alike = |cell: &&Cell| {
            (cell.row, cell.kind, cell.acked) == (first.row, first.kind, first.acked)
        };
        let count = cells[at..].iter().take_while(alike).count();
        let marks: Vec<String> = (at..at + count).map(&mut mark).collect();
        let (row, kind) = (first.row, first.kind);
        let same = |line: &&mut Line| line.row == row && line.kind == kind && line.marks == marks;
        if let Some(line) = all.iter_mut().find(same) {
            line.acked.push(first.acked);
        } else {
            let acked = vec![first.acked];
            all.push(Line { row, kind, acked, marks, is_new: first.is_new() });
        }
        at += count;
    }
    all
}

/// What is seen in a cell, in few characters: what is sent, the new state, and whether the program is told an error.
pub fn mark(row: Row, observed: &Observed) -> String {
    let letters: String = observed.sent.iter().map(letter).collect();
    let sent = if letters.is_empty() { "-" } else { letters.as_str() };
    let moved = observed.state != row.state();
    let state = if moved { format!(">{}", short(observed.state)) } else { String::new() };
    let error = if matches!(observed.told, Told::Error(_)) { "!" } else { "" };
    format!("{sent}{state}{error}")
}

fn letter(segment: &Segment) -> char {
    if segment.has(Control::RST) {
        'R'
    } else if segment.has(Control::SYN) {
        'S'
    } else if segment.has(Control::FIN) {
        'F'
    } else {
        'A'
    }
}

/// A state in two letters.
const fn short(state: State) -> &'static str {
    match state {
        State::Closed => "CL",
        State::Listen => "LI",
        State::SynSent => "SS",
        State::SynReceived => "SR",
        State::Established => "ES",
        State::FinWait1 => "F1",
        State::FinWait2 => "F2",
        State::CloseWait => "CW",
        State::Closing => "CG",
        State::LastAck => "LA",
        State::TimeWait => "TW",
    }
}
