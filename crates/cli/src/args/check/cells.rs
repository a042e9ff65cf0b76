//! What can be typed after `check cells`.

use crate::args::System;
use clap::builder::PossibleValuesParser;
use clap::{Args, ColorChoice};
use lastack_model::script::cells::{Kind, Row};

/// The arguments of `check cells`.
#[derive(Args, Clone, Debug)]
pub struct CellsArgs {
    /// The system whose model is meant.
    #[arg(long, value_enum, value_name = "SYSTEM", default_value_t = System::Linux)]
    pub against: System,
    /// Ask no kernel: only what the model does. Needs no privilege.
    #[arg(long)]
    pub model_only: bool,
    /// Only in this state.
    #[arg(long, value_name = "STATE", value_parser = states())]
    pub state: Vec<String>,
    /// Only this segment.
    #[arg(long, value_name = "SEGMENT", value_parser = segments())]
    pub segment: Vec<String>,
    /// Only where the best public suite has no script.
    #[arg(long)]
    pub new: bool,
    /// Print the script of one cell, as in `closing/fin+ack=all/prev`, with what the model does as its expectation.
    #[arg(long, value_name = "CELL", conflicts_with_all = ["model_only", "state", "segment", "new", "json"])]
    pub script: Option<String>,
    /// One JSON object a line, one line a cell.
    #[arg(long)]
    pub json: bool,
    /// When to use colour.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
}

fn states() -> PossibleValuesParser {
    PossibleValuesParser::new(Row::ALL.map(Row::name))
}

fn segments() -> PossibleValuesParser {
    PossibleValuesParser::new(Kind::ALL.map(Kind::name))
}

pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  the kernel does what the model does, or differs as named
  1  the kernel does something else
  2  the kernel cannot be asked";
