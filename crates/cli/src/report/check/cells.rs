//! The answer of `check cells`: the table, and below it where kernel and model part; or a line of JSON for each cell.

use crate::exit::Exit;
use crate::report::json::line;
use crate::report::page::{Page, Tone};
use lastack_model::script::cells::{Acked, Agreement, Cell, Line, Position, lines, mark};
use lastack_model::script::replay::{Observed, Told};
use lastack_model::state::State;
use lastack_model::tcp::segment::{Control, Segment};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What was found out, cell by cell.
#[derive(Debug)]
pub struct Outcome {
    /// The profile's name.
    pub system: &'static str,
    /// The cells.
    pub cells: Vec<Cell>,
    /// What the profile does in each.
    pub predicted: Vec<Observed>,
    /// What the kernel does in each, if it was asked.
    pub kernel: Option<Vec<Observed>>,
    /// Whether the two agree.
    pub agreements: Option<Vec<Agreement>>,
}

/// Writes the table.
pub fn write(page: &mut Page, outcome: &Outcome) {
    let (tone, headline) = headline(outcome);
    page.verdict(tone, &headline);
    page.heading("What the marks say");
    for (mark, meaning) in LEGEND {
        page.item(2, &format!("{mark:9}"), meaning);
    }
    let marks = |at: usize| {
        let agreements = outcome.agreements.as_ref();
        if agreements.is_some_and(|all| all[at] == Agreement::Unexplained) {
            return "?".to_owned();
        }
        let seen = outcome.kernel.as_ref().unwrap_or(&outcome.predicted);
        mark(outcome.cells[at].row, &seen[at])
    };
    let mut row = None;
    for line in lines(&outcome.cells, marks) {
        if row.replace(line.row) != Some(line.row) {
            head(page, &line);
        }
        page.command(2, &told(&line));
    }
    differences(page, outcome);
}

fn headline(outcome: &Outcome) -> (Tone, String) {
    let (all, system) = (outcome.cells.len(), outcome.system);
    let cells = if all == 1 { "cell" } else { "cells" };
    let Some(agreements) = &outcome.agreements else {
        return (Tone::Mixed, format!("{all} {cells}, as the model {system} does them."));
    };
    let count = |is: fn(&Agreement) -> bool| agreements.iter().filter(|one| is(one)).count();
    let same = count(|one| *one == Agreement::Same);
    let named = count(|one| matches!(one, Agreement::Named(_)));
    let unexplained = count(|one| *one == Agreement::Unexplained);
    let mut text = format!("{all} {cells}, this machine's kernel against {system}: {same} agree");
    for (count, what) in [(named, "differ as named"), (unexplained, "differ unexplained")] {
        if count > 0 {
            let _ = write!(text, ", {count} {what}");
        }
    }
    let tone = match (named, unexplained) {
        (0, 0) => Tone::Good,
        (_, 0) => Tone::Mixed,
        _ => Tone::Bad,
    };
    (tone, format!("{text}."))
}

/// The state, and above the marks the places that they are about.
fn head(page: &mut Page, line: &Line) {
    page.heading(&title(line));
    let places = columns(line.row.positions().iter().map(|position| place(*position)));
    let head = format!("{:15}{:21}{places}", "segment", "acknowledges");
    page.command(2, head.trim_end());
}

fn title(line: &Line) -> String {
    let (state, name) = (line.row.state().to_string(), line.row.name());
    let usual = state.to_ascii_lowercase().replace('_', "-");
    let beside = name.strip_prefix(&usual).unwrap_or("").trim_start_matches('-');
    if beside.is_empty() { state } else { format!("{state} ({beside})") }
}

const fn place(position: Position) -> &'static str {
    match position {
        Position::Anywhere => "reply",
        other => other.name(),
    }
}

fn told(line: &Line) -> String {
    let segment = format!("{}{}", line.kind.name(), if line.is_new { "*" } else { "" });
    let names: Vec<&str> = line.acked.iter().map(|acked| acknowledges(*acked)).collect();
    let acked = match line.acked.len() {
        _ if line.acked == [Acked::Nothing] => "-".to_owned(),
        all if all == line.kind.acknowledges().len() => "any".to_owned(),
        _ => names.join(" "),
    };
    let marks = columns(line.marks.iter().map(String::as_str));
    format!("{segment:15}{acked:21}{marks}").trim_end().to_owned()
}

fn columns<'a>(all: impl Iterator<Item = &'a str>) -> String {
    all.fold(String::new(), |mut line, one| {
        let _ = write!(line, "{one:6}");
        line
    })
}

fn acknowledges(acked: Acked) -> &'static str {
    match acked {
        Acked::Nothing => "nothing",
        other => other.name().trim_start_matches('='),
    }
}

