//! A sheet of character cells on which lines meet properly: a corner, a branch or a crossing is chosen by what arrives.
//!
//! Each cell knows what it is part of, so that a terminal may colour it; the sheet itself has no colour.

use super::Half;
use std::fmt::Write as _;

/// A sheet of characters.
#[derive(Clone, Debug)]
pub struct Canvas {
    rows: Vec<Vec<Cell>>,
}

/// What a character is part of.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Ink {
    /// Nothing in particular.
    #[default]
    Plain,
    /// Something of this half of the figure.
    Of(Half),
    /// A state that is marked.
    Marked(Half),
    /// A reset.
    Reset,
    /// Something of a second connection.
    Second,
    /// Words beside the matter.
    Aside,
}

/// Which characters lines are made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Strokes {
    /// Box-drawing characters.
    Box,
    /// `+`, `-` and `|`.
    Ascii,
}

/// The way an arrow points.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    /// Up.
    Up,
    /// Right.
    Right,
    /// Down.
    Down,
    /// Left.
    Left,
}

/// A column and a row, from 0 at the upper left.
pub type Spot = (usize, usize);

#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    glyph: Glyph,
    ink: Ink,
}

#[derive(Clone, Copy, Debug, Default)]
enum Glyph {
    #[default]
    Blank,
    Text(char),
    /// Bits of [`Way`]: where the line goes on.
    Line(u8),
    Head(Way),
}

/// Characters in a row that are part of the same thing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Run {
    /// The characters.
    pub text: String,
    /// What they are part of.
    pub ink: Ink,
}

impl Canvas {
    /// An empty sheet.
    pub fn new(width: usize, height: usize) -> Self {
        Self { rows: vec![vec![Cell::default(); width]; height] }
    }

    /// Writes text; what does not fit is left out.
    pub fn write(&mut self, (column, row): Spot, text: &str, ink: Ink) {
        for (offset, letter) in text.chars().enumerate() {
            if let Some(cell) = self.cell((column + offset, row)) {
                *cell = Cell { glyph: Glyph::Text(letter), ink };
            }
        }
    }

    /// Draws a line along these corners.
    pub fn line(&mut self, corners: &[Spot], ink: Ink) {
        for pair in corners.windows(2) {
            let (mut at, end) = (pair[0], pair[1]);
            while let Some(way) = Way::toward(at, end) {
                self.link(at, way, ink);
                at = way.step(at);
                self.link(at, way.back(), ink);
            }
        }
    }

    /// Draws an arrow along these corners. Its head stands before the last one, which is left as it is.
    pub fn arrow(&mut self, corners: &[Spot], ink: Ink) {
        let Some((&end, rest)) = corners.split_last() else { return };
        let Some(way) = rest.last().and_then(|before| Way::toward(*before, end)) else { return };
        let head = way.back().step(end);
        let mut shortened = rest.to_vec();
        shortened.push(head);
        self.line(&shortened, ink);
        if let Some(cell) = self.cell(head) {
            *cell = Cell { glyph: Glyph::Head(way), ink };
        }
    }

    /// Draws a piece of an upright line, one cell high.
    pub fn post(&mut self, spot: Spot, ink: Ink) {
        self.link(spot, Way::Up, ink);
        self.link(spot, Way::Down, ink);
    }

    /// Draws a frame between two opposite corners.
    pub fn frame(&mut self, (left, top): Spot, (right, bottom): Spot, ink: Ink) {
        let corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
        self.line(&corners, ink);
    }

    /// The sheet row by row, each split where what it is part of changes; blanks at the end of a row are left out.
    pub fn runs(&self, strokes: Strokes) -> Vec<Vec<Run>> {
        self.rows.iter().map(|row| runs_of(row, strokes)).collect()
    }

