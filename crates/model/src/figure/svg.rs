//! The figure as SVG: the sheet of the text at a finer scale, with round corners and colours.

use super::layout::{self, CAPTIONS, Caption, HALF_BOX, Label, Node, Route, SHEET, Spot};
use super::text::{half_of, narrow};
use super::{Arcs, Marks, TITLE, drawn, label, told};
use crate::draw::Half;
use crate::draw::svg::{Anchor, Point, Svg, times};
use crate::state::State;
use crate::tcp::transition::Transition;

/// The figure.
pub fn figure(arcs: Arcs, marks: &Marks) -> String {
    let mut svg = Svg::new(WIDTH);
    svg.text((MARGIN, 34.0), Anchor::Start, "title", TITLE);
    svg.text((MARGIN, 53.0), Anchor::Start, "aside small", SOURCE);
    for caption in &CAPTIONS {
        field(&mut svg, caption);
    }
    for row in drawn() {
        if let Some(route) = layout::route(row.from, row.event) {
            arc(&mut svg, row, route);
        }
    }
    for node in &layout::NODES {
        state(&mut svg, node, marks);
    }
    let end = place((0, SHEET.1)).1;
    let height = match arcs {
        Arcs::Drawn => end + 10.0,
        Arcs::All => others(&mut svg, end + 24.0),
    };
    svg.finish(height, TITLE, &in_words(marks))
}

/// Where a spot of the sheet is.
fn place((column, row): Spot) -> Point {
    (times(column, COLUMN) + MARGIN, times(row, ROW) + TOP)
}

fn field(svg: &mut Svg, caption: &Caption) {
    let half = if caption.middle.0 < SHEET.0 / 2 { "active" } else { "passive" };
    let ((left, top), (right, bottom)) = (place(caption.field[0]), place(caption.field[1]));
    let (top, bottom) = (top + ROW * 0.35, bottom - ROW * 0.15);
    svg.rect((left, top), (right - left, bottom - top), 12.0, &format!("field {half}"));
    let (x, y) = place(caption.middle);
    svg.text((x, y + 6.0), Anchor::Middle, &format!("small {half}"), caption.text);
}

fn state(svg: &mut Svg, node: &Node, marks: &Marks) {
    let (x, y) = place(node.middle);
    let half = Half::of(node.state).class();
    let lit = if marks.lit.contains(&node.state) { " lit" } else { "" };
    let (wide, high) = (times(HALF_BOX.0, COLUMN), times(HALF_BOX.1, ROW));
    svg.open_group(&format!(" data-state=\"{}\"", node.state), "");
    svg.rect((x - wide, y - high), (2.0 * wide, 2.0 * high), 9.0, &format!("node {half}{lit}"));
    let count = marks.notes.get(&node.state);
    let name_at = if count.is_some() { y - 2.0 } else { y + 4.6 };
    svg.text((x, name_at), Anchor::Middle, &format!("state {half}"), node.state.name());
    if let Some(count) = count {
        svg.text((x, y + 13.0), Anchor::Middle, "small", count);
    }
    svg.close_group();
}

fn arc(svg: &mut Svg, row: &Transition, route: &Route) {
    let half = half_of(row).class();
    svg.open_group(
        &arc_attribute(row),
        &format!("{} -> {}: {} ({})", row.from, row.to, label(row), row.source),
    );
    let corners: Vec<Point> = route.corners.iter().map(|corner| place(*corner)).collect();
    svg.arrow(&corners, half);
    words(svg, row, route);
    svg.close_group();
}

fn words(svg: &mut Svg, row: &Transition, route: &Route) {
    let (event, sends) = (row.event.label(), row.sends.label());
    let (spot, anchor) = match route.label {
        Label::Across(spot) => (spot, Anchor::Middle),
        Label::Right(spot) => (spot, Anchor::Start),
        Label::Left(spot) | Label::LeftNarrow(spot) => (spot, Anchor::End),
    };
    let (x, y) = place(spot);
    let (lines, first, second) = match route.label {
        Label::Across(_) => ((event, sends), y - 6.5, y + 15.5),
        Label::Right(_) | Label::Left(_) => ((event, sends), y + 8.0, y + 24.0),
        Label::LeftNarrow(_) => (narrow(event), y + 8.0, y + 24.0),
    };
    let is_aside = !matches!(route.label, Label::LeftNarrow(_));
    svg.text((x, first), anchor, "small", lines.0);
    if !lines.1.is_empty() {
        let classes = if is_aside { "small aside" } else { "small" };
        svg.text((x, second), anchor, classes, lines.1);
    }
}

/// Below the figure: what the RFC tells and does not draw. Gives the height.
fn others(svg: &mut Svg, top: f64) -> f64 {
    svg.text((MARGIN, top), Anchor::Start, "state", "What the RFC tells and does not draw");
    let mut y = top;
    for from in State::ALL {
        let rows: Vec<&Transition> = told(from).collect();
        if rows.is_empty() {
            continue;
        }
        y += 20.0;
        svg.text(
            (MARGIN, y),
            Anchor::Start,
            &format!("state small {}", Half::of(from).class()),
            from.name(),
        );
        let words: Vec<(String, String)> = rows
            .into_iter()
            .map(|row| (arc_attribute(row), format!("{} → {}", label(row), row.to)))
            .collect();
        for line in lines(&words) {
            svg.row_of_words((MARGIN + 118.0, y), "small", line);
            y += 20.0;
        }
        y -= 20.0;
    }
    y + 26.0
}

/// As many words on a line as surely fit, whatever the font.
fn lines(words: &[(String, String)]) -> Vec<&[(String, String)]> {
    let mut lines = Vec::new();
    let mut start = 0;
    let mut length = 0;
    for (at, (_, text)) in words.iter().enumerate() {
        let letters = text.chars().count() + 3;
        if at > start && length + letters > LONGEST {
            lines.push(&words[start..at]);
            (start, length) = (at, 0);
        }
        length += letters;
    }
    lines.push(&words[start..]);
    lines
}

/// By which a program, or a test, finds an arc in the drawing.
fn arc_attribute(row: &Transition) -> String {
    format!(" data-arc=\"{} {:?} {}\"", row.from, row.event, row.to)
}

/// The figure for those who hear it.
fn in_words(marks: &Marks) -> String {
    let mut words: Vec<String> =
        drawn().map(|row| format!("from {} on {} to {}", row.from, label(row), row.to)).collect();
    words.extend(marks.notes.iter().map(|(state, note)| format!("{state}: {note}")));
    words.join("; ")
}

const SOURCE: &str = "RFC 9293 §3.3.2. Each arc: what happens, and what is sent.";
/// How many letters stand in a line below the figure.
const LONGEST: usize = 110;
const COLUMN: f64 = 10.6;
const ROW: f64 = 18.5;
const MARGIN: f64 = 22.0;
const TOP: f64 = 32.0;
const WIDTH: f64 = 80.0 * COLUMN + 2.0 * MARGIN - 8.0;
