//! The figure: the state diagram of RFC 9293 §3.3.2 drawn from the table of transitions, as text, SVG, DOT and Mermaid.
//!
//! Where a state stands and which way an arc goes is set by hand in [`layout`]; everything else, words included, comes
//! from [`crate::tcp::transition`]. An arc that the layout forgets is an error of a test, not a gap in the picture.

pub mod graph;
pub mod layout;
pub mod matrix;
pub mod pairs;
pub mod svg;
pub mod text;

use crate::state::State;
use crate::tcp::transition::{Drawn, TRANSITIONS, Transition};
use std::collections::BTreeMap;

/// Which arcs are shown.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Arcs {
    /// Those of the RFC's figure.
    #[default]
    Drawn,
    /// Also those that only its text has: resets, aborts, timeouts.
    All,
}

/// What is written on the figure.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    /// A short note on a state, such as how many sockets are in it.
    pub notes: BTreeMap<State, String>,
    /// States that stand out.
    pub lit: Vec<State>,
}

impl Marks {
    /// How many sockets there are in each state; those with any stand out.
    pub fn counts(counts: &BTreeMap<State, u64>) -> Self {
        let notes = State::ALL
            .into_iter()
            .map(|state| (state, counts.get(&state).copied().unwrap_or(0).to_string()))
            .collect();
        let lit = counts.iter().filter(|(_, count)| **count > 0).map(|(state, _)| *state).collect();
        Self { notes, lit }
    }
}

/// The rows of the RFC's figure.
pub fn drawn() -> impl Iterator<Item = &'static Transition> {
    TRANSITIONS.iter().filter(|row| row.drawn == Drawn::Yes)
}

/// The rows of these arcs.
pub fn shown(arcs: Arcs) -> impl Iterator<Item = &'static Transition> {
    TRANSITIONS.iter().filter(move |row| arcs == Arcs::All || row.drawn == Drawn::Yes)
}

/// The rows that only the RFC's text has, from one state.
pub fn told(from: State) -> impl Iterator<Item = &'static Transition> {
    TRANSITIONS.iter().filter(move |row| row.drawn == Drawn::No && row.from == from)
}

/// A row in words: `rcv FIN / snd ACK`.
pub fn label(row: &Transition) -> String {
    match row.sends.label() {
        "" => row.event.label().to_owned(),
        sends => format!("{} / {sends}", row.event.label()),
    }
}

/// What leads out of a state beside the drawn arcs: `ABORT / snd RST -> CLOSED; rcv RST -> CLOSED`.
pub fn told_in_words(from: State) -> Option<String> {
    let words: Vec<String> =
        told(from).map(|row| format!("{} -> {}", label(row), row.to)).collect();
    (!words.is_empty()).then(|| words.join("; "))
}

/// What the figure is called.
pub const TITLE: &str = "The states of a TCP connection";

#[cfg(test)]
mod claims;
#[cfg(test)]
mod tests;
