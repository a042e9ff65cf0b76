//! What exhaustive search says about how connections end: a table for each question, a row for each setting.
//!
//! A row knows what is documented of it and how it is searched for. So the book's numbers are not typed: they are what
//! [`Row::search`] finds now, and whoever changes a rule sees which finding no longer holds.

mod arcs;
mod endings;
mod incarnations;
mod reach;
mod search;
mod sizes;
mod time_wait;
mod vanishing;
mod waits;

use crate::ladder::{Event, Known, Ladder, View};
use crate::state::State;

/// A question, and the settings under which it was asked.
#[derive(Debug)]
pub struct Table {
    /// What it is called.
    pub name: &'static str,
    /// The question.
    pub question: &'static str,
    /// The answer.
    pub answer: &'static str,
    /// What was searched and what was not.
    pub scope: &'static str,
    /// What is asked in every row.
    pub columns: &'static [&'static str],
    /// The rows.
    pub rows: &'static [Row],
}

/// A setting.
#[derive(Debug)]
pub struct Row {
    /// In words.
    pub setting: &'static str,
    /// Whether it takes long.
    pub cost: Cost,
    /// How many states and transitions there are, where that is a finding.
    pub size: Option<(u64, u64)>,
    /// What is documented, column by column.
    pub expected: &'static [Value],
    /// Searches all of it, on so many threads.
    pub search: fn(usize) -> Found,
}

/// Whether a row is searched without being asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cost {
    /// It is.
    Usual,
    /// Only if large ones are wanted.
    Large,
}

/// An answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Value {
    /// It does not happen, in no state there is.
    Never,
    /// It happens, and this many steps are the fewest that lead to it.
    After(u64),
    /// So many.
    Count(u64),
}

/// What a search found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// How many states there are.
    pub states: u64,
    /// How many actions lead from one to another.
    pub transitions: u64,
    /// Column by column.
    pub values: Vec<Value>,
    /// What else is worth knowing.
    pub details: Vec<(String, Value)>,
    /// The shortest story to what was asked about.
    pub story: Option<Story>,
}

/// A story.
#[derive(Clone, Debug)]
pub struct Story {
    /// How many steps it has.
    pub steps: u64,
    start: [Known<State>; 2],
    events: Vec<Event>,
}

/// The table of that name.
pub fn find(name: &str) -> Option<&'static Table> {
    TABLES.into_iter().find(|table| table.name == name)
}

impl Row {
    /// Whether what was found is what is documented.
    pub fn holds(&self, found: &Found) -> bool {
        let size = self.size.is_none_or(|size| size == (found.states, found.transitions));
        size && self.expected == found.values
    }
}

impl Story {
    /// The story, to be drawn.
    pub fn into_ladder(self, table: &Table, row: usize) -> Ladder {
        Ladder {
            name: format!("{}-row-{}", table.name, row + 1),
            title: table.rows.get(row).map_or_else(String::new, |row| sentence(row.setting)),
            ends: ["A", "B"].map(Into::into),
            view: View::Both,
            start: self.start,
            events: self.events,
        }
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

const fn row(setting: &'static str, expected: &'static [Value], search: fn(usize) -> Found) -> Row {
    Row { setting, cost: Cost::Usual, size: None, expected, search }
}

/// Every table, in the order in which a reader may take them.
pub const TABLES: [&Table; 7] = [
    &sizes::TABLE,
    &reach::TABLE,
    &vanishing::TABLE,
    &incarnations::TABLE,
    &waits::TABLE,
    &time_wait::TABLE,
    &endings::TABLE,
];
