//! A ladder as text: 80 columns, a row for each event. An arrow reaches across where nothing came between its sending and
//! its arrival; else it is cut in two, and a letter joins the halves.

use super::{Event, Fate, Flight, Incarnations, Known, Ladder, Make, Side, View, What, index};
use crate::draw::Half;
use crate::draw::canvas::{Canvas, Ink};
use crate::state::State;
use std::fmt::Write as _;

/// The sheet with the ladder.
pub fn ladder(ladder: &Ladder) -> Canvas {
    let rows = rows(ladder);
    let mut canvas = Canvas::new(WIDTH, rows.len() + 2);
    for (column, end) in [(LIFE[0], &ladder.ends[0]), (LIFE[1], &ladder.ends[1])] {
        let name: String = end.chars().take(LIFE[0]).collect();
        let start = column - (name.chars().count() / 2).min(column);
        canvas.write((start, 0), &name, Ink::Plain);
    }
    for side in Side::BOTH {
        state(&mut canvas, 1, side, ladder.start[index(side)]);
    }
    lives(&mut canvas, 1);
    for (at, row) in rows.iter().enumerate() {
        draw(&mut canvas, at + 2, row);
    }
    canvas
}

/// The same as a list, for where 80 columns are too many and for those who hear it.
pub fn list(ladder: &Ladder) -> Vec<String> {
    let shown = Incarnations::of(ladder);
    let end = |side| &ladder.ends[index(side)];
    let start = |side| format!("{} in {}", end(side), ladder.start[index(side)].words());
    let mut list = vec![format!("{}, {}", start(Side::A), start(Side::B))];
    for (at, event) in ladder.events.iter().enumerate() {
        let mut words = match &event.what {
            What::Sent(flight) => format!("{} sends {}", end(flight.from), flight.words(shown)),
            What::Arrived(flight) => {
                format!("{} receives {}", end(flight.from.other()), flight.words(shown))
            }
            What::Lost(flight) => format!("{} is lost", flight.words(shown)),
            What::Note(text) => text.clone(),
            what => match what.side().zip(what.words()) {
                Some((side, text)) => format!("{}: {text}", end(side)),
                None => continue,
            },
        };
        let before = ladder.states_before(at);
        for side in Side::BOTH {
            let now = event.states[index(side)];
            if now != before[index(side)] {
                let _ = write!(words, " -> {} in {}", end(side), now.words());
            }
        }
        list.push(words);
    }
    list
}

/// A row of the sheet.
#[derive(Debug, Default)]
struct Row {
    /// States that this row changes.
    states: [Option<Known<State>>; 2],
    /// What is written beside an end.
    words: Option<(Side, String)>,
    remark: Option<String>,
    arrow: Option<Arrow>,
}

#[derive(Debug)]
struct Arrow {
    from: Side,
    words: String,
    reach: Reach,
    ink: Ink,
}

/// How much of an arrow stands in a row.
#[derive(Debug)]
enum Reach {
    Across,
    /// The beginning of one that arrives later.
    Begins(String),
    /// The end of one that was sent earlier.
    Arrives(String),
    Lost,
    Unknown,
}

fn rows(ladder: &Ladder) -> Vec<Row> {
    let mut reader = Reader::of(ladder);
    let mut rows = Vec::new();
    let mut states = ladder.start;
    for at in 0..ladder.events.len() {
        let Some((mut row, last)) = reader.row(at) else { continue };
        let last = &ladder.events[last];
        row.states = changed(states, last);
        states = last.states;
        let more = row.remark.as_mut().map(wrapped).unwrap_or_default();
        if !row.is_empty() {
            rows.push(row);
        }
        rows.extend(more.into_iter().map(Row::remark));
    }
    if let View::OnlyFrom(side) = ladder.view {
        let end = &ladder.ends[index(side)];
        let mut first = format!("(only what {end} sent was seen)");
        let more = wrapped(&mut first);
        rows.extend([first].into_iter().chain(more).map(Row::remark));
    }
    rows
}

/// Leaves of a remark what fits into a row; gives the rest, row by row.
fn wrapped(remark: &mut String) -> Vec<String> {
    let mut lines = super::lines(remark, REMARK);
    *remark = lines.remove(0);
    lines
}

/// Reads the events one by one.
struct Reader<'a> {
    ladder: &'a Ladder,
    shown: Incarnations,
    marks: Marks,
    /// Arrivals that are in the row of their sending.
    arrived: Vec<bool>,
}

impl<'a> Reader<'a> {
    fn of(ladder: &'a Ladder) -> Self {
        let (shown, marks) = (Incarnations::of(ladder), Marks::default());
        Self { ladder, shown, marks, arrived: vec![false; ladder.events.len()] }
    }

    /// The row of an event, if it has one, and the last event that is in it.
    fn row(&mut self, at: usize) -> Option<(Row, usize)> {
        let mut row = Row::default();
        let mut last = at;
        match &self.ladder.events[at].what {
            What::Sent(flight) => {
                let reach = match self.ladder.fate(at, flight) {
                    Fate::Arrives(arrival) if is_next(self.ladder, at, arrival) => {
                        self.arrived[arrival] = true;
                        last = arrival;
                        Reach::Across
                    }
                    Fate::Arrives(_) => Reach::Begins(self.marks.of(flight)),
                    Fate::Lost => Reach::Lost,
                    Fate::Unknown => Reach::Unknown,
                };
                row.arrow = Some(arrow(flight, reach, self.shown));
            }
            What::Arrived(_) if self.arrived[at] => return None,
            What::Arrived(flight) => {
                let seen = self.ladder.origin(at, flight).is_some();
                let mark = if seen { self.marks.of(flight) } else { "?".into() };
                row.arrow = Some(arrow(flight, Reach::Arrives(mark), self.shown));
            }
            What::Lost(_) => return None,
            What::Note(text) => row.remark = Some(format!("({text})")),
            what => row.words = what.side().zip(what.words()),
        }
        Some((row, last))
    }
}

