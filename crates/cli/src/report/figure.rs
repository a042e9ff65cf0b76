//! Figures and ladders as text: the sheets of the model, coloured, or lists where the terminal is too narrow for them.

use anstyle::{AnsiColor, Style};
use lastack_model::draw::Half;
use lastack_model::draw::canvas::{Canvas, Ink, Strokes};
use lastack_model::figure::pairs::{self, Pairs};
use lastack_model::figure::{self, Arcs, Marks, matrix};
use lastack_model::ladder::scenario::SCENARIOS;
use lastack_model::ladder::{self, Ladder};
use lastack_model::state::State;
use std::fmt::Write as _;

/// Text that grows, as wide as where it goes.
#[derive(Debug)]
pub struct Paper {
    text: String,
    strokes: Strokes,
    width: usize,
}

impl Paper {
    /// An empty one.
    pub const fn new(strokes: Strokes, width: usize) -> Self {
        Self { text: String::new(), strokes, width }
    }

    /// What was written.
    pub fn into_text(self) -> String {
        self.text
    }

    fn sheet(&mut self, canvas: &Canvas) {
        for row in canvas.runs(self.strokes) {
            for run in row {
                let style = style(run.ink);
                let _ = write!(self.text, "{style}{}{style:#}", run.text);
            }
            self.text.push('\n');
        }
    }

    /// A paragraph.
    fn prose(&mut self, text: &str) {
        for line in textwrap::wrap(text, self.width) {
            let _ = writeln!(self.text, "{}", line.trim_end());
        }
    }

    /// A line of a list, its further lines indented.
    fn line(&mut self, indent: usize, text: &str) {
        let spaces = " ".repeat(indent);
        let rest = " ".repeat(indent + 2);
        let options = textwrap::Options::new(self.width)
            .initial_indent(&spaces)
            .subsequent_indent(&rest)
            .break_words(false);
        for line in textwrap::wrap(text, options) {
            let _ = writeln!(self.text, "{}", line.trim_end());
        }
    }

    const fn has_room(&self) -> bool {
        self.width >= SHEET
    }
}

/// The state diagram.
pub fn diagram(paper: &mut Paper, arcs: Arcs, marks: &Marks) {
    if !paper.has_room() {
        return diagram_as_list(paper, arcs, marks);
    }
    paper.sheet(&figure::text::figure(marks));
    if arcs == Arcs::All {
        paper.text.push_str("\nWhat the RFC tells and does not draw\n");
        for state in State::ALL {
            if let Some(words) = figure::told_in_words(state) {
                paper.line(2, &format!("{state}: {words}"));
            }
        }
    }
}

fn diagram_as_list(paper: &mut Paper, arcs: Arcs, marks: &Marks) {
    for (state, note, ways) in figure::text::list(arcs, marks) {
        let note = note.map_or_else(String::new, |note| format!(": {note}"));
        paper.line(0, &format!("{state}{note}"));
        for way in ways {
            paper.line(2, &way);
        }
    }
}

/// The table of pairs.
pub fn pairs(paper: &mut Paper, pairs: &Pairs) {
    paper.prose(pairs::TITLE);
    paper.prose(&pairs::SCOPE.join(" "));
    paper.text.push('\n');
    if paper.width >= PAIRS_SHEET {
        paper.text.push_str(&pairs.text());
    } else {
        for line in pairs.list() {
            paper.line(0, &line);
        }
    }
}

/// The table of events, or one state's.
pub fn matrix(paper: &mut Paper, state: Option<State>) {
    if let Some(state) = state {
        paper.prose(&format!("What every event does in {state}, by the letter of RFC 9293"));
        paper.text.push('\n');
        return matrix_of(paper, state, 0);
    }
    paper.prose(matrix::TITLE);
    paper.text.push('\n');
    if paper.width >= PAIRS_SHEET {
        paper.text.push_str(&matrix::text());
    } else {
        for state in State::ALL {
            paper.line(0, state.name());
            matrix_of(paper, state, 2);
        }
    }
}

fn matrix_of(paper: &mut Paper, state: State, indent: usize) {
    for line in matrix::list(state) {
        paper.line(indent, &line);
    }
}

/// A ladder.
pub fn ladder(paper: &mut Paper, ladder: &Ladder) {
    paper.prose(&ladder.title);
    paper.text.push('\n');
    steps(paper, ladder);
}

/// A ladder without its title.
pub fn steps(paper: &mut Paper, ladder: &Ladder) {
    if paper.has_room() {
        paper.sheet(&ladder::text::ladder(ladder));
    } else {
        for line in ladder::text::list(ladder) {
            paper.line(0, &line);
        }
    }
}

/// The stories there are.
pub fn scenarios(paper: &mut Paper) {
    for scenario in &SCENARIOS {
        paper.line(0, scenario.name);
        paper.line(4, scenario.title);
    }
}

fn style(ink: Ink) -> Style {
    let of = |half| match half {
        Half::Open => Style::new(),
        Half::Active => Style::new().fg_color(Some(AnsiColor::Blue.into())),
        Half::Passive => Style::new().fg_color(Some(AnsiColor::Yellow.into())),
        Half::None => Style::new().dimmed(),
    };
    match ink {
        Ink::Plain => Style::new(),
        Ink::Of(half) => of(half),
        Ink::Marked(Half::None) => Style::new().bold(),
        Ink::Marked(half) => of(half).bold(),
        Ink::Reset => Style::new().fg_color(Some(AnsiColor::Red.into())),
        Ink::Second => Style::new().fg_color(Some(AnsiColor::Magenta.into())),
        Ink::Aside => Style::new().dimmed(),
    }
}

/// How wide the figure and ladders are.
const SHEET: usize = 80;
/// How wide the tables of pairs and of events are.
const PAIRS_SHEET: usize = 73;
