//! Who can be where: every pair of states that two ends of a connection can be in at once, found by exploring them all.

use crate::draw::Half;
use crate::draw::svg::{Anchor, Svg, times};
use crate::explore::explore;
use crate::state::State;
use crate::tcp::world::{Setting, Start};
use std::fmt::Write as _;

/// What it takes for two ends to be in a pair of states, the least first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Takes {
    /// Both programs close in the end; segments may be lost, doubled and overtaken.
    Closing,
    /// One of them aborts.
    Aborting,
    /// The connection is still being opened.
    Opening,
}

/// The table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pairs {
    takes: [[Option<Takes>; 11]; 11],
    /// How many states of the whole were looked at.
    pub explored: usize,
}

impl Pairs {
    /// Finds all pairs, on so many threads.
    pub fn explored(threads: usize) -> Self {
        let mut pairs = Self { takes: [[None; 11]; 11], explored: 0 };
        let closing = Setting::<IN_FLIGHT>::BASIC;
        let aborting = Setting { aborts: true, ..closing };
        let opening =
            Setting::<IN_FLIGHT_OPENING> { aborts: true, start: Start::Closed, ..Setting::BASIC };
        pairs.add(&closing, Takes::Closing, threads);
        pairs.add(&aborting, Takes::Aborting, threads);
        pairs.add(&opening, Takes::Opening, threads);
        pairs
    }

    /// What it takes for one end to be in the first state while the other is in the second; `None` where they never are.
    pub fn takes(&self, one: State, other: State) -> Option<Takes> {
        self.takes[index(one)][index(other)]
    }

    /// How many pairs take this or less.
    pub fn count(&self, takes: Takes) -> usize {
        let all = self.takes.iter().flatten();
        all.filter(|least| least.is_some_and(|least| least <= takes)).count()
    }

    /// The table as text.
    pub fn text(&self) -> String {
        let mut text = String::from("opened  listened ");
        for state in State::ALL {
            let _ = write!(text, "{:>5}", short(state));
        }
        text.push('\n');
        for one in State::ALL {
            let _ = write!(text, "{one:13}{:>4}", short(one));
            for other in State::ALL {
                let _ = write!(text, "{:>5}", self.takes(one, other).map_or('.', Takes::letter));
            }
            text.push('\n');
        }
        let _ = write!(
            text,
            "\n  c  when both close in the end          {:>3} pairs\n  a  also when one aborts                {:>3} \
             pairs\n  o  also while the connection opens     {:>3} pairs\n  .  never\n",
            self.count(Takes::Closing),
            self.count(Takes::Aborting),
            self.count(Takes::Opening)
        );
        text
    }

    /// The table as SVG.
    pub fn svg(&self) -> String {
        let mut svg = Svg::new(LEFT + 11.0 * CELL + 30.0);
        svg.text((24.0, 34.0), Anchor::Start, "title", TITLE);
        for (line, text) in SCOPE.into_iter().enumerate() {
            svg.text((24.0, 54.0 + times(line, 17.0)), Anchor::Start, "aside small", text);
        }
        svg.text((LEFT - 12.0, TOP - 28.0), Anchor::End, "aside small", "opened ↓");
        svg.text((LEFT - 12.0, TOP - 10.0), Anchor::End, "aside small", "listened →");
        for (at, state) in State::ALL.into_iter().enumerate() {
            let offset = times(at, CELL) + CELL / 2.0;
            let classes = format!("small {}", Half::of(state).class());
            svg.text((LEFT - 12.0, TOP + offset + 4.0), Anchor::End, &classes, state.name());
            svg.upright_text((LEFT + offset + 4.0, TOP - 10.0), &classes, state.name());
        }
        for (row, one) in State::ALL.into_iter().enumerate() {
            for (column, other) in State::ALL.into_iter().enumerate() {
                let corner = (LEFT + times(column, CELL), TOP + times(row, CELL));
                self.cell(&mut svg, corner, one, other);
            }
        }
        let mut y = TOP + 11.0 * CELL + 32.0;
        for takes in [Takes::Closing, Takes::Aborting, Takes::Opening] {
            mark(&mut svg, (LEFT - 100.0, y - 4.5), takes);
            let text = format!("{}: {} pairs", takes.words(), self.count(takes));
            svg.text((LEFT - 80.0, y), Anchor::Start, "small", &text);
            y += 23.0;
        }
        svg.finish(y + 4.0, TITLE, &self.list().join("; "))
    }