/// The switches that explain, with how many cells; then each cell that none explains.
fn differences(page: &mut Page, outcome: &Outcome) {
    let (Some(agreements), Some(kernel)) = (&outcome.agreements, &outcome.kernel) else { return };
    let mut named: BTreeMap<String, Vec<&Cell>> = BTreeMap::new();
    for (cell, agreement) in outcome.cells.iter().zip(agreements) {
        if let Agreement::Named(names) = agreement {
            named.entry(names.join(" and ")).or_default().push(cell);
        }
    }
    if !named.is_empty() {
        page.heading(&format!("Where the kernel differs from {}, by its switches", outcome.system));
    }
    for (names, cells) in named {
        let first = cells.first().map_or_else(String::new, ToString::to_string);
        page.item(2, &format!("{:>5}  ", cells.len()), &format!("{names} (as in {first})"));
    }
    let unexplained = agreements.contains(&Agreement::Unexplained);
    if unexplained {
        page.heading("Differ unexplained (? above)");
    }
    for (at, cell) in outcome.cells.iter().enumerate() {
        if agreements[at] == Agreement::Unexplained {
            let [kernel, model] = [&kernel[at], &outcome.predicted[at]].map(sentence);
            page.item(2, "", &format!("{cell}: the kernel {kernel}; the model {model}."));
        }
    }
}

/// What happens in a cell.
fn sentence(observed: &Observed) -> String {
    let sent: Vec<String> = observed.sent.iter().map(ToString::to_string).collect();
    let sends = match sent.as_slice() {
        [] => "sends nothing".to_owned(),
        all => format!("sends {}", all.join(" and ")),
    };
    let told = match &observed.told {
        Told::Nobody => String::new(),
        Told::Nothing => ", tells nothing".to_owned(),
        Told::Octets(octets) => format!(", has {octets} octets to read"),
        Told::EndOfFile => ", tells the end".to_owned(),
        Told::Error(name) => format!(", tells {name}"),
    };
    format!("{sends} and is in {}{told}", observed.state)
}

/// A line of JSON for each cell.
pub fn json(outcome: &Outcome, exit: Exit) -> String {
    let one = |(at, cell): (usize, &Cell)| {
        let agreement = outcome.agreements.as_ref().map(|all| &all[at]);
        let (verdict, switches) = match agreement {
            None => ("predicted", Vec::new()),
            Some(Agreement::Same) => ("agrees", Vec::new()),
            Some(Agreement::Named(names)) => ("differs_as_named", names.clone()),
            Some(Agreement::Unexplained) => ("differs", Vec::new()),
        };
        line(&CellLine {
            schema: "lastack.check-cells/1",
            exit: exit.code(),
            cell: cell.to_string(),
            state: cell.row.state(),
            way: cell.row.name(),
            segment: cell.kind.name(),
            acknowledges: acknowledges(cell.acked),
            position: cell.position.name(),
            new: cell.is_new(),
            against: outcome.system,
            verdict,
            switches,
            model: Seen::of(&outcome.predicted[at]),
            kernel: outcome.kernel.as_ref().map(|kernel| Seen::of(&kernel[at])),
        })
    };
    outcome.cells.iter().enumerate().map(one).collect()
}

#[derive(Debug, Serialize)]
struct CellLine {
    schema: &'static str,
    exit: u8,
    cell: String,
    state: State,
    way: &'static str,
    segment: &'static str,
    acknowledges: &'static str,
    position: &'static str,
    new: bool,
    against: &'static str,
    verdict: &'static str,
    switches: Vec<&'static str>,
    model: Seen,
    kernel: Option<Seen>,
}

#[derive(Debug, Serialize)]
struct Seen {
    sent: Vec<Sent>,
    state: State,
    told: &'static str,
    octets: Option<u32>,
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct Sent {
    flags: Vec<&'static str>,
    seq: u32,
    ack: Option<u32>,
    octets: u32,
}

impl Seen {
    fn of(observed: &Observed) -> Self {
        let (told, octets, error) = match &observed.told {
            Told::Nobody => ("nobody", None, None),
            Told::Nothing => ("nothing", None, None),
            Told::Octets(octets) => ("octets", Some(*octets), None),
            Told::EndOfFile => ("end_of_file", None, None),
            Told::Error(name) => ("error", None, Some(name.clone())),
        };
        let sent = observed.sent.iter().map(Sent::of).collect();
        Self { sent, state: observed.state, told, octets, error }
    }
}

impl Sent {
    fn of(segment: &Segment) -> Self {
        let set = [
            (segment.has(Control::SYN), "SYN"),
            (segment.has(Control::FIN), "FIN"),
            (segment.has(Control::RST), "RST"),
            (segment.ack.is_some(), "ACK"),
        ];
        let flags = set.into_iter().filter_map(|(set, name)| set.then_some(name)).collect();
        let ack = segment.ack.map(|ack| ack.0);
        Self { flags, seq: segment.seq.0, ack, octets: segment.length }
    }
}

const LEGEND: [(&str, &str); 13] = [
    ("-", "nothing is sent; A an acknowledgement, S a SYN,ACK, F a FIN, R a reset"),
    (">TW", "the new state: CL CLOSED, SR SYN_RECEIVED, ES ESTABLISHED, F2 FIN_WAIT_2, and so on"),
    ("!", "the program is told an error"),
    ("*", "the public state-event suite has no script for this segment in this state"),
    ("all", "everything sent is acknowledged"),
    ("short", "all but the last number, which is that of the SYN or FIN"),
    ("beyond", "one number that was never sent"),
    ("ancient", "100,000 numbers less than everything"),
    ("any", "it makes no difference which of the four"),
    ("old", "begins 1,000 before the next number expected"),
    ("prev", "1 before; next: there; mid: 1,000 after"),
    ("last", "on the last number of the window, which is 65,535 wide"),
    ("edge", "on the first number after it; past: on the second"),
];
