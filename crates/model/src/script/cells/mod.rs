//! Every cell of state × segment × place beside the window, each as a script.
//!
//! A cell is data: where a connection is, what arrives, and where that lies. From it a script is made in the language
//! of packetdrill, with what a profile answers as its expectation; what a kernel answers to the same script can be
//! held against it. What the best public suite leaves out is marked ([`Cell::is_new`]).

mod axes;
mod explain;
mod table;
mod write;

pub use axes::{Acked, Kind, Position, Row};
pub use explain::{Agreement, compare};
pub use table::{Line, lines, mark};

use super::Script;
use super::replay::{Dialect, Observed, Verdict, observe};
use crate::state::State;
use std::fmt;

/// A segment that arrives in a state.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Cell {
    /// Where the connection is.
    pub row: Row,
    /// What arrives.
    pub kind: Kind,
    /// What that acknowledges.
    pub acked: Acked,
    /// Where it lies.
    pub position: Position,
}

/// What a profile does in a cell.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// The way to the state, and the segment.
    pub script: Script,
    /// What then is.
    pub observed: Observed,
}

/// Every cell, in the order of the axes.
pub fn all() -> impl Iterator<Item = Cell> {
    let segments = || {
        let each = |kind: Kind| kind.acknowledges().iter().map(move |acked| (kind, *acked));
        Kind::ALL.into_iter().flat_map(each)
    };
    let of_a_row = move |row: Row| {
        segments().flat_map(move |(kind, acked)| {
            let cell = move |position: &Position| Cell { row, kind, acked, position: *position };
            row.positions().iter().map(cell)
        })
    };
    Row::ALL.into_iter().flat_map(of_a_row)
}

/// The cell of this name.
pub fn named(name: &str) -> Option<Cell> {
    all().find(|cell| cell.to_string() == name)
}

impl Row {
    /// Where segments may lie in this row.
    pub const fn positions(self) -> &'static [Position] {
        if self.next().is_some() { &Position::ALL } else { &[Position::Anywhere] }
    }
}

impl Cell {
    /// What a profile does; `Err` is why it does not even get to the state.
    pub fn predict(&self, dialect: &Dialect) -> Result<Prediction, Verdict> {
        let way = write::way(self.row, dialect)?;
        self.after(&way, dialect)
    }

    /// The script of this cell, with what the profile does as its expectation.
    pub fn script(&self, dialect: &Dialect) -> Result<String, Verdict> {
        let way = write::way(self.row, dialect)?;
        let prediction = self.after(&way, dialect)?;
        Ok(write::script(*self, &way, &prediction.observed, dialect))
    }

    /// Whether the state-event suite of freebsd-net/tcp-testsuite has a directory for this state and segment, and no
    /// script in it.
    pub const fn is_new(&self) -> bool {
        let segment = matches!(
            self.kind,
            Kind::Ack | Kind::Fin | Kind::FinAck | Kind::RstAck | Kind::SynAck | Kind::SynFin
        );
        let state = matches!(
            self.row,
            Row::Established
                | Row::FinWait1
                | Row::FinWait1Orphan
                | Row::FinWait2
                | Row::FinWait2Orphan
                | Row::CloseWait
                | Row::Closing
                | Row::LastAck
        );
        segment && state
    }

    fn after(self, way: &str, dialect: &Dialect) -> Result<Prediction, Verdict> {
        let script = write::read(&format!("{way}{}\n", write::arrives(self)))?;
        let observed = self.seen(observe(&script, dialect)?);
        Ok(Prediction { script, observed })
    }

    /// What is there, as this cell sees it: where a listener alone is asked and makes no connection, it stays.
    #[must_use]
    pub fn seen(&self, observed: Observed) -> Observed {
        let stays = self.row == Row::Listen && observed.state == State::Closed;
        Observed { state: if stays { State::Listen } else { observed.state }, ..observed }
    }
}

/// What a profile does in all these cells, in their order.
pub fn predict(cells: &[Cell], dialect: &Dialect) -> Result<Vec<Prediction>, Verdict> {
    let mut known: Option<(Row, String)> = None;
    let predict = |cell: &Cell| {
        let way = match &known {
            Some((row, way)) if *row == cell.row => way.clone(),
            _ => write::way(cell.row, dialect)?,
        };
        let prediction = cell.after(&way, dialect);
        known = Some((cell.row, way));
        prediction
    };
    cells.iter().map(predict).collect()
}

/// `closing/fin+ack=short/prev`.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [row, kind, acked] = [self.row.name(), self.kind.name(), self.acked.name()];
        write!(f, "{row}/{kind}{acked}/{}", self.position.name())
    }
}

#[cfg(test)]
mod tests;
