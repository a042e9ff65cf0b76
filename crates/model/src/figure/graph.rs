//! The figure for programs that lay out graphs themselves: DOT of Graphviz, and Mermaid.

use super::{Arcs, Marks, TITLE, label, shown};
use crate::draw::Half;
use crate::state::State;
use crate::tcp::transition::Drawn;
use std::fmt::Write as _;

/// The figure in DOT. Both ends of every arc are quoted, so that no name is a keyword.
pub fn dot(arcs: Arcs, marks: &Marks) -> String {
    let mut text = format!(
        "digraph tcp {{\n  label={TITLE:?}; labelloc=t; bgcolor=white;\n  node [shape=box, style=\"rounded,filled\", \
         fontname=\"Helvetica\"];\n  edge [fontname=\"Helvetica\", fontsize=10];\n"
    );
    for state in State::ALL {
        let (line, fill) = colours(state);
        let width = if marks.lit.contains(&state) { 3 } else { 1 };
        let note = marks.notes.get(&state).map(|note| format!("\\n{}", quoted(note)));
        let _ = writeln!(
            text,
            "  \"{state}\" [label=\"{state}{}\", color=\"{line}\", fillcolor=\"{fill}\", penwidth={width}];",
            note.unwrap_or_default()
        );
    }
    for row in shown(arcs) {
        let style = if row.drawn == Drawn::Yes { "solid" } else { "dashed" };
        let _ = writeln!(
            text,
            "  \"{}\" -> \"{}\" [label=\"{}\", style={style}];",
            row.from,
            row.to,
            label(row)
        );
    }
    text.push_str("}\n");
    text
}

/// The figure in Mermaid (`stateDiagram-v2`), which has no dashed arcs: those that the RFC only tells of say so.
pub fn mermaid(arcs: Arcs, marks: &Marks) -> String {
    let mut text = String::from("stateDiagram-v2\n    [*] --> CLOSED\n");
    for row in shown(arcs) {
        let aside = if row.drawn == Drawn::Yes { "" } else { " (not drawn in the RFC)" };
        let _ = writeln!(text, "    {} --> {}: {}{aside}", row.from, row.to, label(row));
    }
    for (state, note) in &marks.notes {
        // A colon or a semicolon ends a Mermaid statement.
        let note = note.replace([':', ';', '#', '\n'], " ");
        let _ = writeln!(text, "    note right of {state}: {note}");
    }
    text.push_str(
        "    classDef active fill:#eaf3fd,stroke:#1f6fc4,color:#10375f\n    \
         classDef passive fill:#fdf1e2,stroke:#b85c00,color:#5e2f00\n",
    );
    for (half, class) in [(Half::Active, "active"), (Half::Passive, "passive")] {
        let names: Vec<&str> = State::ALL
            .into_iter()
            .filter(|state| Half::of(*state) == half)
            .map(State::name)
            .collect();
        let _ = writeln!(text, "    class {} {class}", names.join(","));
    }
    text
}

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', " ")
}

const fn colours(state: State) -> (&'static str, &'static str) {
    match Half::of(state) {
        Half::Active => ("#1f6fc4", "#eaf3fd"),
        Half::Passive => ("#b85c00", "#fdf1e2"),
        Half::Open => ("#6b7684", "#f6f8fa"),
        Half::None => ("#9aa4b0", "#ffffff"),
    }
}
