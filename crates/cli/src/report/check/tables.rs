//! What `check tables` found, on paper and as JSON.

use crate::report::json;
use crate::report::page::{Page, Tone};
use lastack_model::findings::{Cost, Found, Row, Table, Value};
use serde::Serialize;
use std::time::Duration;

/// A row that was searched.
#[derive(Debug)]
pub struct Searched {
    /// Which row of its table, from 1.
    pub number: usize,
    /// The row.
    pub row: &'static Row,
    /// What was found.
    pub found: Found,
    /// How long it took.
    pub time: Duration,
}

/// How many rows hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    rows: usize,
    hold: usize,
    states: u64,
}

impl Tally {
    /// Counts a row.
    pub fn count(&mut self, searched: &Searched) {
        self.rows += 1;
        self.hold += usize::from(searched.row.holds(&searched.found));
        self.states += searched.found.states;
    }

    /// Whether all of them do.
    pub const fn all_hold(&self) -> bool {
        self.rows == self.hold
    }
}

/// Writes a table.
pub fn table(page: &mut Page, table: &Table, rows: &[Searched]) {
    page.verdict(Tone::Mixed, &format!("{}: {}", table.name, table.question));
    page.line(2, table.answer);
    page.heading(&format!("{:<48}{:>13}{:>15}", "  row", "states", "transitions"));
    for searched in rows {
        row(page, table, searched);
    }
    page.heading("  Scope");
    page.line(2, table.scope);
    page.command(0, "");
}

fn row(page: &mut Page, table: &Table, searched: &Searched) {
    let Searched { number, row, found, time } = searched;
    let size = format!("{:>13}{:>15}", grouped(found.states), grouped(found.transitions));
    let mut lines = textwrap::wrap(row.setting, SETTING).into_iter();
    let first = lines.next().unwrap_or_default();
    page.command(0, &format!("{number:>5}  {first:<SETTING$}{size}"));
    for line in lines {
        page.command(7, &line);
    }
    if let Some((states, transitions)) = row.size.filter(|_| !row.holds(found)) {
        let (states, transitions) = (grouped(states), grouped(transitions));
        page.line(9, &format!("DOCUMENTED: {states} states, {transitions} transitions"));
    }
    for (at, column) in table.columns.iter().enumerate() {
        let (value, expected) = (found.values.get(at), row.expected.get(at));
        let words = |value: Option<&Value>| value.map_or_else(|| "?".into(), shown);
        let documented = if value == expected {
            String::new()
        } else {
            format!(" (DOCUMENTED: {})", words(expected))
        };
        page.line(9, &format!("{column}: {}{documented}", words(value)));
    }
    if row.cost == Cost::Large {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
        let rate = grouped(found.states.saturating_mul(1000) / millis);
        page.line(9, &format!("{:.1} s, {rate} states a second", time.as_secs_f64()));
    }
    for (what, value) in &found.details {
        page.command(9, &format!("{what:<50}{:>14}", shown(value)));
    }
}

/// Writes what it all comes to.
pub fn verdict(page: &mut Page, tally: &Tally) {
    let (rows, states) = (tally.rows, grouped(tally.states));
    if tally.all_hold() {
        page.verdict(
            Tone::Good,
            &format!("All {rows} rows are as documented ({states} states searched)."),
        );
    } else {
        let wrong = rows - tally.hold;
        page.verdict(Tone::Bad, &format!("{wrong} of {rows} rows are not as documented."));
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Never => "never".into(),
        Value::After(0) => "at the start".into(),
        Value::After(1) => "after 1 step".into(),
        Value::After(steps) => format!("after {steps} steps"),
        Value::Count(count) => grouped(*count),
    }
}

/// A number with commas, as readers count in thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The line for one row.
pub fn line(table: &Table, searched: &Searched) -> String {
    let Searched { number, row, found, time } = searched;
    let finding = |(at, what): (usize, &&'static str)| Finding {
        what,
        found: found.values.get(at).map(Answer::of),
        documented: row.expected.get(at).map(Answer::of),
    };
    json::line(&Line {
        schema: "lastack.check-tables/1",
        table: table.name,
        question: table.question,
        row: *number,
        setting: row.setting,
        large: row.cost == Cost::Large,
        states: found.states,
        transitions: found.transitions,
        documented_states: row.size.map(|size| size.0),
        documented_transitions: row.size.map(|size| size.1),
        findings: table.columns.iter().enumerate().map(finding).collect(),
        details: found.details.iter().map(|(what, value)| Detail::of(what, value)).collect(),
        story_steps: found.story.as_ref().map(|story| story.steps),
        holds: row.holds(found),
        took_ms: u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
    })
}

#[derive(Serialize)]
struct Line<'a> {
    schema: &'static str,
    table: &'static str,
    question: &'static str,
    row: usize,
    setting: &'static str,
    large: bool,
    states: u64,
    transitions: u64,
    documented_states: Option<u64>,
    documented_transitions: Option<u64>,
    findings: Vec<Finding>,
    details: Vec<Detail<'a>>,
    story_steps: Option<u64>,
    holds: bool,
    took_ms: u64,
}

#[derive(Serialize)]
struct Finding {
    what: &'static str,
    found: Option<Answer>,
    documented: Option<Answer>,
}

#[derive(Serialize)]
struct Detail<'a> {
    what: &'a str,
    found: Answer,
}

#[derive(Serialize)]
struct Answer {
    answer: &'static str,
    number: Option<u64>,
}

impl<'a> Detail<'a> {
    fn of(what: &'a str, value: &Value) -> Self {
        Self { what, found: Answer::of(value) }
    }
}

impl Answer {
    const fn of(value: &Value) -> Self {
        match value {
            Value::Never => Self { answer: "never", number: None },
            Value::After(steps) => Self { answer: "after_steps", number: Some(*steps) },
            Value::Count(count) => Self { answer: "count", number: Some(*count) },
        }
    }
}

/// How wide the words for a setting are.
const SETTING: usize = 41;
