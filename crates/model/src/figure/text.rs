//! The figure as text: 80 columns of line-drawing characters, in the manner of the RFC.

use super::layout::{self, CAPTIONS, HALF_BOX, Label, Node, Route, SHEET, Spot};
use super::{Arcs, Marks, drawn, label, shown};
use crate::draw::Half;
use crate::draw::canvas::{Canvas, Ink};
use crate::state::State;
use crate::tcp::transition::Transition;

/// The sheet with the figure.
pub fn figure(marks: &Marks) -> Canvas {
    let mut canvas = Canvas::new(SHEET.0, SHEET.1);
    for node in &layout::NODES {
        frame(&mut canvas, node, marks);
    }
    for row in drawn() {
        if let Some(route) = layout::route(row.from, row.event) {
            canvas.arrow(route.corners, Ink::Of(half_of(row)));
            words(&mut canvas, row, route);
        }
    }
    for node in &layout::NODES {
        name(&mut canvas, node, marks);
    }
    for caption in CAPTIONS {
        centred(&mut canvas, caption.middle, caption.text, Ink::Aside);
    }
    canvas
}

/// The same as a list, for where 80 columns are too many: each state with what leads out of it.
pub fn list(arcs: Arcs, marks: &Marks) -> Vec<(State, Option<String>, Vec<String>)> {
    let of = |state: State| {
        let rows = shown(arcs).filter(|row| row.from == state);
        rows.map(|row| format!("{} -> {}", label(row), row.to)).collect()
    };
    State::ALL
        .into_iter()
        .map(|state| (state, marks.notes.get(&state).cloned(), of(state)))
        .collect()
}

/// The half that an arc is part of: of closing if either end is.
pub(super) fn half_of(row: &Transition) -> Half {
    match (Half::of(row.from), Half::of(row.to)) {
        (half @ (Half::Active | Half::Passive), _) | (_, half @ (Half::Active | Half::Passive)) => {
            half
        }
        _ => Half::Open,
    }
}

fn frame(canvas: &mut Canvas, node: &Node, marks: &Marks) {
    let (column, row) = node.middle;
    let (wide, high) = HALF_BOX;
    let corners = ((column - wide, row - high), (column + wide, row + high));
    canvas.frame(corners.0, corners.1, ink(node, marks));
}

fn name(canvas: &mut Canvas, node: &Node, marks: &Marks) {
    centred(canvas, node.middle, node.state.name(), ink(node, marks));
    if let Some(note) = marks.notes.get(&node.state) {
        let text = format!(" {note} ");
        let (start, row) = note_spot(node, text.chars().count());
        let most = 2 * HALF_BOX.0 - 1;
        let text: String = text.chars().take(most).collect();
        canvas.write((start, row), &text, ink(node, marks));
    }
}

/// A stretch of a box's lower or upper edge where no arc leaves it, so that a note does not hide one.
fn note_spot(node: &Node, length: usize) -> Spot {
    let (column, row) = node.middle;
    let edges = [row + HALF_BOX.1, row - HALF_BOX.1];
    let free = |edge: usize| {
        let leaves = |at: &usize| layout::ROUTES.iter().any(|r| r.corners[0] == (*at, edge));
        let inside: Vec<usize> = (column - HALF_BOX.0 + 1..column + HALF_BOX.0).collect();
        let longest = inside.split(leaves).max_by_key(|stretch| stretch.len());
        longest.and_then(|stretch| Some((*stretch.first()?, stretch.len())))
    };
    let fits =
        |edge: usize| free(edge).filter(|(_, room)| *room >= length).map(|found| (found, edge));
    let (found, edge) =
        edges.into_iter().find_map(fits).unwrap_or(((column - HALF_BOX.0 + 1, 0), edges[0]));
    (found.0 + found.1.saturating_sub(length) / 2, edge)
}

fn ink(node: &Node, marks: &Marks) -> Ink {
    let half = Half::of(node.state);
    if marks.lit.contains(&node.state) { Ink::Marked(half) } else { Ink::Of(half) }
}

fn words(canvas: &mut Canvas, row: &Transition, route: &Route) {
    let (event, sends) = (row.event.label(), row.sends.label());
    match route.label {
        Label::Across((column, at)) => {
            centred(canvas, (column, at.saturating_sub(1)), event, Ink::Plain);
            centred(canvas, (column, at + 1), sends, Ink::Plain);
        }
        Label::Right((column, at)) => {
            canvas.write((column, at), event, Ink::Plain);
            canvas.write((column, at + 1), sends, Ink::Plain);
        }
        Label::Left(end) => {
            ending(canvas, end, event);
            ending(canvas, (end.0, end.1 + 1), sends);
        }
        Label::LeftNarrow(end) => {
            let (first, second) = narrow(event);
            ending(canvas, end, first);
            ending(canvas, (end.0, end.1 + 1), second);
        }
    }
}

/// Divides `rcv ACK of FIN` before what is acknowledged.
pub(super) fn narrow(event: &str) -> (&str, &str) {
    event.find(" of ").map_or((event, ""), |at| (&event[..at], &event[at + 1..]))
}

fn centred(canvas: &mut Canvas, (column, row): Spot, text: &str, ink: Ink) {
    let start = column.saturating_sub(text.chars().count() / 2);
    canvas.write((start, row), text, ink);
}

fn ending(canvas: &mut Canvas, (column, row): Spot, text: &str) {
    let start = (column + 1).saturating_sub(text.chars().count());
    canvas.write((start, row), text, Ink::Plain);
}
