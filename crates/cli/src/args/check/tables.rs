//! What can be typed after `check tables`.

use crate::args::figure::DrawingArgs;
use clap::Args;
use std::num::NonZeroUsize;

/// The arguments of `check tables`.
#[derive(Args, Clone, Debug, Default)]
pub struct TablesArgs {
    /// Which tables; without one, all of them (--list names them).
    #[arg(value_name = "TABLE")]
    pub tables: Vec<String>,
    /// List the tables and what each asks.
    #[arg(long, conflicts_with_all = ["tables", "large", "json", "story"])]
    pub list: bool,
    /// Also the rows that take long and much memory, with the time they took.
    #[arg(long)]
    pub large: bool,
    /// One JSON object a row.
    #[arg(long)]
    pub json: bool,
    /// Draw the shortest story that the search found in this row of the table as a ladder.
    #[arg(long, value_name = "ROW", requires = "tables", conflicts_with_all = ["large", "json"])]
    pub story: Option<NonZeroUsize>,
    /// How to draw.
    #[command(flatten, next_help_heading = "Output")]
    pub drawing: DrawingArgs,
}

pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  everything found is as documented
  1  something is not
  2  the question is at fault";