    fn cell(&self, svg: &mut Svg, (x, y): (f64, f64), one: State, other: State) {
        let shade = if one == other { "node none faint" } else { "node faint" };
        svg.rect((x + 1.5, y + 1.5), (CELL - 3.0, CELL - 3.0), 5.0, shade);
        if let Some(takes) = self.takes(one, other) {
            svg.open_group("", &format!("{one} and {other}: {}", takes.words()));
            mark(svg, (x + CELL / 2.0, y + CELL / 2.0), takes);
            svg.close_group();
        }
    }

    /// The same as a list: each state, and those that the other end can be in.
    pub fn list(&self) -> Vec<String> {
        let with = |one: State| {
            let others = State::ALL.into_iter().filter_map(move |other| {
                self.takes(one, other).map(|takes| format!("{other} ({})", takes.letter()))
            });
            let others: Vec<String> = others.collect();
            if others.is_empty() { "never".to_owned() } else { others.join(", ") }
        };
        State::ALL.into_iter().map(|one| format!("{one} with {}", with(one))).collect()
    }

    fn add<const N: usize>(&mut self, setting: &Setting<N>, takes: Takes, threads: usize) {
        let explored = explore(setting, threads);
        self.explored += explored.states();
        for state in explored.iter() {
            let (one, other) = state.states();
            let least = &mut self.takes[index(one)][index(other)];
            *least = Some(least.map_or(takes, |known| known.min(takes)));
        }
    }
}

impl Takes {
    const fn letter(self) -> char {
        match self {
            Self::Closing => 'c',
            Self::Aborting => 'a',
            Self::Opening => 'o',
        }
    }

    /// In a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Closing => "closing",
            Self::Aborting => "aborting",
            Self::Opening => "opening",
        }
    }

    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Closing => "when both close in the end",
            Self::Aborting => "also when one aborts",
            Self::Opening => "also while the connection opens",
        }
    }
}

fn mark(svg: &mut Svg, at: (f64, f64), takes: Takes) {
    match takes {
        Takes::Closing => svg.circle(at, 8.0, "head active"),
        Takes::Aborting => {
            svg.circle(at, 7.5, "ring reset");
            svg.circle(at, 3.0, "ring reset");
        }
        Takes::Opening => svg.circle(at, 7.5, "ring open"),
    }
}

fn index(state: State) -> usize {
    State::ALL.iter().position(|known| *known == state).unwrap_or(0)
}

/// Four letters for the head of a column.
pub(super) const fn short(state: State) -> &'static str {
    match state {
        State::Listen => "LSTN",
        State::SynSent => "SYNS",
        State::SynReceived => "SYNR",
        State::Established => "ESTB",
        State::FinWait1 => "FW1",
        State::FinWait2 => "FW2",
        State::CloseWait => "CLW",
        State::Closing => "CLSG",
        State::LastAck => "LACK",
        State::TimeWait => "TW",
        State::Closed => "CLSD",
    }
}

/// What the table is called.
pub const TITLE: &str = "Who can be where: the states of both ends at once";

/// What the table covers.
pub const SCOPE: [&str; 2] = [
    "Every order of close, abort, loss, doubling and reordering that there is,",
    "with at most 4 segments under way, and 2 where the opening is included.",
];

const IN_FLIGHT: usize = 4;
const IN_FLIGHT_OPENING: usize = 2;
const CELL: f64 = 38.0;
const LEFT: f64 = 140.0;
const TOP: f64 = 190.0;
