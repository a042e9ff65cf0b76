//! `cargo xtask bench close`: how much of an answer arrives, by how the server closes and what its client does meanwhile.
//!
//! The bench is `lab/benches/close.rs`; `LASTACK_TRIALS` is the number of trials of each, 1,000 if not set.

use crate::step::{self, Failure};
use crate::workspace::Workspace;

pub(crate) fn run() -> Result<(), Failure> {
    let workspace = Workspace::read()?;
    let arguments = ["bench", "--package", "lastack-lab", "--bench", "close"];
    step::run(step::cargo().args(arguments).current_dir(&workspace.root))
}