    /// The sheet as text.
    pub fn to_text(&self, strokes: Strokes) -> String {
        let mut text = String::new();
        for row in self.runs(strokes) {
            let line: String = row.iter().map(|run| run.text.as_str()).collect();
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text
    }

    fn cell(&mut self, (column, row): Spot) -> Option<&mut Cell> {
        self.rows.get_mut(row)?.get_mut(column)
    }

    fn link(&mut self, at: Spot, way: Way, ink: Ink) {
        if let Some(cell) = self.cell(at) {
            let links = if let Glyph::Line(links) = cell.glyph { links } else { 0 };
            let ink = if links == 0 { ink } else { cell.ink };
            *cell = Cell { glyph: Glyph::Line(links | way.bit()), ink };
        }
    }
}

impl Way {
    fn toward(from: Spot, to: Spot) -> Option<Self> {
        match (from.0.cmp(&to.0), from.1.cmp(&to.1)) {
            (std::cmp::Ordering::Less, _) => Some(Self::Right),
            (std::cmp::Ordering::Greater, _) => Some(Self::Left),
            (_, std::cmp::Ordering::Less) => Some(Self::Down),
            (_, std::cmp::Ordering::Greater) => Some(Self::Up),
            _ => None,
        }
    }

    const fn back(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Right => Self::Left,
            Self::Down => Self::Up,
            Self::Left => Self::Right,
        }
    }

    const fn step(self, (column, row): Spot) -> Spot {
        match self {
            Self::Up => (column, row.saturating_sub(1)),
            Self::Right => (column + 1, row),
            Self::Down => (column, row + 1),
            Self::Left => (column.saturating_sub(1), row),
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Up => 1,
            Self::Right => 2,
            Self::Down => 4,
            Self::Left => 8,
        }
    }

    const fn head(self, strokes: Strokes) -> char {
        match (strokes, self) {
            (Strokes::Box, Self::Up) => '▲',
            (Strokes::Box, Self::Right) => '►',
            (Strokes::Box, Self::Down) => '▼',
            (Strokes::Box, Self::Left) => '◄',
            (Strokes::Ascii, Self::Up) => '^',
            (Strokes::Ascii, Self::Right) => '>',
            (Strokes::Ascii, Self::Down) => 'v',
            (Strokes::Ascii, Self::Left) => '<',
        }
    }
}

fn runs_of(row: &[Cell], strokes: Strokes) -> Vec<Run> {
    let used = row.iter().rposition(|cell| !matches!(cell.glyph, Glyph::Blank));
    let mut runs: Vec<Run> = Vec::new();
    for cell in &row[..used.map_or(0, |last| last + 1)] {
        let letter = cell.glyph.letter(strokes);
        match runs.last_mut() {
            Some(run) if run.ink == cell.ink => run.text.push(letter),
            _ => runs.push(Run { text: letter.to_string(), ink: cell.ink }),
        }
    }
    runs
}

impl Glyph {
    const fn letter(self, strokes: Strokes) -> char {
        match (self, strokes) {
            (Self::Blank, _) => ' ',
            (Self::Text(letter), _) => letter,
            (Self::Head(way), _) => way.head(strokes),
            (Self::Line(links), Strokes::Box) => BOX[(links & 15) as usize],
            (Self::Line(links), Strokes::Ascii) => ASCII[(links & 15) as usize],
        }
    }
}

/// By the bits of the ways a line goes on: up 1, right 2, down 4, left 8.
const BOX: [char; 16] =
    [' ', '│', '─', '└', '│', '│', '┌', '├', '─', '┘', '─', '┴', '┐', '┤', '┬', '┼'];
const ASCII: [char; 16] =
    [' ', '|', '-', '+', '|', '|', '+', '+', '-', '+', '-', '+', '+', '+', '+', '+'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_meet_share_a_character() {
        let mut canvas = Canvas::new(7, 4);
        canvas.frame((0, 0), (4, 2), Ink::Plain);
        canvas.arrow(&[(4, 1), (6, 1), (6, 4)], Ink::Plain);
        assert_eq!(canvas.to_text(Strokes::Box), "┌───┐\n│   ├─┐\n└───┘ │\n      ▼\n");
        assert_eq!(canvas.to_text(Strokes::Ascii), "+---+\n|   +-+\n+---+ |\n      v\n");
    }

    #[test]
    fn what_lies_outside_of_the_sheet_is_left_out() {
        let mut canvas = Canvas::new(3, 1);
        canvas.write((1, 0), "long", Ink::Plain);
        canvas.write((0, 9), "below", Ink::Plain);
        assert_eq!(canvas.to_text(Strokes::Box), " lo\n");
    }
}