impl Row {
    fn remark(text: String) -> Self {
        Self { remark: Some(text), ..Self::default() }
    }

    fn is_empty(&self) -> bool {
        self.words.is_none()
            && self.remark.is_none()
            && self.arrow.is_none()
            && self.states == [None, None]
    }
}

fn changed(before: [Known<State>; 2], event: &Event) -> [Option<Known<State>>; 2] {
    [0, 1].map(|at| (before[at] != event.states[at]).then_some(event.states[at]))
}

/// True when nothing worth a row lies between a sending and its arrival.
fn is_next(ladder: &Ladder, sent: usize, arrival: usize) -> bool {
    ladder.events[sent + 1..arrival].iter().all(|event| matches!(event.what, What::Lost(_)))
}

fn arrow(flight: &Flight, reach: Reach, shown: Incarnations) -> Arrow {
    let is_reset = flight.segment.has(crate::tcp::segment::Control::RST);
    let ink = match (is_reset, flight.make, flight.incarnation) {
        (true, _, _) => Ink::Reset,
        (_, Make::Doubled, _) => Ink::Aside,
        (_, _, Some(2..)) => Ink::Second,
        _ => Ink::Plain,
    };
    Arrow { from: flight.from, words: flight.words(shown), reach, ink }
}

/// Letters for the segments that are under way while other things happen, in the order they were sent.
#[derive(Debug, Default)]
struct Marks(Vec<u32>);

impl Marks {
    fn of(&mut self, flight: &Flight) -> String {
        let at = self.0.iter().position(|id| *id == flight.id).unwrap_or_else(|| {
            self.0.push(flight.id);
            self.0.len() - 1
        });
        let letter = char::from(b'a' + (at % 26) as u8);
        let round = at / 26;
        if round == 0 { letter.to_string() } else { format!("{letter}{round}") }
    }
}

fn draw(canvas: &mut Canvas, at: usize, row: &Row) {
    lives(canvas, at);
    for side in Side::BOTH {
        if let Some(known) = row.states[index(side)] {
            state(canvas, at, side, known);
        }
    }
    if let Some((side, words)) = &row.words {
        match side {
            Side::A => canvas.write((LIFE[0] + 2, at), words, Ink::Aside),
            Side::B => {
                let start = LIFE[1].saturating_sub(1 + words.chars().count());
                canvas.write((start, at), words, Ink::Aside);
            }
        }
    }
    if let Some(remark) = &row.remark {
        let most: String = remark.chars().take(REMARK).collect();
        middle(canvas, at, &most, Ink::Aside);
    }
    if let Some(arrow) = &row.arrow {
        draw_arrow(canvas, at, arrow);
    }
}

fn draw_arrow(canvas: &mut Canvas, at: usize, arrow: &Arrow) {
    let (near, far) = match arrow.from {
        Side::A => (LIFE[0], LIFE[1]),
        Side::B => (LIFE[1], LIFE[0]),
    };
    let part = |share: usize| match arrow.from {
        Side::A => near + (far - near) * share / 100,
        Side::B => near - (near - far) * share / 100,
    };
    let (start, end) = match arrow.reach {
        Reach::Across => (near, far),
        Reach::Begins(_) | Reach::Lost | Reach::Unknown => (near, part(84)),
        Reach::Arrives(_) => (part(16), far),
    };
    canvas.arrow(&[(start, at), (end, at)], arrow.ink);
    match &arrow.reach {
        Reach::Across => {}
        Reach::Begins(mark) => beside(canvas, at, end, mark, arrow),
        Reach::Arrives(mark) => {
            let width = mark.chars().count();
            let spot = if arrow.from == Side::A { start - width - 1 } else { start + 2 };
            canvas.write((spot, at), mark, Ink::Aside);
        }
        Reach::Lost => beside(canvas, at, end, "X lost", arrow),
        Reach::Unknown => beside(canvas, at, end, "?", arrow),
    }
    middle(canvas, at, &format!(" {} ", arrow.words), arrow.ink);
}

/// What stands behind the head of an arrow that does not reach across.
fn beside(canvas: &mut Canvas, at: usize, end: usize, text: &str, arrow: &Arrow) {
    let width = text.chars().count();
    let spot = if arrow.from == Side::A { end + 1 } else { end.saturating_sub(width) };
    canvas.write((spot, at), text, Ink::Aside);
}

fn middle(canvas: &mut Canvas, at: usize, text: &str, ink: Ink) {
    let most: String = text.chars().take(LIFE[1] - LIFE[0] - 8).collect();
    let start = usize::midpoint(LIFE[0], LIFE[1]) - most.chars().count() / 2;
    canvas.write((start, at), &most, ink);
}

fn lives(canvas: &mut Canvas, at: usize) {
    for column in LIFE {
        canvas.post((column, at), Ink::Aside);
    }
}

fn state(canvas: &mut Canvas, at: usize, side: Side, known: Known<State>) {
    let words = known.words();
    let ink = known.state().map_or(Ink::Plain, |state| Ink::Of(Half::of(state)));
    let column = match side {
        Side::A => LIFE[0] - 1 - words.chars().count().min(LIFE[0] - 1),
        Side::B => LIFE[1] + 2,
    };
    canvas.write((column, at), &words, ink);
}

const WIDTH: usize = 80;
/// The columns of the two life-lines; the longest state in parentheses fits outside of them.
const LIFE: [usize; 2] = [15, 64];
/// How long a row of a remark is.
const REMARK: usize = LIFE[1] - LIFE[0] - 7;
